/**
 * `gsm_synth`: generated grade-school problems in GSM8K's format. Problems are made by index, nothing is held; each
 * solution is checked by evaluating its own calculator marks, and a problem that fails a check is drawn again.
 */
import type { Doc } from "../doc.ts";
import { faultOf } from "./check.ts";
import { LEVELS, STEP_SHARES } from "./difficulty.ts";
import { Draws, Redraw, uniform, weighted } from "./draws.ts";
import { type Split, splitOf } from "./split.ts";
import { Story } from "./story.ts";
import { TEMPLATES } from "./templates/index.ts";

export { evaluateMarks } from "./marks.ts";
export { type Split, splitOf } from "./split.ts";
export { TEMPLATES } from "./templates/index.ts";

/** Grows whenever the same seed, split and index would give another problem. */
export const GSM_SYNTH_VERSION = 1;

/** What is known of a generated problem beyond its text. */
export interface SynthProblem extends Doc {
  /** Name in `TEMPLATES`. */
  readonly template: string;
  /** Calculator marks of the answer, 2 to 6. */
  readonly steps: number;
  /** Key of the difficulty table, 1 to 4. */
  readonly level: number;
  /** The answer as a number. */
  readonly result: number;
}

const TEMPLATE_NAMES = Object.keys(TEMPLATES);
const drawLevel = weighted(Object.fromEntries(Object.entries(LEVELS).map(([level, { share }]) => [level, share])));
const drawSteps = weighted(STEP_SHARES);

// Far above what any template needs (the mean is below 20): an endless loop would be the sign of a template that cannot succeed.
const MOST_ATTEMPTS = 20_000;

/**
 * The problem at `index` of a split: a pure function of its arguments, in constant time, for any index from 0.
 * @param options.seed another seed gives other problems of the same kind; default "0". Splits never share a problem,
 *   whatever the seeds.
 * @param options.level difficulty 1 to 4; by default drawn from the mixture of the difficulty table.
 * @param options.template a name in `TEMPLATES`; by default drawn.
 * @throws RangeError for an index that is no whole number from 0, an unknown level, template or split.
 */
export function synthProblem(
  split: Split,
  index: number,
  options: { seed?: string; level?: number; template?: string } = {},
): SynthProblem {
  const { seed = "0", template } = options;
  if (split !== "train" && split !== "test") throw new RangeError(`split must be train or test, not ${String(split)}`);
  if (!Number.isSafeInteger(index) || index < 0)
    throw new RangeError(`index must be a whole number from 0, not ${index}`);
  if (template !== undefined && !Object.hasOwn(TEMPLATES, template)) throw new RangeError(`no template ${template}`);
  if (options.level !== undefined && !Object.hasOwn(LEVELS, options.level)) {
    throw new RangeError(`level must be one of ${Object.keys(LEVELS).join(", ")}, not ${options.level}`);
  }
  // Level and length are drawn once, so that templates which need many attempts do not shift the mixture.
  const place = `${JSON.stringify(seed)}/${split}/${index}`;
  const plan = uniform(place);
  const level = options.level ?? drawLevel(plan);
  let steps = drawSteps(plan);
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const next = uniform(`${place}/${attempt}`);
    // A given template may not come in every length.
    if (template !== undefined) steps = drawSteps(next);
    const name = template ?? TEMPLATE_NAMES[Math.floor(next() * TEMPLATE_NAMES.length)] ?? "";
    const problem = attempted(name, split, steps, level, next);
    if (problem !== undefined) return problem;
  }
  throw new Error(`no problem found for ${place}, template ${template ?? "any"}, level ${level}`);
}

/** The problems of a split one after another from `from` (default 0), made as they are asked for; endless without `limit`. */
export function* synthProblems(
  split: Split,
  options: { seed?: string; from?: number; limit?: number } = {},
): Generator<SynthProblem> {
  const { from = 0, limit = Infinity } = options;
  const seed = options.seed === undefined ? {} : { seed: options.seed };
  for (let i = 0; i < limit; i++) yield synthProblem(split, from + i, seed);
}

/** One attempt at a problem; undefined when the draws do not fit the story or the outcome fails a check. */
function attempted(
  template: string,
  split: Split,
  steps: number,
  level: number,
  next: () => number,
): SynthProblem | undefined {
  const settings = LEVELS[level];
  const tell = TEMPLATES[template];
  if (settings === undefined || tell === undefined) throw new RangeError(`no level ${level} or template ${template}`);
  const draws = new Draws(next, settings);
  const story = new Story(draws, steps);
  try {
    tell(story, draws);
    if (story.left !== 0) return undefined;
    if (draws.chance(settings.distractor)) story.distract();
    const doc = story.finish();
    if (splitOf(doc.question) !== split || faultOf(doc, story.known) !== undefined) return undefined;
    return { ...doc, template, steps, level, result: story.result };
  } catch (error) {
    if (error instanceof Redraw) return undefined;
    throw error;
  }
}
