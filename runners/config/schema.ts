/** What `fusecheck.yaml` may hold. Messages complete "expected ...". */
import { z } from "zod";
import { durationMs } from "./duration.ts";
import { checkAgainst } from "./problem.ts";
import type { Checked } from "./problem.ts";
import type { UserConfig } from "./user-config.ts";

/** Not `min(1)`: that also complains of a list that is empty. */
const text = z.string("a text").regex(/./s, "a text that is not empty");
const whether = z.boolean("true or false");
const variable = z
  .string("the name of an environment variable")
  .regex(/^[A-Za-z_]\w*$/, "the name of an environment variable");

/** Only whole numbers: of 1.10 nothing but 1.1 would be left. */
const word = z.union([z.string(), z.int()], "a text or a whole number (write others, and true and false, in quotes)");
const words = z.union([text, z.array(word)], "a line, or a list of texts and whole numbers (write others in quotes)");
const environment = z.record(variable, word.nullable(), "names and values of environment variables");

const PORT = "a port from 1 to 65535";
const port = z.int(PORT).min(1, PORT).max(65_535, PORT);
const DEVICES = 'numbers of GPUs, such as "0,1"';
const devices = z
  .union([z.string(), z.number()], DEVICES)
  .refine((given) => /^\d+(,\d+)*$/.test(String(given)), DEVICES);
const duration = z
  .union([z.string(), z.number()], "a duration, such as 90s or 30m")
  .refine((given) => durationMs(given) !== undefined, "a duration above 0 and below 24 days, such as 90s or 30m");

const launch = {
  command: words.exactOptional(),
  shell: whether.exactOptional(),
  args: words.exactOptional(),
  env: environment.exactOptional(),
  cwd: text.exactOptional(),
  host: text.exactOptional(),
  port: port.exactOptional(),
  devices: devices.exactOptional(),
  health: z.string("a path, such as /health").startsWith("/", "a path, such as /health").exactOptional(),
};

const URLS = "a base URL, or a list of them";

const variant = z
  .strictObject(
    { ...launch, base_url: z.union([text, z.array(text).min(1, URLS)], URLS).exactOptional() },
    "a variant's settings",
  )
  .exactOptional();

/** Names of engines and their switches are looked up afterwards. */
const config = z.strictObject(
  {
    engine: text.exactOptional(),
    switch: text.exactOptional(),
    model: text.exactOptional(),
    api: z.enum(["completions", "chat"], "completions or chat").exactOptional(),
    launch: z.strictObject(launch, "how to start the server").exactOptional(),
    variants: z.strictObject({ baseline: variant, fused: variant }, "baseline and fused").exactOptional(),
    parallel: whether.exactOptional(),
    prefix_caching: z.literal(false, "false, or nothing: fusecheck only turns it off").exactOptional(),
    deterministic: whether.exactOptional(),
    clear_cache: whether.exactOptional(),
    timeouts: z
      .strictObject(
        { startup: duration.exactOptional(), stop: duration.exactOptional(), hang: duration.exactOptional() },
        "startup, stop and hang",
      )
      .exactOptional(),
    api_key_env: variable.exactOptional(),
    header_env: z.record(text, variable, "names of headers and of variables").exactOptional(),
  },
  "settings by name",
);

/** The settings one by one, for files that hold them among others. */
export const CONFIG_SHAPE: Readonly<Record<string, z.ZodType>> = config.shape;

export function checkConfig(input: unknown): Checked<UserConfig> {
  return checkAgainst(config, input);
}
