import { redraw } from "../draws.ts";
import { aboutPerson } from "../distractors.ts";
import { a, times } from "../phrases.ts";
import { withMoney } from "../stages/money.ts";
import type { Template } from "../story.ts";
import { BIG_THINGS, DAYS, EXPENSES, GOODS, MONTHS, SHOPS } from "../vocabulary.ts";

/** Hours at a wage. */
const hourlyWage: Template = (s, d) => {
  const who = s.person();
  const [wage, hours, days] = [d.rate(9, 25), d.int(3, 9), d.int(3, 24)];
  s.say(`${who.name} worked at ${a(d.pick(SHOPS))} in ${d.pick(MONTHS)}.`);
  s.note(`The job paid $${wage} an hour.`);
  s.say(`${who.he} worked ${s.count(hours)} hours a day for ${s.count(days)} days.`);
  s.extra(
    aboutPerson(d, who),
    `The shop had ${d.int(3, 40)} employees.`,
    `The year before, the pay had been $${wage - 2} an hour.`,
  );
  s.ask(`How much did ${who.name} earn?`);
  if (s.left > 2 && d.chance(0.3)) {
    withMoney(s, who, s.step(`${who.name} earned {$}.`, `${hours}*${days}*${wage}`));
    return;
  }
  const worked = s.step(`${who.name} worked {} hours.`, `${hours}*${days}`);
  withMoney(s, who, s.step(`${who.he} earned {$}.`, `${worked}*${wage}`));
};

/** Overtime at a higher rate. */
const overtime: Template = (s, d) => {
  const who = s.person();
  const [wage, extra] = [d.rate(10, 28), d.int(2, 12)];
  const [normal, total] = [d.int(30, 40), d.int(42, 56)];
  s.say(`${who.name} earned $${wage} an hour for the first ${normal} hours of a week.`);
  s.note(`Every hour beyond that paid $${extra} more.`);
  s.say(`Last week, ${who.he} worked ${total} hours.`);
  s.extra(aboutPerson(d, who), `The way to work took ${d.int(10, 55)} minutes.`);
  if (s.left === 2) {
    s.ask(`How many dollars did ${who.name} earn for the hours beyond the first ${normal}?`);
    const over = s.step(`${who.name} worked {} hours of overtime.`, `${total}-${normal}`);
    s.step(`These paid {$}.`, `${over}*(${wage}+${extra})`);
    return;
  }
  const base = s.step(`The first ${normal} hours paid {$}.`, `${normal}*${wage}`);
  const rate = s.left > 3 ? s.step(`An hour of overtime paid {$}.`, `${wage}+${extra}`) : `(${wage}+${extra})`;
  const more = s.step(`The overtime paid {$}.`, `(${total}-${normal})*${rate}`);
  s.ask(`How much did ${who.name} earn last week?`);
  withMoney(s, who, s.step(`Last week, ${who.he} earned {$}.`, `${base}+${more}`));
};

/** Two jobs side by side. */
const twoJobs: Template = (s, d) => {
  const who = s.person();
  const [x, y] = d.two([
    "walking dogs",
    "babysitting",
    "mowing lawns",
    "tutoring",
    "cleaning windows",
    "delivering papers",
  ]);
  const [p, q, m, n] = [d.rate(7, 20), d.rate(7, 20), d.rate(4, 15), d.rate(4, 15)];
  s.say(`${who.name} made money ${x} and ${y}.`);
  s.note(`An hour of ${x} paid $${p}, and an hour of ${y} paid $${q}.`);
  s.say(`In one week, ${who.he} spent ${s.count(m)} hours ${x} and ${s.count(n)} hours ${y}.`);
  s.extra(aboutPerson(d, who), `${who.name} also did chores at home for ${d.int(2, 9)} hours without pay.`);
  const first = s.step(`${who.he} made {$} by ${x}.`, `${m}*${p}`);
  if (s.left > 1 && d.chance(0.6)) {
    const second = s.step(`${who.he} made {$} by ${y}.`, `${n}*${q}`);
    if (s.left === 1 && first !== second && d.chance(0.4)) {
      const [more, less] = first > second ? [x, y] : [y, x];
      s.ask(`How much more money did ${who.name} make by ${more} than by ${less}?`);
      s.step(`${who.he} made {$} more by ${more}.`, `${Math.max(first, second)}-${Math.min(first, second)}`);
      return;
    }
    s.ask(`How much money did ${who.name} make that week?`);
    withMoney(s, who, s.step(`That week, ${who.he} made {$}.`, `${first}+${second}`));
    return;
  }
  s.ask(`How much money did ${who.name} make that week?`);
  withMoney(s, who, s.step(`With the money from ${y}, ${who.he} made {$}.`, `${first}+${n}*${q}`));
};

