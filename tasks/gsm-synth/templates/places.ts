import { redraw } from "../draws.ts";
import { aboutThing } from "../distractors.ts";
import { capital, times } from "../phrases.ts";
import { compared, listed } from "../stages/compare.ts";
import type { Template } from "../story.ts";
import { COLORS, MONTHS, SMALL_THINGS } from "../vocabulary.ts";

/** Seats in a hall. */
const hall: Template = (s, d) => {
  const [rows, seats] = [d.rate(8, 25), d.rate(10, 30)];
  const event = d.pick(["concert", "school play", "magic show", "talk", "puppet show"]);
  const [price, reduced] = [d.int(9, 30), d.int(3, 8)];
  const all = rows * seats;
  const empty = d.upTo(all - 20, 5, 60);
  s.say(`A hall has ${rows} rows with ${seats} seats each.`);
  s.say(`At a ${event}, ${empty} seats stayed empty.`);
  s.extra(
    `The ${event} lasted ${d.int(45, 150)} minutes.`,
    `The hall was built ${d.int(5, 90)} years ago.`,
    `There were ${d.int(6, 20)} people on stage.`,
  );
  const capacity = s.step(`The hall has {} seats.`, `${rows}*${seats}`);
  const people = s.step(`So {} people came.`, `${capacity}-${empty}`);
  s.ask(`How many people came to the ${event}?`);
  if (s.left === 0) return;
  if (s.left === 1 || d.chance(0.3)) {
    s.note(`Everyone paid $${price} for a ticket.`);
    s.ask(`How much money did the tickets bring in?`);
    const income = s.step(`The tickets brought in {$}.`, `${people}*${price}`);
    if (s.left === 0) return;
    const rent = d.int(20, Math.max(20, income - 5));
    s.note(`The rent for the hall was $${rent}.`);
    s.ask(`How much money was left after paying the rent for the hall?`);
    const profit = s.step(`After paying the rent, {$} was left.`, `${income}-${rent}`);
    if (s.left === 0) return;
    const n = d.divisor(profit, 3, 25);
    s.note(`The ${n} members of the cast shared what was left after paying the rent equally.`);
    s.ask(`How much did each member of the cast get?`);
    s.step(`Each member got {$}.`, `${profit}/${n}`);
    return;
  }
  const children = d.int(10, people - 5);
  s.note(`Among the visitors were ${children} children.`);
  s.note(`An adult paid $${price}, and a child paid $${reduced}.`);
  const adults = s.step(`There were {} adults.`, `${people}-${children}`);
  s.ask(`How much did the adults pay altogether?`);
  const first = s.step(`The adults paid {$}.`, `${adults}*${price}`);
  if (s.left === 0) return;
  s.ask(`How much money did the tickets bring in?`);
  if (s.left === 1) {
    s.step(`With the children, the tickets brought in {$}.`, `${first}+${children}*${reduced}`);
    return;
  }
  const second = s.step(`The children paid {$}.`, `${children}*${reduced}`);
  s.step(`All tickets brought in {$}.`, `${first}+${second}`);
};

/** Members that come and go over the years. */
const growth: Template = (s, d) => {
  const club = d.pick(["chess club", "book club", "hiking club", "running club", "photo club"]);
  const n = 20 * d.amount(2, 10);
  const rate = d.pick([5, 10, 15, 20, 25, 30, 40, 50]);
  s.say(`A ${club} had ${n} members.`);
  s.say(`In the first year, the number of members grew by ${rate}%.`);
  s.extra(`The ${club} was founded by ${d.int(3, 12)} friends.`, `The club room has ${d.int(20, 90)} chairs.`);
  const more = s.step(`The club got {} more members in the first year.`, `${n}*${rate}/100`);
  const then = s.step(`Then the club had {} members.`, `${n}+${more}`);
  s.ask(`How many members did the club have after the first year?`);
  if (s.left === 0) return;
  const gone = d.upTo(then - 10, 4, 40);
  s.say(`In the second year, ${gone} members left.`);
  s.ask(`How many members did the club have after the second year?`);
  let now = s.step(`After the second year, there were {} members.`, `${then}-${gone}`);
  if (s.left === 0) return;
  if (s.left === 2 && now % 5 === 0) {
    const part = d.divisor(now, 2, 5);
    s.say(`In the third year, it gained ${s.part(part)} of the number of members that it had after the second year.`);
    s.ask(`How many members did the club have after the third year?`);
    now = s.step(
      `After the third year, there were {} members.`,
      `${now}+${s.step(`In the third year, {} members joined.`, `${now}/${part}`)}`,
    );
    return;
  }
  const fee = d.int(6, 40);
  s.note(`Each member pays a fee of $${fee} a year.`);
  s.ask(`How much do the members who were there after the second year pay in a year?`);
  const yearly = s.step(`They pay {$} a year.`, `${now}*${fee}`);
  if (s.left === 0) return;
  const rent = d.upTo(yearly - 1, 50, 300);
  s.note(`The club room costs $${rent} a year.`);
  s.ask(`How much of the yearly fees of the members after the second year is left when the club room is paid?`);
  const rest = s.step(`After paying for the room, {$} is left.`, `${yearly}-${rent}`);
  if (s.left === 0) return;
  const years = d.int(2, 5);
  s.ask(
    `If the club then stays the same for ${years} years, how much of the fees is left in all when the club room is paid every year?`,
  );
  s.step(`In ${years} years, {$} is left.`, `${rest}*${years}`);
};

