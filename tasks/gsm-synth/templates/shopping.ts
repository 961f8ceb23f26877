import { aboutPerson, aboutThing } from "../distractors.ts";
import { a } from "../phrases.ts";
import { withBill } from "../stages/bill.ts";
import { withMoney } from "../stages/money.ts";
import { withThings } from "../stages/counts.ts";
import type { Template } from "../story.ts";
import { BOXES, CLOTHES, COLORS, DAYS, FRUIT, GOODS, RELATIVES, SMALL_THINGS } from "../vocabulary.ts";

/** Two kinds of goods, one bill. */
const twoKinds: Template = (s, d) => {
  const who = s.person();
  const [x, y] = d.two(GOODS);
  const [p, q] = [d.int(...x.price), d.int(...y.price)];
  const [m, n] = [d.amount(3, 9), d.amount(3, 9)];
  s.say(
    `${who.name} bought ${s.count(m)} ${x.many} and ${s.count(n)} ${y.many} for ${who.his} ${d.pick(["new office", "guest house", "school", "sports club"])}.`,
  );
  s.note(d.pick([`The price of one ${x.one} was $${p}.`, `A single ${x.one} cost $${p}.`]));
  s.note(`Each ${y.one} cost $${q}.`);
  s.extra(aboutPerson(d, who), aboutThing(d, x), `A larger ${y.one} would have cost $${q + d.int(3, 20)}.`);
  const cost = s.step(`The ${x.many} cost {$}.`, `${m}*${p}`);
  s.ask(`How much did ${who.name} pay in all?`);
  if (s.left > 1 && d.chance(0.6)) {
    const more = s.step(`The ${y.many} cost {$}.`, `${n}*${q}`);
    withBill(s, who, s.step(`Together that was {$}.`, `${cost}+${more}`));
  } else withBill(s, who, s.step(`With the ${y.many}, the total was {$}.`, `${cost}+${n}*${q}`));
};

/** A percentage off each piece. */
const reducedPrice: Template = (s, d) => {
  const who = s.person();
  const item = d.pick(CLOTHES);
  const price = d.int(...item.price) * 2;
  const rate = d.pick([10, 15, 20, 25, 30, 40, 50].filter((each) => (price * each) % 100 === 0));
  const n = d.rate(3, 8);
  s.say(`A shop sold ${item.many} for $${price} each.`);
  s.say(
    `${d.pick(["During a sale,", `On ${d.pick(DAYS)},`, "At the end of the season,"])} every ${item.one} was reduced by ${rate}%.`,
  );
  s.say(`${who.name} bought ${s.count(n)} of them for ${who.his} ${d.pick(["family", "choir", "team"])}.`);
  s.extra(
    aboutPerson(d, who),
    `The shop had ${d.int(20, 90)} ${item.many} in stock.`,
    `Last year, the same ${item.one} cost $${price + d.int(3, 30)}.`,
  );
  const off = s.step(`Each ${item.one} was reduced by {$}.`, `${price}*${rate}/100`);
  if (s.left === 1) {
    s.step(`${who.he} saved {$} in total.`, `${n}*${off}`);
    s.ask(`How much money did ${who.name} save because of the lower price?`);
    return;
  }
  s.ask(`How much did ${who.name} pay for the ${item.many}?`);
  if (d.chance(0.5)) withBill(s, who, s.step(`${who.he} paid {$}.`, `${n}*(${price}-${off})`));
  else {
    const each = s.step(`So each ${item.one} cost {$}.`, `${price}-${off}`);
    withBill(s, who, s.step(`The ${item.many} cost {$}.`, `${n}*${each}`));
  }
};

/** Things bought by the pack. */
const packs: Template = (s, d) => {
  const who = s.person();
  const thing = d.pick(SMALL_THINGS);
  const box = d.pick(BOXES);
  const [m, n] = [d.rate(3, 20), d.rate(6, 25)];
  s.say(
    `${who.name} bought ${s.count(m)} ${box.many} of ${thing.many}${d.pick(["", " at the market", ` for ${who.his} collection`])}.`,
  );
  s.note(`There were ${n} ${thing.many} in each ${box.one}.`);
  s.extra(aboutPerson(d, who), aboutThing(d, thing), `A ${box.one} of ${thing.many} cost $${d.int(4, 30)}.`);
  s.ask(`How many ${thing.many} did ${who.name} buy?`);
  withThings(s, { who, thing, n: s.step(`${who.name} bought {} ${thing.many}.`, `${m}*${n}`) });
};

