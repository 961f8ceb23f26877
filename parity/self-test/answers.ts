/** What the answers alone say of a fault: the embedded engine asked with it and without it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../errors.ts";
import { openCheckpoint } from "../../engine/checkpoint.ts";
import { defaultModelDir } from "../../engine/default-model-dir.ts";
import { Lane } from "../../engine/lane.ts";
import { Model } from "../../engine/model.ts";
import type {
  RoutingData,
  RoutingImplementation,
  RoutingInput,
  WeightArray,
} from "../../engine/routing/routing-data.ts";
import { tokenBytes } from "../../engine/token-bytes.ts";
import { loadTokenizer } from "../../engine/tokenizer.ts";
import { type PairedDifference, pairedDifference } from "../../metrics/paired.ts";
import { buildPrompts, getTask, mark, promptText } from "../../tasks/index.ts";
import type { RoutingFault } from "./fault.ts";
import { ROUTING_FAULTS } from "./routing-faults.ts";
import { spoiled } from "./spoil.ts";

export interface AnswersUnderFault {
  readonly name: string;
  /** Undefined where the engine could not go on with such routing data. */
  readonly difference?: PairedDifference;
  readonly failure?: string;
}

/** Docs at a time: as many as the embedded engine runs by default. */
const MAX_SEQUENCES = 32;

/**
 * Asks `docs` problems of gsm_synth (3-shot, greedy, strict match), first with sound routing, then with each fault, doc by
 * doc paired. Some 20 seconds per fault and 100 docs on one processor.
 */
export async function* answersUnderFaults(
  faults: readonly RoutingFault[],
  docs: number,
): AsyncGenerator<AnswersUnderFault, void, undefined> {
  const sound = await rightAnswers(asImplementation({ name: "none", route: () => spoiled(() => undefined) }), docs);
  for (const fault of faults) {
    try {
      const right = await rightAnswers(asImplementation(fault), docs);
      yield { name: fault.name, difference: pairedDifference(sound, right) };
    } catch (error) {
      yield { name: fault.name, failure: error instanceof Error ? error.message : String(error) };
    }
  }
}

function asImplementation(fault: RoutingFault): RoutingImplementation {
  const route = fault.route();
  // A fault keeps the weights' type, or the engine refuses its data.
  return <W extends WeightArray>(input: RoutingInput<W>) => route(input).data as RoutingData<W>;
}

async function rightAnswers(routing: RoutingImplementation, docs: number): Promise<(0 | 1)[]> {
  const dir = defaultModelDir();
  const checkpoint = openCheckpoint(dir);
  const model = await Model.load(checkpoint, routing);
  checkpoint.close();
  try {
    const path = join(dir, "tokenizer.json");
    const lane = new Lane(model, tokenBytes(readFileSync(path, "utf8"), path), {
      maxSequences: MAX_SEQUENCES,
      flatIndex: "slot",
    });
    const tokenizer = loadTokenizer(dir);
    const task = getTask("gsm_synth");
    const prompts = [...buildPrompts(task, await task.load({}), { limit: docs })];
    const settings = { maxTokens: 256, stop: task.generation.until, temperature: 0, seed: "", logprobs: false };
    return await Promise.all(
      prompts.map(async ({ docId, prompt, target }) => {
        const { text } = await lane.complete(docId, { prompt: tokenizer.encode(promptText(prompt)), ...settings });
        return mark(task, text, target).get("strict-match")?.exactMatch ?? 0;
      }),
    );
  } finally {
    await model.close();
  }
}

/** @throws UserError where no fault's name begins so */
export function faultsNamed(beginnings: readonly string[] | undefined): readonly RoutingFault[] {
  if (beginnings === undefined) return ROUTING_FAULTS;
  for (const beginning of beginnings) {
    if (ROUTING_FAULTS.some(({ name }) => name.startsWith(beginning))) continue;
    const names = ROUTING_FAULTS.map(({ name }) => `"${name}"`);
    throw new UserError(`no routing-data fault is named "${beginning}..."; there are: ${names.join(", ")}`);
  }
  return ROUTING_FAULTS.filter(({ name }) => beginnings.some((beginning) => name.startsWith(beginning)));
}

/** One line per fault, as it comes: both accuracies, the paired difference, and whether it would have been noticed. */
export async function* answersText(found: AsyncIterable<AnswersUnderFault>): AsyncGenerator<string, void, undefined> {
  for await (const each of found) yield lineOf(each);
}

function lineOf({ name, difference: paired, failure }: AnswersUnderFault): string {
  if (paired === undefined) return `${name}: the engine failed: ${failure ?? "unknown"}`;
  const { n, bothRight, onlyBaseline, onlyFused, difference } = paired;
  const accuracies = `${((bothRight + onlyBaseline) / n).toFixed(3)} -> ${((bothRight + onlyFused) / n).toFixed(3)}`;
  const flipped = `${onlyBaseline} of ${n} docs only right without it, ${onlyFused} only with it`;
  const noticed = difference.kind === "estimated" ? (difference.high < 0 ? "noticed" : "not noticed") : difference.kind;
  return `${name}: ${accuracies}; ${flipped}; ${noticed}`;
}
