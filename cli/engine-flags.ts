/** The flags that say which engine is asked, and how; and what they come to. */
import type { InferredOptionTypes } from "yargs";
import { UserError } from "../errors.ts";
import type { ResolvedSettings } from "../comparison/settings.ts";
import type { EnginePreset } from "../runners/engines/index.ts";
import type { VariantFlags } from "../runners/config/index.ts";
import type { OpenAiRunnerOptions } from "../runners/openai/index.ts";
import type { VariantEngines } from "../runners/variant-engines.ts";
import { listFlag, textFlag } from "./flags.ts";
import { keepHeapLean } from "./lean-heap.ts";
import type { ListFlag, TextFlag } from "./flags.ts";

const group = "Engines:";

interface SwitchFlag {
  readonly type: "boolean";
  readonly default: boolean;
  readonly describe: string;
  readonly group: string;
}

const off = (describe: string): SwitchFlag => ({ type: "boolean", default: false, describe, group });

type EngineFlagTable = {
  readonly engine: TextFlag;
  readonly model: TextFlag;
  readonly "base-url": ListFlag;
  readonly "fused-base-url": ListFlag;
  readonly launch: TextFlag;
  readonly switch: TextFlag;
  readonly "baseline-env": ListFlag;
  readonly "fused-env": ListFlag;
  readonly "baseline-args": TextFlag;
  readonly "fused-args": TextFlag;
  readonly "baseline-cwd": TextFlag;
  readonly "fused-cwd": TextFlag;
  readonly "parallel-variants": SwitchFlag;
  readonly config: TextFlag;
  readonly capture: TextFlag;
  readonly stream: SwitchFlag;
  readonly "ignore-eos": SwitchFlag;
  readonly "extra-body": TextFlag;
  readonly "header-env": ListFlag;
  readonly "api-key-env": TextFlag;
  readonly "clear-cache": SwitchFlag;
  readonly "allow-differences": SwitchFlag;
};

export const ENGINE_FLAGS: EngineFlagTable = {
  engine: textFlag("engine", {
    group,
    describe: "embedded, or a kind of server: vllm, sglang, llama-cpp, atom, trtllm, tgi, transformers, ollama, openai",
    defaultDescription: "embedded; openai with --base-url",
  }),
  model: textFlag("model", {
    group,
    describe: "checkpoint folder (embedded), or the model's name (servers)",
    defaultDescription: "abacus-8m; what the server offers",
  }),
  "base-url": listFlag("base-url", {
    group,
    describe: "a running server, such as http://host:8000/v1; again for more replicas",
  }),
  "fused-base-url": listFlag("fused-base-url", {
    group,
    describe: "the server with fused routing on; again for more replicas",
  }),
  launch: textFlag("launch", {
    group,
    describe: "start the server so, with {port}, {host} and {model} filled in",
    defaultDescription: "the engine's own command",
  }),
  switch: textFlag("switch", {
    group,
    describe: "the engine's routing switch that is off in the baseline and on in fused",
  }),
  "baseline-env": listFlag("baseline-env", {
    group,
    describe: "NAME=value for the baseline's server, or NAME to unset it",
  }),
  "fused-env": listFlag("fused-env", { group, describe: "NAME=value for the fused server, or NAME to unset it" }),
  "baseline-args": textFlag("baseline-args", { group, describe: "more arguments of the baseline's server" }),
  "fused-args": textFlag("fused-args", { group, describe: "more arguments of the fused server" }),
  "baseline-cwd": textFlag("baseline-cwd", { group, describe: "where the baseline's server is started" }),
  "fused-cwd": textFlag("fused-cwd", { group, describe: "where the fused server is started" }),
  "parallel-variants": off("both servers at the same time"),
  config: textFlag("config", { group, describe: "fusecheck.yaml: all of these and more; flags win" }),
  capture: textFlag("capture", {
    group,
    describe: "capture routing from the servers; the value is the model's config.json, or its folder",
  }),
  stream: off("ask for streamed answers"),
  "ignore-eos": off("generate up to --max-tokens always"),
  "extra-body": textFlag("extra-body", {
    group,
    describe: "a JSON object of more fields for every request; null takes one away",
  }),
  "header-env": listFlag("header-env", {
    group,
    describe: "NAME=VARIABLE: a header whose value stands in that variable",
  }),
  "api-key-env": textFlag("api-key-env", {
    group,
    describe: "the variable that holds the API key",
    defaultDescription: "OPENAI_API_KEY",
  }),
  "clear-cache": off("remove what the engine keeps between two starts"),
  "allow-differences": off("compare servers even where they say that they are not alike"),
};

