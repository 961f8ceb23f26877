import { redraw } from "../draws.ts";
import { times } from "../phrases.ts";
import type { Story } from "../story.ts";

/** How one quantity compares with another of size `n`: "12 more shells than", "half as many shells as". */
function relation(story: Story, n: number, noun: string): { phrase: string; expression: string } {
  const d = story.draws;
  const kind = d.pick(["more", "fewer", "times", "part"] as const);
  if (kind === "more") {
    const k = d.amount(3, 60);
    return { phrase: `${k} more ${noun} than`, expression: `${n}+${k}` };
  }
  if (kind === "fewer") {
    const k = d.upTo(n - 1, 2, 50);
    return {
      phrase: `${k} fewer ${noun} than`.replace(/^1 fewer (\w+)s than/, "1 fewer $1 than"),
      expression: `${n}-${k}`,
    };
  }
  if (kind === "times") {
    const k = d.int(2, 5);
    return { phrase: `${times(k)} as many ${noun} as`, expression: `${n}*${k}` };
  }
  const k = d.divisor(n, 2, 5);
  return { phrase: `${story.part(k)} as many ${noun} as`, expression: `${n}/${k}` };
}

/**
 * A chain of quantities, each compared with the one before: `tell` makes the fact and `solve` the step line (with its
 * `{}`) of quantity i, from 1. Returns all values, the first included.
 */
export function compared(
  story: Story,
  chain: {
    readonly first: number;
    readonly count: number;
    readonly noun: string;
    readonly tell: (i: number, phrase: string) => string;
    readonly solve: (i: number) => string;
  },
): number[] {
  const values = [chain.first];
  for (let i = 1; i < chain.count; i++) {
    const { phrase, expression } = relation(story, values.at(-1) ?? redraw(), chain.noun);
    story.note(chain.tell(i, phrase));
    values.push(story.step(chain.solve(i), expression));
  }
  return values;
}

/** "A, B and C". */
export function listed(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}