/** The same purchase in two shops. */
const twoShops: Template = (s, d) => {
  const who = s.person();
  const item = d.pick(GOODS);
  const [p, q] = [d.int(...item.price), d.int(...item.price) + d.int(2, 12)];
  const [low, high] = [Math.min(p, q), Math.max(p, q)];
  const n = d.amount(6, 20);
  const fee = d.rate(3, 15);
  s.say(`${who.name} needs ${n} ${item.many}.`);
  s.note(`The shop downtown asks $${high} for one ${item.one}.`);
  s.note(`The online shop asks $${low} per ${item.one}, plus a shipping fee of $${fee} for the whole order.`);
  s.extra(aboutPerson(d, who), aboutThing(d, item), `The online shop was opened ${d.int(3, 20)} years ago.`);
  const there = s.step(`Downtown, the ${item.many} cost {$}.`, `${n}*${high}`);
  const online =
    s.left === 2 && d.chance(0.5)
      ? s.step(`Online, everything costs {$}.`, `${n}*${low}+${fee}`)
      : s.step(
          `Online, everything costs {$} with shipping.`,
          `${s.step(`Online, the ${item.many} alone cost {$}.`, `${n}*${low}`)}+${fee}`,
        );
  s.ask(`How much money does ${who.name} save by ordering online?`);
  const saved = s.step(`${who.name} saves {$} by ordering online.`, `${there}-${online}`);
  if (s.left === 0) return;
  const years = d.int(2, 12);
  s.say(`${who.he} places the same order ${s.count(years)} times a year.`);
  s.ask(`How much money does ${who.name} save in a year by ordering online?`);
  const yearly = s.step(`In a year, ${who.he} saves {$}.`, `${saved}*${years}`);
  if (s.left === 0) return;
  const k = d.int(2, 9);
  s.ask(`How much money does ${who.name} save in ${k} years by ordering online?`);
  s.step(`In ${k} years, ${who.he} saves {$}.`, `${yearly}*${k}`);
};

/** Fruit by weight. */
const byWeight: Template = (s, d) => {
  const who = s.person();
  const [x, y] = d.two(FRUIT);
  const [p, q] = [d.int(2, 9), d.int(2, 9)];
  const [m, n] = [d.amount(3, 12), d.amount(3, 12)];
  s.say(`${who.name} runs a small juice bar and bought ${m} pounds of ${x.many} and ${n} pounds of ${y.many}.`);
  s.note(`A pound of ${x.many} cost $${p}, and a pound of ${y.many} cost $${q}.`);
  s.extra(
    aboutPerson(d, who),
    `A week earlier, ${y.many} had cost $${q + d.int(2, 5)} a pound.`,
    `The juice bar has ${d.int(4, 30)} seats.`,
  );
  const first = s.step(`The ${x.many} cost {$}.`, `${m}*${p}`);
  s.ask(`How much did ${who.name} pay for the fruit?`);
  if (s.left === 1) {
    s.step(`With the ${y.many}, the fruit cost {$}.`, `${first}+${n}*${q}`);
    return;
  }
  const second = s.step(`The ${y.many} cost {$}.`, `${n}*${q}`);
  if (s.left === 1 && first !== second && d.chance(0.4)) {
    const [more, less] = first > second ? [x, y] : [y, x];
    s.ask(`How much more did ${who.name} pay for the ${more.many} than for the ${less.many}?`);
    s.step(`The ${more.many} cost {$} more.`, `${Math.max(first, second)}-${Math.min(first, second)}`);
    return;
  }
  withBill(s, who, s.step(`The fruit cost {$}.`, `${first}+${second}`));
};

