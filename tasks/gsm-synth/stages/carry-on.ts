import { redraw } from "../draws.ts";
import type { Story } from "../story.ts";

/** One more event of a story: takes the state before it and gives the state after it. */
export interface Stage<State> {
  /** Steps it adds to the solution. */
  readonly steps: number;
  /** True when nothing can follow (the quantity is no longer somebody's). */
  readonly last?: boolean;
  readonly run: (story: Story, state: State) => State;
}

/** Adds drawn stages, none twice, until the story has as many steps as it shall have. */
export function carryOn<State>(story: Story, state: State, stages: readonly Stage<State>[]): void {
  let rest = stages;
  let now = state;
  while (story.left > 0) {
    const { left } = story;
    const stage = story.draws.pick(rest.filter(({ steps, last }) => (last === true ? steps === left : steps <= left)));
    rest = rest.filter((each) => each !== stage);
    now = stage.run(story, now);
  }
  if (story.left < 0) redraw();
}
