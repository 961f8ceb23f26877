import type { Doc } from "../doc.ts";
import { LARGEST_RESULT } from "./difficulty.ts";
import { evaluateMarks } from "./marks.ts";
import { statedNumbers } from "./phrases.ts";

// One sentence per line, each with one mark whose value is repeated after it.
const STEP_LINE = /^[A-Z][^<>]*<<[-+*/()\d]+=(\d+)>>\1(?![\d.]\d)[^<>]*\.$/;
const FORBIDDEN_CHARACTER = /[^\n\x20-\x7e]|[{}]/;
const FORBIDDEN_WORDS = ["Question:", "Answer:", "Q:", "A:", "\n\n", "  ", "undefined", "NaN"];

/** What a solution may use beyond the question: 100 with a percentage, and what everyone knows (days in a week). */
export type Known = ReadonlySet<number>;

/** What is wrong with a generated problem, or undefined when nothing is. */
export function faultOf(doc: Doc, known: Known): string | undefined {
  const { question, answer } = doc;
  const text = `${question} ${answer}`;
  if (FORBIDDEN_CHARACTER.test(text) || FORBIDDEN_WORDS.some((word) => text.includes(word))) return "forbidden text";
  if (!/^[A-Z][^\n#<>]*\?$/.test(question)) return "the question is no question";
  const lines = answer.split("\n");
  const result = /^#### (\d+)$/.exec(lines.pop() ?? "")?.[1];
  if (result === undefined) return "no last line `#### n`";
  const bad = lines.find((line) => !STEP_LINE.test(line));
  if (bad !== undefined) return `malformed line: ${bad}`;
  const { marks } = evaluateMarks(answer);
  if (marks.length !== lines.length) return "not one mark on each line";
  const at = new Set([...statedNumbers(question), ...known]);
  if (question.includes("%")) at.add(100);
  for (const { expression, value } of marks) {
    if (!Number.isInteger(value) || value < 1 || value > LARGEST_RESULT) return `absurd value: ${value}`;
    for (const operand of expression.match(/\d+/g) ?? []) {
      if (!at.has(Number(operand))) return `${operand} in ${expression} comes from nowhere`;
    }
    at.add(value);
  }
  return marks.at(-1)?.value === Number(result) ? undefined : "the last value is not the answer";
}
