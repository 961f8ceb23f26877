/**
 * What the MoE layers give out, and the whole distribution of what is said next, on the same tokens of a few docs. These are
 * megabytes for each doc, so the first variant's are kept in memory until the second's have come, and only how far they lie
 * apart is written down.
 */
import { readFileSync } from "node:fs";
import { klDivergence } from "../metrics/kl-divergence.ts";
import { compareOutputs, mergeOutputs } from "../metrics/output-difference.ts";
import type { OutputDifference } from "../metrics/output-difference.ts";
import { swappedIds } from "../metrics/expert-sets.ts";
import type { JudgedOutputs, NotJudged } from "../reports/comparison.ts";
import { writeFileAtomic } from "../reports/files.ts";
import { jsonFileText } from "../reports/json.ts";
import type { RunFolder } from "../reports/run-folder.ts";
import type { Runner, SequenceOutputs } from "../runners/runner.ts";
import type { Sequence } from "./score-sequence.ts";

/** Some thousands of tokens: a fault in a kernel shows on any of them. */
const DOCS_COMPARED = 4;

const OUTPUTS_FILE = "outputs.json";

export class OutputComparison {
  readonly #path: string;
  readonly #sequences: readonly Required<Pick<Sequence, "doc" | "completion">>[];
  readonly #first = new Map<number, SequenceOutputs>();
  #result: JudgedOutputs | undefined;

  constructor(folder: RunFolder, sequences: readonly Sequence[]) {
    this.#path = folder.file(OUTPUTS_FILE);
    const known = sequences.flatMap(({ doc, completion }) => (completion === undefined ? [] : [{ doc, completion }]));
    this.#sequences = known.slice(0, DOCS_COMPARED);
    this.#result = readResult(this.#path, this.#docs);
  }

  get #docs(): readonly number[] {
    return this.#sequences.map(({ doc }) => doc.docId);
  }

  /** Nothing is left to do. */
  get isFinished(): boolean {
    return this.#result !== undefined || this.#sequences.length === 0;
  }

  /** Takes the first variant's, or compares the second's with them. */
  async take(runner: Runner, signal: AbortSignal): Promise<void> {
    if (this.isFinished || runner.outputs === undefined) return;
    const isFirst = this.#first.size === 0;
    let total: JudgedOutputs | undefined;
    for (const { doc, completion } of this.#sequences) {
      const outputs = await runner.outputs(doc.prompt, completion, signal);
      if (isFirst) {
        this.#first.set(doc.docId, outputs);
        continue;
      }
      const compared = compareDoc(doc.docId, this.#first.get(doc.docId) as SequenceOutputs, outputs);
      this.#first.delete(doc.docId);
      total = total === undefined ? compared : merge(total, compared);
    }
    if (total === undefined) return;
    this.#result = total;
    await writeFileAtomic(this.#path, jsonFileText(total));
  }

  result(): JudgedOutputs | NotJudged {
    return this.#result ?? { kind: "not judged", reason: "the engine does not show what its layers give out" };
  }
}

/** What an earlier session found of the same docs. */
function readResult(path: string, docs: readonly number[]): JudgedOutputs | undefined {
  try {
    const found = JSON.parse(readFileSync(path, "utf8")) as Partial<JudgedOutputs> | null;
    return found?.kind === "judged" && String(found.docs) === String(docs) ? (found as JudgedOutputs) : undefined;
  } catch {
    // It is made again.
    return undefined;
  }
}

/** @throws RangeError where the two are not of one model and one sequence */
export function compareDoc(docId: number, baseline: SequenceOutputs, fused: SequenceOutputs): JudgedOutputs {
  const { layers, hiddenSize, vocabSize, promptTokens } = baseline;
  const tokens = (baseline.values[0]?.length ?? 0) / hiddenSize;
  // From there on what differs is what other experts make of it.
  const judged = firstDiverging(baseline, fused, tokens);
  const kl = { count: 0, sum: 0, max: 0, notFinite: 0 };
  for (let at = 0; at < baseline.logits.length / vocabSize && promptTokens - 1 + at < judged; at++) {
    const row = ({ logits }: SequenceOutputs): Float32Array => logits.subarray(at * vocabSize, (at + 1) * vocabSize);
    const divergence = klDivergence(row(baseline), row(fused));
    if (Number.isFinite(divergence)) {
      kl.count++;
      kl.sum += divergence;
      kl.max = Math.max(kl.max, divergence);
    } else kl.notFinite++;
  }
  return {
    kind: "judged",
    docs: [docId],
    tokens,
    tokensNotJudged: tokens - judged,
    layers: layers.map((layer, index) =>
      compareOutputs(layer, baseline.values[index]!, fused.values[index]!, { tokens: judged, hiddenSize }),
    ),
    kl,
  };
}

function firstDiverging(a: SequenceOutputs, b: SequenceOutputs, tokens: number): number {
  const { layers, nExpertsAct: k } = a;
  for (let token = 0; token < tokens; token++) {
    for (let index = 0; index < layers.length; index++) {
      if (swappedIds(a.topkIds, b.topkIds, (index * tokens + token) * k, k) > 0) return token;
    }
  }
  return tokens;
}

function merge(a: JudgedOutputs, b: JudgedOutputs): JudgedOutputs {
  return {
    kind: "judged",
    docs: [...a.docs, ...b.docs],
    tokens: a.tokens + b.tokens,
    tokensNotJudged: a.tokensNotJudged + b.tokensNotJudged,
    layers: a.layers.map((layer, index): OutputDifference => mergeOutputs(layer, b.layers[index]!)),
    kl: {
      count: a.kl.count + b.kl.count,
      sum: a.kl.sum + b.kl.sum,
      max: Math.max(a.kl.max, b.kl.max),
      notFinite: a.kl.notFinite + b.kl.notFinite,
    },
  };
}