/** A present of several parts, then what is left of the budget. */
const budget: Template = (s, d) => {
  const who = s.person();
  const [x, y] = d.two(CLOTHES);
  const [p, q] = [d.int(...x.price), d.int(...y.price)];
  const has = p + q + d.amount(20, 120);
  const relative = d.pick(RELATIVES);
  s.say(`${who.name} had $${has} and went shopping for ${who.his} ${relative}.`);
  s.say(`${who.he} chose ${a(d.pick(COLORS))} ${x.one} for $${p} and ${a(y.one)} for $${q}.`);
  s.extra(
    aboutPerson(d, who),
    `The shop was open for ${d.int(6, 12)} hours that day.`,
    `Another ${x.one} in the shop cost $${p + d.int(5, 40)}.`,
  );
  s.ask(`How much money did ${who.name} have left?`);
  if (d.chance(0.4)) {
    withMoney(s, who, s.step(`After buying both, ${who.he} had {$} left.`, `${has}-${p}-${q}`));
    return;
  }
  const cost = s.step(`The clothes cost {$}.`, `${p}+${q}`);
  withMoney(s, who, s.step(`${who.he} had {$} left.`, `${has}-${cost}`));
};

/** A yearly membership against single visits. */
const membership: Template = (s, d) => {
  const who = s.person();
  const place = d.pick(["swimming pool", "climbing hall", "skating rink", "science museum", "gym"]);
  const [visit, visits, months] = [d.rate(6, 18), d.int(3, 12), d.int(4, 12)];
  const total = visit * visits * months;
  const card = d.int(Math.round(total / 3), total - 5);
  s.say(`A single visit to the ${place} costs $${visit}.`);
  s.say(`${who.name} goes there ${s.count(visits)} times a month.`);
  s.note(`A membership card for ${months} months costs $${card} and makes all visits free.`);
  s.extra(
    aboutPerson(d, who),
    `The ${place} is open ${d.int(6, 14)} hours a day.`,
    `The ${place} has ${d.int(40, 200)} lockers.`,
  );
  if (s.left === 2) {
    s.step(`In ${months} months, ${who.he} goes there {} times.`, `${visits}*${months}`);
    s.step(`Without a card, ${who.he} pays {$}.`, `${visits * months}*${visit}`);
    s.ask(`How much does ${who.name} pay in ${months} months without a membership card?`);
    return;
  }
  const monthly = s.step(`A month of single visits costs {$}.`, `${visit}*${visits}`);
  const all = s.step(`In ${months} months, single visits cost {$}.`, `${monthly}*${months}`);
  const saved = s.step(`With the card, ${who.he} saves {$}.`, `${all}-${card}`);
  s.ask(`How much does ${who.name} save with the card?`);
  if (s.left === 0) return;
  const others = d.int(2, 9);
  s.say(`The same is true for ${who.his} ${s.count(others)} friends.`);
  s.ask(`How much do ${who.name} and ${who.his} friends save together with cards of their own?`);
  const people = s.left === 1 ? `(${others}+1)` : s.step(`There are {} of them.`, `${others}+1`);
  s.know(1);
  s.step(`Together, they save {$}.`, `${saved}*${people}`);
};

/** Goods returned to the shop. */
const returned: Template = (s, d) => {
  const who = s.person();
  const item = d.pick(GOODS);
  const price = d.int(...item.price);
  const n = d.amount(8, 30);
  const back = d.int(2, Math.min(n - 2, 40));
  s.say(`${who.name} ordered ${n} ${item.many} at $${price} each.`);
  s.say(`${s.count(back)} of them had the wrong color, so ${who.he} sent these back and did not have to pay for them.`);
  s.extra(aboutPerson(d, who), aboutThing(d, item), `The parcel arrived after ${d.int(3, 12)} days.`);
  s.ask(`How much did ${who.name} pay for the ${item.many} that ${who.he} kept?`);
  if (s.left > 2 && d.chance(0.4)) {
    withBill(s, who, s.step(`For the ${item.many} ${who.he} kept, ${who.he} owed {$}.`, `${price}*(${n}-${back})`));
    return;
  }
  const kept = s.step(`${who.name} kept {} ${item.many}.`, `${n}-${back}`);
  withBill(s, who, s.step(`These cost {$}.`, `${kept}*${price}`));
};

export const SHOPPING: Readonly<Record<string, Template>> = {
  twoKinds,
  reducedPrice,
  packs,
  twoShops,
  byWeight,
  budget,
  membership,
  returned,
};
