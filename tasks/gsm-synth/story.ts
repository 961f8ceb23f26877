import type { Doc } from "../doc.ts";
import { LARGEST_RESULT, SHUFFLED_FACTS } from "./difficulty.ts";
import { type Draws, redraw } from "./draws.ts";
import { evaluateExpression } from "./marks.ts";
import { a, capital, inWords, partName } from "./phrases.ts";
import { FEMALE_NAMES, MALE_NAMES } from "./vocabulary.ts";

/** Who a story is about, or a shop or team spoken of as "it". */
export interface Person {
  readonly name: string;
  readonly he: string;
  readonly him: string;
  readonly his: string;
}

interface Fact {
  readonly text: string;
  readonly movable: boolean;
}

/** A problem in the making: facts and a question on one side, calculated steps on the other. */
export class Story {
  readonly draws: Draws;
  /** How many steps the solution shall have. */
  readonly target: number;
  readonly known: Set<number> = new Set();
  readonly #facts: Fact[] = [];
  readonly #extras: string[] = [];
  readonly #lines: string[] = [];
  readonly #names = new Set<string>();
  readonly #spaced: boolean;
  readonly #cross: boolean;
  #question = "";
  #last = 0;

  constructor(draws: Draws, target: number) {
    this.draws = draws;
    this.target = target;
    this.#spaced = draws.chance(0.5);
    this.#cross = this.#spaced && draws.chance(0.3);
  }

  /** Steps still to come. */
  get left(): number {
    return this.target - this.#lines.length;
  }

  get result(): number {
    return this.#last;
  }

  /** A person not met in this story yet. */
  person(): Person {
    const female = this.draws.chance(0.5);
    const name = this.draws.pick(female ? FEMALE_NAMES : MALE_NAMES);
    if (this.#names.has(name)) return this.person();
    this.#names.add(name);
    return female ? { name, he: "she", him: "her", his: "her" } : { name, he: "he", him: "him", his: "his" };
  }

  /** A small count, sometimes as a word. */
  count(n: number): string {
    return n <= 12 && this.draws.chance(0.35) ? inWords(n) : String(n);
  }

  /** "half", "a third", "one third", "1/3". */
  part(n: number): string {
    const name = partName(n);
    if (name === undefined) return `1/${n}`;
    if (n === 2) return "half";
    return this.draws.pick([a(name), `one ${name}`, `1/${n}`]);
  }

  /** A fact of the question, in its place. */
  say(sentence: string): void {
    this.#facts.push({ text: sentence, movable: false });
  }

  /** A fact that makes sense anywhere after the first sentence: no pronouns for people, no "then". */
  note(sentence: string): void {
    this.#facts.push({ text: sentence, movable: true });
  }

  /** A true but needless fact that `distract` may add. */
  extra(...sentences: readonly string[]): void {
    this.#extras.push(...sentences);
  }

  /** The question. A later one replaces an earlier one, so that every stage of a story can ask for its own result. */
  ask(question: string): void {
    this.#question = question;
  }

  /** Numbers that the solution uses without being told (7 days in a week). */
  know(...numbers: readonly number[]): void {
    for (const n of numbers) this.known.add(n);
  }

  /** A line of the solution; `{}` or `{$}` in the sentence is where the calculation goes. Returns its value. */
  step(sentence: string, expression: string): number {
    const value = evaluateExpression(expression);
    if (!Number.isInteger(value) || value < 1 || value > LARGEST_RESULT) redraw();
    if (this.left <= 0) redraw();
    let shown = this.#spaced ? expression.replace(/[-+*/]/g, " $& ") : expression;
    if (this.#cross) shown = shown.replaceAll("*", "x");
    const mark = (dollar: string): string => `${shown} = ${dollar}<<${expression}=${value}>>${value}`;
    this.#lines.push(capital(sentence.replace("{$}", () => mark("$")).replace("{}", () => mark(""))));
    this.#last = value;
    return value;
  }

  /** Adds one of the extras. */
  distract(): void {
    if (this.#extras.length > 0) this.note(this.draws.pick(this.#extras));
  }

  finish(): Doc {
    let facts = this.#facts;
    if (this.draws.chance(SHUFFLED_FACTS)) {
      facts = facts.filter((fact, i) => i === 0 || !fact.movable);
      for (const fact of this.#facts.filter((each, i) => i > 0 && each.movable)) {
        facts.splice(this.draws.int(1, facts.length), 0, fact);
      }
    }
    const question = [...facts.map((fact) => fact.text), this.#question].map(capital).join(" ");
    return { question, answer: `${this.#lines.join("\n")}\n#### ${this.#last}` };
  }
}

/** A story told: facts, question and all steps, from the draws of the story. */
export type Template = (story: Story, draws: Draws) => void;