/** Boxes loaded on trucks. */
const freight: Template = (s, d) => {
  const [trucks, boxes, weight] = [d.int(2, 9), d.rate(8, 40), d.int(6, 45)];
  const cargo = d.pick(["chairs", "radios", "books", "shoes", "toys", "tools"]);
  s.say(`A company sent ${s.count(trucks)} trucks with ${boxes} boxes of ${cargo} each to a store.`);
  s.note(`Each box weighed ${weight} pounds.`);
  s.extra(
    `The trip was ${d.int(40, 400)} miles long.`,
    `The company has ${d.int(10, 80)} trucks.`,
    `Each box was ${d.int(2, 5)} feet high.`,
  );
  const total = s.step(`The trucks carried {} boxes.`, `${trucks}*${boxes}`);
  if (s.left === 1) {
    s.ask(`How many pounds did all the boxes weigh?`);
    s.step(`All boxes weighed {} pounds.`, `${total}*${weight}`);
    return;
  }
  const damaged = d.upTo(total - 5, 2, 20);
  s.say(`${damaged} of the boxes got wet during the trip and were thrown away.`);
  const good = s.step(`The store got {} good boxes.`, `${total}-${damaged}`);
  s.ask(`How many pounds did the boxes weigh that the store kept?`);
  if (s.left === 1) {
    s.step(`They weighed {} pounds.`, `${good}*${weight}`);
    return;
  }
  const each = d.int(6, 30);
  s.note(`There were ${each} ${cargo} in each box.`);
  s.ask(`How many ${cargo} did the store keep?`);
  const pieces = s.step(`In these boxes were {} ${cargo}.`, `${good}*${each}`);
  if (s.left === 0) return;
  const part = d.divisor(pieces, 2, 10);
  s.say(`In the first week, the store sold ${s.part(part)} of the ${cargo}.`);
  const sold = s.step(`In the first week, {} ${cargo} were sold.`, `${pieces}/${part}`);
  s.ask(`How many ${cargo} were sold in the first week?`);
  if (s.left === 0) return;
  s.ask(`How many ${cargo} were left after the first week?`);
  const rest = s.step(`Then {} ${cargo} were left.`, `${pieces}-${sold}`);
  if (s.left === 0) return;
  const weeks = d.divisor(rest, 2, 30);
  s.say(`The others were sold in the next ${s.count(weeks)} weeks, the same number each week.`);
  s.ask(`How many ${cargo} were sold in each of these ${weeks} weeks?`);
  s.step(`In each of these weeks, {} ${cargo} were sold.`, `${rest}/${weeks}`);
};

