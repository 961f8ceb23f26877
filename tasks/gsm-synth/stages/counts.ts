import { times } from "../phrases.ts";
import type { Person, Story } from "../story.ts";
import { BOXES, GROUPS, RELATIVES } from "../vocabulary.ts";
import { type Stage, carryOn } from "./carry-on.ts";
import { withMoney } from "./money.ts";

/** Somebody has `n` things of one kind. */
export interface Stock {
  readonly who: Person;
  readonly thing: { readonly one: string; readonly many: string; readonly price: readonly [number, number] };
  readonly n: number;
}

/** Continues a story about things that somebody has, in the past tense, and asks about what comes out. */
export function withThings(story: Story, stock: Stock): void {
  carryOn(story, stock, STAGES);
}

function askNow(story: Story, { who, thing }: Stock): void {
  story.ask(
    story.draws.pick([
      `How many ${thing.many} did ${who.name} have in the end?`,
      `How many ${thing.many} did ${who.he} have then?`,
    ]),
  );
}

function askLeft(story: Story, { who, thing }: Stock): void {
  story.ask(
    story.draws.pick([
      `How many ${thing.many} did ${who.name} have left?`,
      `How many ${thing.many} did ${who.name} have in the end?`,
      `How many ${thing.many} did ${who.he} have then?`,
    ]),
  );
}

const give: Stage<Stock> = {
  steps: 1,
  run(story, { who, thing, n }) {
    const d = story.draws;
    const given = d.upTo(n - 1, 3, 60);
    story.say(
      d.pick([
        `${who.he} gave ${given} ${given === 1 ? thing.one : thing.many} to ${who.his} ${d.pick(RELATIVES)}.`,
        `Then ${given} of the ${thing.many} were given to a school.`,
        `After that, ${who.name} gave away ${given} of ${who.his} ${thing.many}.`,
      ]),
    );
    const after = { who, thing, n: story.step(`That left {} ${thing.many}.`, `${n}-${given}`) };
    askLeft(story, after);
    return after;
  },
};

const givePart: Stage<Stock> = {
  steps: 2,
  run(story, { who, thing, n }) {
    const d = story.draws;
    const part = d.divisor(n, 2, 6);
    const to = d.pick(["a school fair", `${who.his} ${d.pick(RELATIVES)}`, "a retirement home", "the new neighbors"]);
    story.say(
      d.pick([
        `${who.he} gave ${story.part(part)} of the ${thing.many} to ${to}.`,
        `Then ${who.name} took ${story.part(part)} of the ${thing.many} to ${to}.`,
      ]),
    );
    const given = story.step(`${who.he} gave away {} ${thing.many}.`, `${n}/${part}`);
    const after = { who, thing, n: story.step(`${who.he} still had {} ${thing.many}.`, `${n}-${given}`) };
    askLeft(story, after);
    return after;
  },
};

const percentBad: Stage<Stock> = {
  steps: 2,
  run(story, { who, thing, n }) {
    const d = story.draws;
    const rate = d.pick([5, 10, 15, 20, 25, 30, 35, 40].filter((each) => (n * each) % 100 === 0));
    story.say(
      `${d.pick([`Later, ${who.he}`, who.name])} found that ${rate}% of the ${thing.many} were damaged and threw them away.`,
    );
    const bad = story.step(`${who.he} found that {} ${thing.many} were damaged.`, `${n}*${rate}/100`);
    const after = { who, thing, n: story.step(`That left {} good ${thing.many}.`, `${n}-${bad}`) };
    askLeft(story, after);
    return after;
  },
};

const moreBoxes: Stage<Stock> = {
  steps: 2,
  run(story, { who, thing, n }) {
    const d = story.draws;
    const box = d.pick(BOXES);
    const boxes = d.int(2, 12);
    const each = d.rate(4, 25);
    story.say(
      `${d.pick(["Then", "Later,", "The next day,"])} ${who.he} got ${story.count(boxes)} ${box.many} with ${each} ${thing.many} in each.`,
    );
    const more = story.step(`The ${box.many} held {} ${thing.many}.`, `${boxes}*${each}`);
    const after = { who, thing, n: story.step(`Then ${who.he} had {} ${thing.many}.`, `${n}+${more}`) };
    askNow(story, after);
    return after;
  },
};