/** A fixed wage and tips. */
const tips: Template = (s, d) => {
  const who = s.person();
  const [wage, hours] = [d.rate(8, 18), d.int(4, 10)];
  const [tables, tip] = [d.amount(6, 15), d.rate(3, 9)];
  s.say(`${who.name} is ${d.pick(["a waiter", "a server"])} and worked ${s.count(hours)} hours on ${d.pick(DAYS)}.`);
  s.note(`The restaurant paid $${wage} an hour.`);
  s.say(`${who.he} served ${tables} tables and got a tip of $${tip} at each.`);
  s.extra(
    aboutPerson(d, who),
    `The restaurant has ${d.int(20, 90)} chairs.`,
    `The most expensive dish cost $${d.int(24, 60)}.`,
  );
  const pay = s.step(`${who.name} was paid {$} for the hours.`, `${wage}*${hours}`);
  s.ask(`How much money did ${who.name} take home that day?`);
  if (s.left > 1 && d.chance(0.6)) {
    const sum = s.step(`The tips were {$}.`, `${tables}*${tip}`);
    withMoney(s, who, s.step(`${who.he} took home {$}.`, `${pay}+${sum}`));
    return;
  }
  withMoney(s, who, s.step(`With the tips, ${who.he} took home {$}.`, `${pay}+${tables}*${tip}`));
};

/** Pay by the piece, minus the material. */
const pieces: Template = (s, d) => {
  const who = s.person();
  const item = d.pick([...GOODS].filter(({ one }) => /mug|basket|blanket|vase|pillow|frame|board$/.test(one)));
  const price = d.int(...item.price) + 6;
  const material = d.int(2, Math.min(14, price - 2));
  const n = d.amount(8, 30);
  s.say(
    `${who.name} makes ${item.many} by hand and sold ${n} of them ${d.pick(["at a fair", "in one month", "to a shop"])}.`,
  );
  s.note(`Each ${item.one} was sold for $${price}.`);
  s.note(`The material for one ${item.one} cost $${material}.`);
  s.extra(
    aboutPerson(d, who),
    `It took ${d.int(2, 9)} hours to make one ${item.one}.`,
    `${who.name} has made ${item.many} for ${d.int(3, 15)} years.`,
  );
  s.ask(`How much profit did ${who.name} make?`);
  if (s.left === 3 || (s.left > 3 && d.chance(0.5))) {
    const income = s.step(`${who.name} sold the ${item.many} for {$}.`, `${n}*${price}`);
    const cost = s.step(`The material cost {$}.`, `${n}*${material}`);
    withMoney(s, who, s.step(`The profit was {$}.`, `${income}-${cost}`));
    return;
  }
  const each = s.step(`The profit on one ${item.one} was {$}.`, `${price}-${material}`);
  withMoney(s, who, s.step(`The profit on all ${item.many} was {$}.`, `${each}*${n}`));
};

/** A base salary and a commission in percent. */
const commission: Template = (s, d) => {
  const who = s.person();
  const item = d.pick(BIG_THINGS);
  const [n, price] = [d.rate(3, 10), 10 * d.int(Math.ceil(item.price[0] / 10), Math.floor(item.price[1] / 10))];
  const rate = d.pick([5, 10, 15, 20]);
  const base = 10 * d.int(30, 120);
  s.say(`${who.name} sells ${item.many} and earns a base salary of $${base} a month.`);
  s.note(`On top of that comes ${rate}% of the value of all sales.`);
  s.say(`In ${d.pick(MONTHS)}, ${who.he} sold ${s.count(n)} ${item.many} for $${price} each.`);
  s.extra(aboutPerson(d, who), `The best seller of the shop sold ${n + d.int(3, 12)} ${item.many} that month.`);
  const sales = s.step(`The sales came to {$}.`, `${n}*${price}`);
  const part = s.step(`The commission was {$}.`, `${sales}*${rate}/100`);
  s.ask(`How much did ${who.name} earn that month?`);
  if (s.left === 0) {
    s.ask(`How much did ${who.name} earn that month in addition to the base salary?`);
    return;
  }
  withMoney(s, who, s.step(`In total, ${who.he} earned {$} that month.`, `${base}+${part}`));
};