/** Visitors or sales over months, each compared with the month before, and the average. */
const months: Template = (s, d) => {
  const place = d.pick(["museum", "swimming pool", "zoo", "castle", "gallery"]);
  const count = Math.min(s.target, 4);
  const start = d.int(0, 12 - count);
  const period = MONTHS.slice(start, start + count);
  const first = d.amount(60, 250);
  s.say(`In ${period[0]}, ${d.pick(["a", "a small"])} ${place} had ${first} visitors.`);
  s.extra(
    `The ${place} is ${d.int(10, 90)} years old.`,
    `The ${place} has ${d.int(4, 30)} employees.`,
    `The year before, there had been ${d.int(100, 900)} visitors in ${period[0]}.`,
  );
  const values = compared(s, {
    first,
    count,
    noun: "visitors",
    tell: (i, phrase) => `In ${period[i]}, there were ${phrase} in ${period[i - 1]}.`,
    solve: (i) => `In ${period[i]}, there were {} visitors.`,
  });
  if (s.left === 1 && d.chance(0.3)) {
    const [from = 0, end = 0] = [values[0], values.at(-1)];
    if (from === end) redraw();
    const word = end > from ? "more" : "fewer";
    s.ask(`How many ${word} visitors were there in ${period.at(-1)} than in ${period[0]}?`);
    s.step(`In ${period.at(-1)}, there were {} ${word} visitors.`, `${Math.max(from, end)}-${Math.min(from, end)}`);
    return;
  }
  s.ask(`How many visitors did the ${place} have from ${period[0]} to ${period.at(-1)}?`);
  const total = s.step(`In ${listed(period)}, there were {} visitors.`, values.join("+"));
  if (s.left === 0) return;
  if (s.left === 1 && total % count === 0) {
    s.know(count);
    s.ask(`What was the average number of visitors a month from ${period[0]} to ${period.at(-1)}?`);
    s.step(`The average was {} visitors a month.`, `${total}/${count}`);
    return;
  }
  const price = d.int(3, 12);
  s.note(`Each visitor paid $${price}.`);
  s.ask(`How much money did the visitors pay from ${period[0]} to ${period.at(-1)}?`);
  const income = s.step(`The visitors paid {$}.`, `${total}*${price}`);
  if (s.left === 0) return;
  const cost = d.int(50, income - 10);
  s.note(`In the same time, the ${place} had costs of $${cost}.`);
  s.ask(`How much money was left after the costs were paid?`);
  s.step(`After the costs, {$} was left.`, `${income}-${cost}`);
};

/** A jar of beads in several colors. */
const jarOfColors: Template = (s, d) => {
  const thing = d.pick(SMALL_THINGS.filter(({ one }) => /bead|button|marble|balloon|crayon|ribbon/.test(one)));
  const [x, y, z, w] = d.some(COLORS, 4) as [string, string, string, string];
  const [n, k, more, f] = [d.multiple(6, 12, 60), d.int(2, 4), d.amount(4, 30), d.pick([2, 3, 6])];
  s.say(`A box contains ${thing.many} in several colors, and ${n} of them are ${x}.`);
  s.note(`There are ${times(k)} as many ${y} ${thing.many} as ${x} ones.`);
  s.extra(aboutThing(d, thing), `The box is ${d.int(5, 20)} inches wide.`);
  const second = s.step(`In the box, {} of them are ${y}.`, `${n}*${k}`);
  if (s.left === 1) {
    s.ask(`How many ${x} and ${y} ${thing.many} are in the box?`);
    s.step(`Together, there are {} ${x} and ${y} ${thing.many}.`, `${n}+${second}`);
    return;
  }
  s.note(`The number of ${z} ${thing.many} is ${more} greater than the number of ${y} ones.`);
  const third = s.step(`Of the ${z} ones, there are {}.`, `${second}+${more}`);
  const values = [n, second, third];
  let colors = [x, y, z];
  if (s.left > 1) {
    s.note(`${capital(s.part(f))} as many ${thing.many} are ${w} as are ${x}.`);
    values.push(s.step(`Of the ${w} ones, there are {}.`, `${n}/${f}`));
    colors = [x, y, z, w];
  }
  s.ask(`How many ${thing.many} of the colors ${listed(colors)} are there altogether?`);
  const total = s.step(`Altogether, there are {} ${thing.many} of these colors.`, values.join("+"));
  if (s.left === 0) return;
  const size = d.divisor(total, 3, 60);
  s.say(`All of them are put into bags of ${size}.`);
  s.ask(`How many bags of ${thing.many} are there?`);
  const bags = s.step(`There are {} bags.`, `${total}/${size}`);
  if (s.left === 0) return;
  const price = d.int(2, 15);
  s.note(`Each bag is sold for $${price}.`);
  s.ask(`How much money do the bags bring in?`);
  s.step(`The bags bring in {$}.`, `${bags}*${price}`);
};

export const PLACES: Readonly<Record<string, Template>> = { hall, growth, freight, months, jarOfColors };
