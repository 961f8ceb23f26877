import { DEFAULT_CONCURRENCY, DEFAULT_HOST, DEFAULT_MAX_QUEUE, DEFAULT_PORT } from "../server/defaults.ts";
import type { Server } from "../server/index.ts";
import { UserError } from "../errors.ts";
import type { Command } from "./command.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import type { ExitCode } from "./exit-code.ts";
import { integerFlag, textFlag } from "./flags.ts";
import { writeLines } from "./write-lines.ts";

/** In the environment only: a command line can be read by every user of the machine. */
const API_KEY = "FUSECHECK_API_KEY";

const FORMS = ["sglang", "vllm"] as const;

/** As the engines call it that give them. */
const ROUTED_EXPERTS = "enable-return-routed-experts";

/** `fusecheck serve`: the embedded engine behind the OpenAI protocol. */
export const serveCommand: Command = defineCommand({
  name: "serve",
  describe: "the embedded engine as an OpenAI-compatible server",
  flags: {
    model: textFlag("model", {
      describe: "checkpoint folder",
      defaultDescription: "abacus-8m, which comes with fusecheck",
    }),
    "served-model-name": textFlag("served-model-name", {
      describe: "what clients call the model",
      defaultDescription: "the name of its folder",
    }),
    fused: { type: "boolean", default: false, describe: "fused routing instead of the reference chain" },
    host: textFlag("host", { describe: "address to listen on", defaultDescription: DEFAULT_HOST }),
    port: integerFlag("port", {
      min: 0,
      max: 65_535,
      describe: "port to listen on; 0 takes a free one",
      defaultDescription: String(DEFAULT_PORT),
    }),
    concurrency: integerFlag("concurrency", {
      min: 1,
      max: 1024,
      describe: "completions that run at a time",
      defaultDescription: String(DEFAULT_CONCURRENCY),
    }),
    "max-queue": integerFlag("max-queue", {
      min: 0,
      max: 100_000,
      describe: "completions that may wait besides; more are refused with 503",
      defaultDescription: String(DEFAULT_MAX_QUEUE),
    }),
    [ROUTED_EXPERTS]: {
      type: "string",
      describe:
        "hand out routed experts as sglang (on request) or vllm (always) does; alone: as a request asks for them",
      defaultDescription: "not at all",
      coerce: routedExpertsForm,
    },
  },
  examples: [
    ["$0 serve", `listen on ${DEFAULT_HOST} port ${DEFAULT_PORT}`],
    ["$0 serve --fused --port 0", "with fused routing, on a free port, which the first line says"],
    [`${API_KEY}=... $0 serve`, "answer only those who send this key"],
  ],
  handler: async (flags) => {
    const form = flags[ROUTED_EXPERTS];
    const { startServer } = await import("../server/index.ts");
    const signals = untilSignalled();
    try {
      const apiKey = process.env[API_KEY];
      const server = await startServer({
        routing: flags.fused ? "fused" : "reference",
        ...(flags.model !== undefined && { modelDir: flags.model }),
        ...(flags["served-model-name"] !== undefined && { servedModelName: flags["served-model-name"] }),
        ...(flags.host !== undefined && { host: flags.host }),
        ...(flags.port !== undefined && { port: flags.port }),
        ...(flags.concurrency !== undefined && { concurrency: flags.concurrency }),
        ...(flags["max-queue"] !== undefined && { maxQueue: flags["max-queue"] }),
        ...(form !== undefined && { routedExperts: form }),
        ...(apiKey !== undefined && apiKey !== "" && { apiKey }),
        log: say,
      });
      for (const warning of server.warnings) say(`warning: ${warning}`);
      const routing = flags.fused ? "fused" : "reference";
      await writeLines([`ready ${server.baseUrl} model=${server.model} routing=${routing}`]);
      await signals.first;
      return await end(server, signals.second);
    } finally {
      signals.release();
    }
  },
});

function say(line: string): void {
  process.stderr.write(`fusecheck: ${line}\n`);
}

/** The flag stands alone in the engines that it comes from. */
function routedExpertsForm(given: unknown): (typeof FORMS)[number] | "as asked" | undefined {
  if (given === undefined) return undefined;
  if (given === "") return "as asked";
  if (Array.isArray(given)) throw new UserError(`--${ROUTED_EXPERTS} was given ${given.length} times; give it once`);
  const form = FORMS.find((each) => each === given);
  if (form === undefined)
    throw new UserError(`--${ROUTED_EXPERTS} is ${FORMS.join(" or ")}, not ${JSON.stringify(given)}`);
  return form;
}

/** After the first signal the server ends in its own time, after the second at once. */
async function end(server: Server, second: Promise<void>): Promise<ExitCode> {
  let code: ExitCode = EXIT.held;
  if (server.open > 0) say(`stopping; ${server.open} to finish (Ctrl-C again drops them)`);
  void second.then(() => {
    code = EXIT.interrupted;
    server.abort();
  });
  await server.close();
  return code;
}

/** Resolves at the first and at the second Ctrl-C (or SIGTERM), which do not end the process meanwhile. */
function untilSignalled(): { first: Promise<void>; second: Promise<void>; release: () => void } {
  const resolvers: (() => void)[] = [];
  const next = (): Promise<void> => new Promise((resolve) => resolvers.push(resolve));
  const [first, second] = [next(), next()];
  const onSignal = (): void => resolvers.shift()?.();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return {
    first,
    second,
    release: () => {
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    },
  };
}
