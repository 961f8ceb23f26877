import { loadPlatinum } from "./data/platinum-file.ts";
import { GSM8K_FORM } from "./task.ts";
import type { Task } from "./task.ts";

/** GSM8K's test split with its wrong and ambiguous problems removed; examples come from the same split. */
export const gsm8kPlatinum: Task = {
  ...GSM8K_FORM,
  name: "gsm8k_platinum",
  version: 3,
  fewshotFromEvaluated: true,
  load: loadPlatinum,
};
