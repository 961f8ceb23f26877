/** What `fusecheck.yaml` may hold. Messages complete "expected ...". */
import * as v from "valibot";
import { durationMs } from "./duration.ts";
import type { UserConfig } from "./user-config.ts";

const text = v.pipe(v.string("a text"), v.nonEmpty("a text that is not empty"));
const whether = v.boolean("true or false");
const variable = v.pipe(
  v.string("the name of an environment variable"),
  v.regex(/^[A-Za-z_]\w*$/, "the name of an environment variable"),
);

/** Only whole numbers: of 1.10 nothing but 1.1 would be left. */
const WORD = "a text or a whole number (write others, and true and false, in quotes)";
const word = v.union([v.string(), v.pipe(v.number(), v.safeInteger(WORD))], WORD);
const words = v.union([text, v.array(word)], "a line, or a list of texts and whole numbers (write others in quotes)");
const environment = v.record(variable, v.nullable(word), "names and values of environment variables");

const port = v.pipe(
  v.number("a port from 1 to 65535"),
  v.integer("a port from 1 to 65535"),
  v.minValue(1, "a port from 1 to 65535"),
  v.maxValue(65_535, "a port from 1 to 65535"),
);
const devices = v.pipe(
  v.union([v.string(), v.number()], 'numbers of GPUs, such as "0,1"'),
  v.check((given) => /^\d+(,\d+)*$/.test(String(given)), 'numbers of GPUs, such as "0,1"'),
);
const duration = v.pipe(
  v.union([v.string(), v.number()], "a duration, such as 90s or 30m"),
  v.check((given) => durationMs(given) !== undefined, "a duration above 0 and below 24 days, such as 90s or 30m"),
);

const launch = {
  command: v.exactOptional(words),
  shell: v.exactOptional(whether),
  args: v.exactOptional(words),
  env: v.exactOptional(environment),
  cwd: v.exactOptional(text),
  host: v.exactOptional(text),
  port: v.exactOptional(port),
  devices: v.exactOptional(devices),
  health: v.exactOptional(v.pipe(v.string("a path, such as /health"), v.startsWith("/", "a path, such as /health"))),
};

const URLS = "a base URL, or a list of them";

const variant = v.strictObject(
  { ...launch, base_url: v.exactOptional(v.union([text, v.pipe(v.array(text), v.nonEmpty(URLS))], URLS)) },
  "a variant's settings",
);

/** Names of engines and their switches are looked up afterwards. */
const config = v.strictObject(
  {
    engine: v.exactOptional(text),
    switch: v.exactOptional(text),
    model: v.exactOptional(text),
    api: v.exactOptional(v.picklist(["completions", "chat"], "completions or chat")),
    launch: v.exactOptional(v.strictObject(launch, "how to start the server")),
    variants: v.exactOptional(
      v.strictObject({ baseline: v.exactOptional(variant), fused: v.exactOptional(variant) }, "baseline and fused"),
    ),
    parallel: v.exactOptional(whether),
    prefix_caching: v.exactOptional(v.literal(false, "false, or nothing: fusecheck only turns it off")),
    deterministic: v.exactOptional(whether),
    clear_cache: v.exactOptional(whether),
    timeouts: v.exactOptional(
      v.strictObject(
        {
          startup: v.exactOptional(duration),
          stop: v.exactOptional(duration),
          hang: v.exactOptional(duration),
        },
        "startup, stop and hang",
      ),
    ),
    api_key_env: v.exactOptional(variable),
    header_env: v.exactOptional(v.record(text, variable, "names of headers and of variables")),
  },
  "settings by name",
);

export interface Problem {
  readonly path: readonly string[];
  /** The key itself is at fault, not its value. */
  readonly atKey: boolean;
  /** `expected true or false`. */
  readonly what: string;
  /** The keys that could stand there instead. */
  readonly known?: readonly string[];
}

export type Checked =
  | { readonly kind: "config"; readonly config: UserConfig }
  | { readonly kind: "problems"; readonly problems: readonly [Problem, ...Problem[]] };

export function checkConfig(input: unknown): Checked {
  const parsed = v.safeParse(config, input);
  if (parsed.success) return { kind: "config", config: parsed.output };
  const [first, ...others] = parsed.issues.map(toProblem);
  return { kind: "problems", problems: [first as Problem, ...others] };
}

function toProblem(issue: v.InferIssue<typeof config>): Problem {
  const path = (issue.path ?? []).map(({ key }) => String(key));
  const atKey = issue.path?.at(-1)?.origin === "key";
  if (issue.expected !== "never") return { path, atKey, what: `expected ${issue.message}` };
  return { path, atKey: true, what: "there is no such setting", known: keysAt(path.slice(0, -1)) };
}

/** The keys of the object at a path of the schema. */
function keysAt(path: readonly string[]): readonly string[] {
  let at: unknown = config;
  for (const key of path) at = unwrap((unwrap(at) as { entries?: Record<string, unknown> }).entries?.[key]);
  return Object.keys((at as { entries?: object }).entries ?? {});
}

function unwrap(schema: unknown): unknown {
  return (schema as { wrapped?: unknown } | undefined)?.wrapped ?? schema;
}
