import type { Person, Story } from "../story.ts";
import { GOODS } from "../vocabulary.ts";
import { type Stage, carryOn } from "./carry-on.ts";

/** Somebody has to pay `total` dollars at one place. */
export interface Bill {
  readonly who: Person;
  readonly total: number;
}

/** Continues a story about what somebody has to pay, in the past tense, and asks about what comes out. */
export function withBill(story: Story, who: Person, total: number): void {
  carryOn(story, { who, total }, STAGES);
}

function askTotal(story: Story, { who }: Bill): void {
  story.ask(
    story.draws.pick([
      `How much did ${who.name} pay in all?`,
      `How many dollars did ${who.name} have to pay?`,
      `What was the total that ${who.name} had to pay?`,
    ]),
  );
}

const coupon: Stage<Bill> = {
  steps: 1,
  run(story, { who, total }) {
    const d = story.draws;
    const off = d.upTo(total - 1, 4, 30);
    story.say(
      d.pick([
        `Then ${who.he} used a coupon for $${off} off the total.`,
        `At the checkout, ${who.name} used a gift card worth $${off}.`,
      ]),
    );
    const after = { who, total: story.step(`After that, {$} remained to be paid.`, `${total}-${off}`) };
    askTotal(story, after);
    return after;
  },
};

const discount: Stage<Bill> = {
  steps: 2,
  run(story, { who, total }) {
    const d = story.draws;
    const rate = d.pick([5, 10, 15, 20, 25, 30, 40].filter((each) => (total * each) % 100 === 0));
    story.say(
      d.pick([
        `Then ${who.he} was given a ${rate}% discount on the total.`,
        `As a regular customer, ${who.name} then got ${rate}% off the total.`,
      ]),
    );
    const off = story.step(`The discount was {$}.`, `${total}*${rate}/100`);
    const after = { who, total: story.step(`With the discount, the total was {$}.`, `${total}-${off}`) };
    askTotal(story, after);
    return after;
  },
};

const tax: Stage<Bill> = {
  steps: 2,
  run(story, { who, total }) {
    const rate = story.draws.pick([4, 5, 6, 10, 12, 15, 20].filter((each) => (total * each) % 100 === 0));
    story.say(`Then a tax of ${rate}% was added to the total.`);
    const more = story.step(`The tax was {$}.`, `${total}*${rate}/100`);
    const after = { who, total: story.step(`With the tax, the total was {$}.`, `${total}+${more}`) };
    askTotal(story, after);
    return after;
  },
};

const delivery: Stage<Bill> = {
  steps: 1,
  run(story, { who, total }) {
    const d = story.draws;
    const fee = d.rate(4, 25);
    story.say(
      d.pick([
        `After that, $${fee} for delivery was added.`,
        `${who.he} also paid a fee of $${fee} for gift wrapping.`,
        `Then a service fee of $${fee} was added.`,
      ]),
    );
    const after = { who, total: story.step(`With the fee, that made {$}.`, `${total}+${fee}`) };
    askTotal(story, after);
    return after;
  },
};

const alsoBought: Stage<Bill> = {
  steps: 2,
  run(story, { who, total }) {
    const d = story.draws;
    const item = d.pick(GOODS);
    const price = d.int(...item.price);
    const n = d.int(2, 15);
    story.say(`After that, ${who.he} also bought ${story.count(n)} ${item.many} for $${price} each.`);
    const cost = story.step(`The ${item.many} cost {$}.`, `${n}*${price}`);
    const after = { who, total: story.step(`Then the total was {$}.`, `${total}+${cost}`) };
    askTotal(story, after);
    return after;
  },
};

const change: Stage<Bill> = {
  steps: 1,
  last: true,
  run(story, { who, total }) {
    const step = total < 100 ? 20 : total < 1000 ? 100 : 1000;
    const paid = step * (Math.floor(total / step) + story.draws.int(1, 2));
    story.say(`${who.he} paid with $${paid} in cash.`);
    story.ask(`How much change did ${who.name} get?`);
    return { who, total: story.step(`${who.he} got {$} in change.`, `${paid}-${total}`) };
  },
};

const split: Stage<Bill> = {
  steps: 1,
  last: true,
  run(story, { who, total }) {
    const n = story.draws.divisor(total, 3, 16);
    story.say(`${who.name} and ${who.his} friends, ${story.count(n)} people in all, split the cost equally.`);
    story.ask(`How much did each person pay?`);
    return { who, total: story.step(`Each person paid {$}.`, `${total}/${n}`) };
  },
};

const monthly: Stage<Bill> = {
  steps: 1,
  last: true,
  run(story, { who, total }) {
    const n = story.draws.divisor(total, 2, 24);
    story.say(`${who.he} paid the total in ${story.count(n)} equal monthly payments.`);
    story.ask(`How much was each monthly payment?`);
    return { who, total: story.step(`Each payment was {$}.`, `${total}/${n}`) };
  },
};

const STAGES: readonly Stage<Bill>[] = [coupon, discount, tax, delivery, alsoBought, change, split, monthly];
