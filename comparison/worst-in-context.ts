/** Names the worst tokens of a run, from its captures, prompts and answers. */
import type { Comparison } from "../reports/comparison.ts";
import type { Journal } from "../reports/journal.ts";
import type { RunFolder } from "../reports/run-folder.ts";
import { openSafetensorsCapture } from "../runners/captures/safetensors-capture.ts";
import type { VariantEngines } from "../runners/variant-engines.ts";
import { promptText } from "../tasks/index.ts";
import type { PromptedDoc } from "../tasks/index.ts";
import { CAPTURE_FILE } from "./score-variant.ts";
import { tokensInContext } from "./tokens-in-context.ts";
import type { DocText } from "./tokens-in-context.ts";

export interface WorstContext {
  readonly folder: RunFolder;
  readonly prompts: Iterable<PromptedDoc>;
  readonly baseline: Journal | undefined;
}

/** @throws UserError where the baseline's capture or the tokenizer cannot be read */
export async function worstInContext(
  parity: Comparison["parity"],
  engines: Pick<VariantEngines, "tokenDecoder">,
  { folder, prompts, baseline }: WorstContext,
): Promise<Comparison["parity"]> {
  if (parity.kind === "not judged" || parity.picture === undefined) return parity;
  const { picture } = parity;
  // Nothing is read or loaded for a run in which nothing differs.
  if (picture.worst.length === 0) return parity;
  const docs = await docTexts(new Set(picture.worst.map(({ doc_id: id }) => id)), prompts, baseline);
  const source = openSafetensorsCapture(folder.file(CAPTURE_FILE, "baseline"));
  try {
    const worst = tokensInContext(picture.worst, source, { docs, decoder: engines.tokenDecoder?.() });
    return { ...parity, picture: { ...picture, worst } };
  } finally {
    source.close();
  }
}

async function docTexts(
  wanted: ReadonlySet<number>,
  prompts: Iterable<PromptedDoc>,
  baseline: Journal | undefined,
): Promise<ReadonlyMap<number, DocText>> {
  const texts = new Map<number, DocText>();
  for (const { docId, prompt } of prompts) {
    if (texts.size === wanted.size) break;
    const outcome = wanted.has(docId) ? (await baseline?.read(docId))?.outcome : undefined;
    if (outcome?.kind !== "completed") continue;
    const { text: answer, prompt_tokens: promptTokens, completion_tokens: answerTokens } = outcome;
    texts.set(docId, { prompt: promptText(prompt), answer, promptTokens, answerTokens });
  }
  return texts;
}
