import { loadGsm8k } from "./data/gsm8k-files.ts";
import { GSM8K_FORM } from "./task.ts";
import type { Task } from "./task.ts";

/** Grade-school maths, asked as `Question: … Answer:` after five worked problems of the train split. */
export const gsm8k: Task = {
  ...GSM8K_FORM,
  name: "gsm8k",
  version: 3,
  load: (source) => loadGsm8k(source, "drawn from train"),
};
