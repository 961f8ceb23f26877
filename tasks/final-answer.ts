import type { Doc } from "./doc.ts";
import { strip } from "./python-text.ts";

/** What stands behind the last `####` of a worked solution: the number alone. All of it, where there is no mark. */
export function finalAnswer(doc: Doc): string {
  return strip(doc.answer.split("####").at(-1)!);
}