type EngineFlags = InferredOptionTypes<typeof ENGINE_FLAGS> & { readonly fused: boolean; readonly chat: boolean };

/** Flags without which no server is asked. */
const NAMES_A_SERVER = ["engine", "base-url", "launch", "config"] as const;

/** Flags that mean nothing to the embedded engine. */
const SERVERS_ONLY = Object.keys(ENGINE_FLAGS).filter(
  (name) => !["engine", "model", "config"].includes(name),
) as readonly (keyof EngineFlags)[];

/** @throws UserError for engines that cannot be asked so */
export async function enginesOf(
  flags: EngineFlags,
): Promise<(settings: Pick<ResolvedSettings, "concurrency" | "chat">) => VariantEngines> {
  const isServer = flags.engine !== "embedded" && NAMES_A_SERVER.some((name) => flags[name] !== undefined);
  if (!isServer) {
    const meaningless = SERVERS_ONLY.find((name) => flags[name] !== undefined && flags[name] !== false);
    if (meaningless !== undefined) {
      throw new UserError(`--${meaningless} is for servers; say which: --engine, --base-url, --launch or --config`);
    }
    const { EmbeddedVariants } = await import("../runners/embedded-variants.ts");
    return ({ concurrency, chat }) => new EmbeddedVariants({ modelDir: flags.model, concurrency, chat });
  }
  const [
    { configFromFlags, loadConfig, refuseLiteralSecrets, resolveBaseline, resolveVariants },
    { ServerVariants },
    { readMoeLayout },
  ] = await Promise.all([
    import("../runners/config/index.ts"),
    import("../runners/server-variants.ts"),
    import("../runners/routed-experts/index.ts"),
  ]);
  const file = flags.config === undefined ? undefined : loadConfig(flags.config);
  const merged = configFromFlags(variantFlags(flags), file);
  const config = {
    ...merged,
    ...(flags["clear-cache"] && { clear_cache: true }),
    ...(flags["api-key-env"] !== undefined && { api_key_env: flags["api-key-env"] }),
    ...(flags["header-env"] !== undefined && {
      header_env: { ...file?.header_env, ...headerEnv(flags["header-env"]) },
    }),
  };
  refuseLiteralSecrets({ ...config, extra_body: extraBody(flags["extra-body"]) });
  const resolved = flags.fused ? resolveVariants(config) : resolveBaseline(config);
  if (flags.capture !== undefined) checkCapture(resolved.preset);
  const ask = {
    stream: flags.stream,
    ignoreEos: flags["ignore-eos"],
    extraBody: extraBody(flags["extra-body"]),
    ...(flags.capture !== undefined && { tokenIds: true, captures: { layout: readMoeLayout(flags.capture) } }),
  } satisfies Partial<OpenAiRunnerOptions>;
  keepHeapLean();
  const { baseline, ...rest } = resolved;
  return () =>
    new ServerVariants({ shared: rest, ...rest, baseline, ask, allowDifferences: flags["allow-differences"] });
}

/** @throws UserError where nothing would be captured */
function checkCapture({ title, capture }: EnginePreset): void {
  if (capture.form !== "none") return;
  throw new UserError(`--capture: ${title} ${capture.about}; leave it out, or name another --engine`);
}

function variantFlags(flags: EngineFlags): VariantFlags {
  const given = {
    engine: flags.engine,
    switch: flags.switch,
    model: flags.model,
    api: flags.chat ? ("chat" as const) : undefined,
    launch: flags.launch,
    baseUrl: flags["base-url"],
    fusedBaseUrl: flags["fused-base-url"],
    baselineEnv: flags["baseline-env"],
    fusedEnv: flags["fused-env"],
    baselineArgs: flags["baseline-args"],
    fusedArgs: flags["fused-args"],
    baselineCwd: flags["baseline-cwd"],
    fusedCwd: flags["fused-cwd"],
    parallelVariants: flags["parallel-variants"] ? true : undefined,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function extraBody(text: string | undefined): Readonly<Record<string, unknown>> {
  if (text === undefined) return {};
  try {
    const body = JSON.parse(text) as unknown;
    if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new UserError(`--extra-body is not a JSON object; give one, such as '{"top_k": 1}'`);
}

function headerEnv(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((each) => {
      const [, name, variable] = /^([\w-]+)=([A-Za-z_]\w*)$/.exec(each) ?? [];
      // Not quoted: a value may stand where the variable's name should.
      if (name === undefined || variable === undefined)
        throw new UserError("--header-env takes NAME=VARIABLE: the value is read from that environment variable");
      return [name, variable];
    }),
  );
}
