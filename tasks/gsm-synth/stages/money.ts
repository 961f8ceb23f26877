import { a, times } from "../phrases.ts";
import type { Person, Story } from "../story.ts";
import { BIG_THINGS, EXPENSES, GOODS, RELATIVES } from "../vocabulary.ts";
import { type Stage, carryOn } from "./carry-on.ts";

/** Somebody holds `amount` dollars. */
export interface Purse {
  readonly who: Person;
  readonly amount: number;
}

/** Continues a story about money in somebody's hands, in the past tense, and asks about what comes out. */
export function withMoney(story: Story, who: Person, amount: number): void {
  carryOn(story, { who, amount }, STAGES);
}

function askNow(story: Story, { who }: Purse): void {
  story.ask(
    story.draws.pick([
      `How much money did ${who.name} have then?`,
      `How many dollars did ${who.name} have in the end?`,
    ]),
  );
}

function askLeft(story: Story, { who }: Purse): void {
  story.ask(
    story.draws.pick([
      `How much money did ${who.name} have left?`,
      `How many dollars did ${who.name} have in the end?`,
      `How much money did ${who.name} have after that?`,
    ]),
  );
}

const spend: Stage<Purse> = {
  steps: 1,
  run(story, { who, amount }) {
    const d = story.draws;
    const cost = d.upTo(amount - 1, 5, 120);
    const expense = d.pick(cost < 35 ? EXPENSES.small : cost < 150 ? EXPENSES.medium : EXPENSES.large);
    story.say(
      d.pick([
        `${who.he} spent $${cost} on ${expense}.`,
        `Then ${who.he} paid $${cost} for ${expense}.`,
        `After that, ${who.name} used $${cost} of this money to pay for ${expense}.`,
      ]),
    );
    const after = { who, amount: story.step(`Then ${who.he} had {$} left.`, `${amount}-${cost}`) };
    askLeft(story, after);
    return after;
  },
};

const spendPart: Stage<Purse> = {
  steps: 2,
  run(story, { who, amount }) {
    const d = story.draws;
    const part = d.divisor(amount, 2, 5);
    const where = d.pick(["a savings account", "a piggy bank", "a college fund", "a vacation fund"]);
    story.say(
      d.pick([
        `${who.he} put ${story.part(part)} of the money into ${where}.`,
        `${who.name} then put ${story.part(part)} of that into ${where}.`,
      ]),
    );
    const saved = story.step(`${who.he} put {$} into ${where}.`, `${amount}/${part}`);
    const after = { who, amount: story.step(`That left ${who.him} with {$}.`, `${amount}-${saved}`) };
    askLeft(story, after);
    return after;
  },
};

const percent: Stage<Purse> = {
  steps: 2,
  run(story, { who, amount }) {
    const d = story.draws;
    const rate = d.pick([5, 10, 15, 20, 25, 30, 40, 60, 70, 75].filter((each) => (amount * each) % 100 === 0));
    const cause = d.pick(["a children's charity", "the animal shelter", "the local library", "the food bank"]);
    story.say(`${d.pick([who.he, who.name])} gave ${rate}% of the money to ${cause}.`);
    const given = story.step(`${who.he} gave {$} to ${cause}.`, `${amount}*${rate}/100`);
    const after = { who, amount: story.step(`${who.he} kept {$}.`, `${amount}-${given}`) };
    askLeft(story, after);
    return after;
  },
};

const receive: Stage<Purse> = {
  steps: 1,
  run(story, { who, amount }) {
    const d = story.draws;
    const gift = d.amount(8, 150);
    story.say(
      d.pick([
        `${who.his} ${d.pick(RELATIVES)} then gave ${who.him} $${gift}.`,
        `Later, ${who.he} was paid $${gift} for ${gift < 70 ? "an old radio" : "some used furniture"}.`,
        `Then ${who.name} got $${gift} back for ${gift < 120 ? "a coat that did not fit" : "a canceled trip"}.`,
      ]),
    );
    const after = { who, amount: story.step(`Then ${who.he} had {$}.`, `${amount}+${gift}`) };
    askNow(story, after);
    return after;
  },
};