const giveEach: Stage<Stock> = {
  steps: 1,
  run(story, { who, thing, n }) {
    const d = story.draws;
    const people = d.int(2, 12);
    const each = d.int(2, Math.min(15, Math.floor((n - 1) / people)));
    story.say(`${who.he} gave ${each} ${thing.many} to each of ${who.his} ${story.count(people)} ${d.pick(GROUPS)}.`);
    const after = {
      who,
      thing,
      n: story.step(`After that, ${who.he} had {} ${thing.many}.`, `${n}-${people}*${each}`),
    };
    askLeft(story, after);
    return after;
  },
};

const receive: Stage<Stock> = {
  steps: 1,
  run(story, { who, thing, n }) {
    const d = story.draws;
    const more = d.amount(5, 80);
    story.say(
      d.pick([
        `${who.his} ${d.pick(RELATIVES)} brought ${who.him} ${more} more ${thing.many}.`,
        `Later, ${who.he} came across ${more} more ${thing.many}.`,
        `The next day, ${who.he} got another ${more} ${thing.many}.`,
      ]),
    );
    const after = { who, thing, n: story.step(`Now ${who.he} had {} ${thing.many}.`, `${n}+${more}`) };
    askNow(story, after);
    return after;
  },
};

const share: Stage<Stock> = {
  steps: 1,
  last: true,
  run(story, { who, thing, n }) {
    const d = story.draws;
    const people = d.divisor(n, 3, 25);
    story.say(
      `${d.pick(["Finally, ", "In the end, "])}${who.he} shared the ${thing.many} equally among ${story.count(people)} ${d.pick(GROUPS)}.`,
    );
    story.ask(`How many ${thing.many} did each of them get?`);
    return { who, thing, n: story.step(`Each of them got {} ${thing.many}.`, `${n}/${people}`) };
  },
};

const pack: Stage<Stock> = {
  steps: 1,
  last: true,
  run(story, { who, thing, n }) {
    const box = story.draws.pick(["gift box", "party bag", "display case", "parcel"]);
    const each = story.draws.divisor(n, 3, 60);
    story.say(`${who.he} packed the ${thing.many} into ${box.replace(/x$/, "xe")}s of ${story.count(each)}.`);
    story.ask(`How many ${box.replace(/x$/, "xe")}s did ${who.name} fill?`);
    return { who, thing, n: story.step(`${who.he} filled {} ${box.replace(/x$/, "xe")}s.`, `${n}/${each}`) };
  },
};

const sell: Stage<Stock> = {
  steps: 1,
  run(story, { who, thing, n }) {
    const price = story.draws.int(Math.max(2, thing.price[0]), thing.price[1]);
    const money = `In the end, ${who.he} sold the ${thing.many} for $${price} each.`;
    story.say(money);
    story.ask(`How much money did ${who.name} get for the ${thing.many}?`);
    const amount = story.step(`${who.he} got {$} for the ${thing.many}.`, `${n}*${price}`);
    if (story.left > 0) withMoney(story, who, amount);
    return { who, thing, n: amount };
  },
};

const together: Stage<Stock> = {
  steps: 2,
  last: true,
  run(story, { who, thing, n }) {
    const other = story.person();
    const factor = story.draws.int(2, 5);
    story.say(`In the end, ${other.name} had ${times(factor)} as many ${thing.many} as ${who.name}.`);
    story.ask(`How many ${thing.many} did they have altogether?`);
    const theirs = story.step(`${other.name} had {} ${thing.many}.`, `${n}*${factor}`);
    return { who, thing, n: story.step(`Altogether they had {} ${thing.many}.`, `${n}+${theirs}`) };
  },
};

const STAGES: readonly Stage<Stock>[] = [
  give,
  givePart,
  percentBad,
  moreBoxes,
  giveEach,
  receive,
  share,
  pack,
  sell,
  together,
];
