/**
 * `node --import tsx replay-server.ts [GSM8K_DIR]`: a server that answers at once, so that only its clients are measured: GSM8K's
 * questions with what a real model wrote, all others with a short made-up answer. Prints its base URL.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { json as readJson } from "node:stream/consumers";

const MODEL = "replay";
const OTHERWISE = answer(" Half of it is 48/2 = <<48/2=24>>24.\nTogether that is 48+24 = <<48+24=72>>72.\n#### 72");

/** Rows of GSM8K's test file, and of the solutions: one for each of them, in the same order. */
interface Question {
  readonly question: string;
}

interface Solution {
  readonly "6b_finetuning": { readonly solution: string };
}

const answers = new Map<string, string>();
const [folder] = process.argv.slice(2);
if (folder !== undefined) {
  const solutions = rows<Solution>(join(folder, "model_solutions_6b.jsonl"));
  for (const [index, { question }] of rows<Question>(join(folder, "test.jsonl")).entries()) {
    const text = solutions[index]?.["6b_finetuning"].solution ?? "";
    // The model's own last line is "A: 24"; the task's is "#### 24".
    answers.set(question, answer(` ${text.replace(/A: (.*)$/, "#### $1")}`));
  }
}

function rows<T>(path: string): T[] {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as T);
}

function answer(text: string): string {
  return JSON.stringify({
    id: "cmpl-0",
    object: "text_completion",
    created: 0,
    model: MODEL,
    choices: [{ index: 0, text, logprobs: null, finish_reason: "stop" }],
    usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 },
  });
}

const server = createServer((request, response) => {
  response.setHeader("content-type", "application/json");
  if (request.method === "GET") {
    response.end(JSON.stringify({ object: "list", data: [{ id: MODEL, object: "model" }] }));
    return;
  }
  void readJson(request).then((body) => {
    const { prompt } = body as { readonly prompt: string | readonly string[] };
    const text = typeof prompt === "string" ? prompt : (prompt[0] ?? "");
    const question = text.slice(text.lastIndexOf("Question: ") + "Question: ".length, -"\nAnswer:".length);
    response.end(answers.get(question) ?? OTHERWISE);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1\n`);
});
