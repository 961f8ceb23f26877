/** What `nightly.yaml` may hold. Messages complete "expected ...". */
import { z } from "zod";
import { checkAgainst, CONFIG_SHAPE } from "../runners/config/index.ts";
import type { Checked } from "../runners/config/index.ts";
import type { UserNightly } from "./config.ts";

const text = z.string("a text").regex(/./s, "a text that is not empty");
const whether = z.boolean("true or false");
const whole = (min: number, max: number): z.ZodType => {
  const what = `a whole number from ${min} to ${max.toLocaleString("en-US")}`;
  return z.int(what).min(min, what).max(max, what);
};
const between = (min: number, max: number, what: string): z.ZodType => z.number(what).min(min, what).max(max, what);

const SHARE = "an exact match from 0 to 1";
const share = between(0, 1, SHARE);
const MARGIN = "points from 0.01 to 100";
const variable = z
  .string("the name of an environment variable")
  .regex(/^[A-Za-z_]\w*$/, "the name of an environment variable");

/** Also the name of a folder. */
const NAME = "a name of letters, digits, dots, dashes and underscores, such as kimi-fp8";
const name = z.string(NAME).regex(/^\w[\w.-]{0,99}$/, NAME);

const settings = {
  ...CONFIG_SHAPE,
  task: text.exactOptional(),
  fused: whether.exactOptional(),
  limit: whole(1, 10_000_000).exactOptional(),
  num_fewshot: whole(0, 1000).exactOptional(),
  seed: whole(0, Number.MAX_SAFE_INTEGER).exactOptional(),
  data: text.exactOptional(),
  max_tokens: whole(1, 10_000_000).exactOptional(),
  temperature: between(0, 10, "a number from 0 to 10").exactOptional(),
  concurrency: whole(1, 1024).exactOptional(),
  parity_docs: whole(1, 10_000_000).exactOptional(),
  capture: text.exactOptional(),
  stream: whether.exactOptional(),
  ignore_eos: whether.exactOptional(),
  extra_body: z.record(text, z.unknown(), "fields of a request's body").exactOptional(),
  allow_differences: whether.exactOptional(),
  threshold: z.union([share, z.record(text, share, SHARE)], `${SHARE}, or one by filter`).exactOptional(),
  margin: between(0.01, 100, MARGIN).exactOptional(),
  rerun_inconclusive: z.strictObject({ times: whole(1, 10) }, "times").exactOptional(),
  facts: z.record(text, text, "names and texts").exactOptional(),
  facts_env: z.record(text, variable, "names, and the variables that hold them").exactOptional(),
};

const nightly = z.strictObject(
  {
    history: text.exactOptional(),
    output: text.exactOptional(),
    alarm: z
      .strictObject({ false_alarm_nights: whole(10, 10_000_000).exactOptional() }, "false_alarm_nights")
      .exactOptional(),
    defaults: z.strictObject(settings, "a row's settings").exactOptional(),
    rows: z
      .array(z.strictObject({ name, ...settings }, "a row: its name and settings"), "a list of rows")
      .min(1, "at least one row"),
  },
  "settings by name",
);

export function checkNightly(input: unknown): Checked<UserNightly> {
  return checkAgainst(nightly as unknown as z.ZodType<UserNightly>, input);
}