const buySeveral: Stage<Purse> = {
  steps: 2,
  run(story, { who, amount }) {
    const d = story.draws;
    const item = d.pick(GOODS);
    const price = d.int(...item.price);
    const n = d.int(2, Math.min(24, Math.floor((amount - 1) / price)));
    story.say(`${d.pick([`Then ${who.he}`, who.name])} bought ${story.count(n)} ${item.many} for $${price} each.`);
    const cost = story.step(`The ${item.many} cost {$}.`, `${n}*${price}`);
    const after = { who, amount: story.step(`${who.he} had {$} left.`, `${amount}-${cost}`) };
    askLeft(story, after);
    return after;
  },
};

const buySeveralAtOnce: Stage<Purse> = {
  steps: 1,
  run(story, { who, amount }) {
    const d = story.draws;
    const ticket = d.pick(["concert", "movie", "theater", "train", "zoo"]);
    const price = d.rate(6, 28);
    const n = d.int(2, Math.min(15, Math.floor((amount - 1) / price)));
    story.say(`${who.he} paid for ${story.count(n)} ${ticket} tickets at $${price} each.`);
    const left = story.step(`After buying the tickets, ${who.he} had {$} left.`, `${amount}-${n}*${price}`);
    askLeft(story, { who, amount: left });
    return { who, amount: left };
  },
};

const share: Stage<Purse> = {
  steps: 1,
  last: true,
  run(story, { who, amount }) {
    const d = story.draws;
    const n = d.divisor(amount, 3, 25);
    story.say(`${who.he} divided the money equally among ${story.count(n)} ${n < 7 ? "nieces" : "charities"}.`);
    story.ask(`How many dollars did each of them get?`);
    return { who, amount: story.step(`Each of them got {$}.`, `${amount}/${n}`) };
  },
};

const missing: Stage<Purse> = {
  steps: 1,
  last: true,
  run(story, { who, amount }) {
    const item = story.draws.pick(BIG_THINGS);
    const price = story.draws.int(Math.max(amount + 4, item.price[0]), item.price[1]);
    story.note(`${who.name} wants to buy ${a(item.one)} that costs $${price}.`);
    story.ask(`How much more money does ${who.name} need for the ${item.one}?`);
    return { who, amount: story.step(`${who.he} needs {$} more.`, `${price}-${amount}`) };
  },
};

const together: Stage<Purse> = {
  steps: 2,
  last: true,
  run(story, { who, amount }) {
    const other = story.person();
    const factor = story.draws.int(2, 5);
    story.say(`In the end, ${other.name} had ${times(factor)} as much money as ${who.name}.`);
    story.ask(`How much money did ${who.name} and ${other.name} have together?`);
    const theirs = story.step(`${other.name} had {$}.`, `${amount}*${factor}`);
    return { who, amount: story.step(`Together they had {$}.`, `${amount}+${theirs}`) };
  },
};

const howMany: Stage<Purse> = {
  steps: 1,
  last: true,
  run(story, { who, amount }) {
    const price = story.draws.divisor(amount, 3, 48);
    const item = story.draws.pick(GOODS.filter((each) => each.price[0] <= price && price <= each.price[1]));
    story.say(`With all of this money, ${who.he} bought ${item.many} at $${price} each.`);
    story.ask(`How many ${item.many} did ${who.name} buy?`);
    return { who, amount: story.step(`${who.he} bought {} ${item.many}.`, `${amount}/${price}`) };
  },
};

const STAGES: readonly Stage<Purse>[] = [
  spend,
  spendPart,
  percent,
  receive,
  buySeveral,
  buySeveralAtOnce,
  share,
  missing,
  together,
  howMany,
];