/** Saving up week by week. */
const saving: Template = (s, d) => {
  const who = s.person();
  const item = d.pick(BIG_THINGS);
  const [allowance, chores, spends] = [d.rate(8, 30), d.rate(5, 25), d.int(2, 7)];
  const weekly = allowance + chores - spends;
  const weeks = d.amount(6, 14);
  const has = d.amount(10, 60);
  const price = weekly * weeks + has;
  if (price < item.price[0] || price > item.price[1]) redraw();
  s.say(`${who.name} wants to buy ${a(item.one)} for $${price}.`);
  s.note(`${who.name} already has $${has}.`);
  s.say(
    `Every week, ${who.he} gets an allowance of $${allowance}, earns $${chores} with chores and spends $${spends} on snacks.`,
  );
  s.extra(aboutPerson(d, who), `A used ${item.one} costs $${price - d.int(3, 20)}.`);
  s.ask(`How many weeks does ${who.name} have to save until ${who.he} can buy the ${item.one}?`);
  const missing = s.step(`${who.name} needs {$} more.`, `${price}-${has}`);
  const each =
    s.left > 2
      ? s.step(
          `${who.he} saves {$} a week.`,
          `${s.step(`${who.he} gets {$} a week.`, `${allowance}+${chores}`)}-${spends}`,
        )
      : s.left > 1
        ? s.step(`${who.he} saves {$} a week.`, `${allowance}+${chores}-${spends}`)
        : `(${allowance}+${chores}-${spends})`;
  s.step(`It takes {} weeks to save the rest.`, `${missing}/${each}`);
};

/** A raise, and what it is worth. */
const raise: Template = (s, d) => {
  const who = s.person();
  const wage = 20 * d.int(1, 3);
  const rate = d.pick([5, 10, 15, 20, 25]);
  const hours = d.int(15, 40);
  const weeks = d.int(2, 12);
  s.say(`${who.name} earned $${wage} an hour and worked ${hours} hours a week.`);
  s.say(`Then ${who.his} hourly pay was raised by ${rate}%.`);
  s.extra(aboutPerson(d, who), `${who.name}'s desk is on floor ${d.int(3, 20)}.`);
  const more = s.step(`The raise was {$} an hour.`, `${wage}*${rate}/100`);
  if (s.left <= 2 && d.chance(0.5)) {
    const weekly = s.step(`${who.he} earned {$} more a week.`, `${more}*${hours}`);
    if (s.left === 0) {
      s.ask(`How much more did ${who.name} earn in a week after the raise?`);
      return;
    }
    s.ask(`How much more did ${who.name} earn in ${weeks} weeks because of the raise?`);
    s.step(`In ${weeks} weeks, ${who.he} earned {$} more.`, `${weekly}*${weeks}`);
    return;
  }
  s.ask(`How much did ${who.name} earn in the first week after the raise?`);
  if (s.left === 1) {
    s.step(`In a week, ${who.he} earned {$}.`, `${hours}*(${wage}+${more})`);
    return;
  }
  const now = s.step(`After the raise, ${who.he} earned {$} an hour.`, `${wage}+${more}`);
  withMoney(s, who, s.step(`In the first week after the raise, ${who.he} earned {$}.`, `${now}*${hours}`));
};

/** One pays for several, who pay back. */
const lending: Template = (s, d) => {
  const who = s.person();
  const other = s.person();
  const debt = d.amount(80, 150);
  const factor = d.int(2, 4);
  const has = debt * (factor + 1) + d.amount(20, 100);
  s.say(`${who.name} had $${has} and lent $${debt} to ${other.name} for ${d.pick(EXPENSES.large)}.`);
  s.say(`${who.name} also lent ${times(factor)} as much to a neighbor.`);
  s.extra(`${other.name} works ${d.int(10, 40)} hours a week.`, aboutPerson(d, who));
  const second = s.step(`${who.name} lent the neighbor {$}.`, `${debt}*${factor}`);
  s.ask(`How much money did ${who.name} have left?`);
  if (s.left > 1 && d.chance(0.5)) {
    const lent = s.step(`In total, ${who.he} lent {$}.`, `${debt}+${second}`);
    withMoney(s, who, s.step(`${who.he} had {$} left.`, `${has}-${lent}`));
    return;
  }
  withMoney(s, who, s.step(`After that, ${who.he} had {$} left.`, `${has}-${debt}-${second}`));
};

export const WORK: Readonly<Record<string, Template>> = {
  hourlyWage,
  overtime,
  twoJobs,
  tips,
  pieces,
  commission,
  saving,
  raise,
  lending,
};
