import { redraw } from "../draws.ts";
import { aboutPerson } from "../distractors.ts";
import { capital, inWords } from "../phrases.ts";
import { withBill } from "../stages/bill.ts";
import { compared, listed } from "../stages/compare.ts";
import type { Template } from "../story.ts";
import { BAKED, HOBBIES, SMALL_THINGS } from "../vocabulary.ts";

/** Parts of a whole, and parts of the rest. */
const clubs: Template = (s, d) => {
  const [x, y, z] = d.three(HOBBIES);
  const [f, g, h] = [d.int(2, 5), d.int(2, 5), d.int(2, 4)];
  const n = f * g * h * d.amount(2, 6);
  if (n > 2000) redraw();
  s.say(`${d.pick(["A school", "A summer camp", "A youth center"])} has ${n} students.`);
  s.say(`${capital(s.part(f))} of them chose ${x}, and ${s.part(g)} of the remaining students chose ${y}.`);
  s.extra(`There are ${d.int(6, 30)} teachers.`, `The year before, ${d.int(20, 90)} students had chosen ${z}.`);
  const first = s.step(`At first, {} students chose ${x}.`, `${n}/${f}`);
  const rest = s.step(`That left {} students.`, `${n}-${first}`);
  if (s.left === 0) {
    s.ask(`How many students did not choose ${x}?`);
    return;
  }
  const second = s.step(`Of these, {} students chose ${y}.`, `${rest}/${g}`);
  s.ask(`How many students chose ${y}?`);
  if (s.left === 0) return;
  const third = s.step(
    `The other {} students did not choose either.`.replace("The other {}", "Then {}"),
    `${rest}-${second}`,
  );
  s.say(`All others chose ${z}.`);
  s.ask(`How many students chose ${z}?`);
  if (s.left === 0) return;
  const size = d.divisor(third, 3, 20);
  s.say(`The students who chose ${z} were put into groups of ${size}.`);
  s.ask(`How many groups were there for ${z}?`);
  const groups = s.step(`There were {} groups for ${z}.`, `${third}/${size}`);
  if (s.left === 0) return;
  const hours = d.int(3, 20);
  s.note(`Each ${z} group was taught ${s.count(hours)} hours a month.`);
  s.ask(`How many hours a month were needed for all the ${z} groups?`);
  s.step(`All the groups needed {} hours a month.`, `${groups}*${hours}`);
};

/** A trip by bus: seats, tickets, costs. */
const schoolTrip: Template = (s, d) => {
  const who = s.person();
  const [classes, size, adults] = [d.int(3, 12), d.int(15, 30), d.int(4, 20)];
  const people = classes * size + adults;
  const place = d.pick(["a science museum", "an aquarium", "a theater", "a castle"]);
  s.say(`${inWords(classes)} classes with ${size} students each went to ${place} together with ${adults} adults.`);
  s.extra(`The ride took ${d.int(20, 90)} minutes.`, `The school has ${d.int(400, 900)} students in all.`);
  const students = s.step(`In all, {} students went on the trip.`, `${classes}*${size}`);
  if (d.chance(0.5)) {
    s.ask(`How many people went on the trip?`);
    const all = s.step(`With the adults, {} people went on the trip.`, `${students}+${adults}`);
    if (s.left === 0) return;
    const seats = d.divisor(people, 12, 60);
    s.note(`Each bus held ${seats} people and all buses were full.`);
    s.ask(`How many buses were used?`);
    const buses = s.step(`There were {} buses.`, `${all}/${seats}`);
    if (s.left === 0) return;
    const fee = 10 * d.int(12, 60);
    s.note(`A bus cost $${fee} for the day.`);
    s.ask(`How much did the buses cost?`);
    const cost = s.step(`The buses cost {$}.`, `${buses}*${fee}`);
    if (s.left === 0) return;
    s.say(`The principal, ${who.name}, paid for the buses.`);
    withBill(s, who, cost);
    return;
  }
  const [child, adult] = [d.int(4, 12), d.int(13, 28)];
  s.note(`A ticket cost $${child} for a student and $${adult} for an adult.`);
  const first = s.step(`The students' tickets cost {$}.`, `${students}*${child}`);
  s.ask(`How much did the tickets cost for the students?`);
  if (s.left === 0) return;
  s.say(`One of the teachers, ${who.name}, paid for all the tickets.`);
  s.ask(`How much did ${who.name} pay for the tickets?`);
  withBill(s, who, s.step(`With the adults, the tickets cost {$}.`, `${first}+${adults}*${adult}`));
};

/** Points in tests and their average. */
const scores: Template = (s, d) => {
  const who = s.person();
  const n = Math.max(3, Math.min(5, s.target));
  const values = Array.from({ length: n }, () => d.int(52, 99));
  const subject = d.pick(["math", "history", "spelling", "science", "geography"]);
  const sum = values.reduce((x, y) => x + y, 0);
  s.know(n);
  s.say(`In ${s.count(n)} ${subject} tests, ${who.name} got ${listed(values.map(String))} points.`);
  s.extra(aboutPerson(d, who), `The class has ${d.int(18, 32)} students.`, `Each test took ${d.int(20, 60)} minutes.`);
  s.step(`Together, that makes {} points.`, values.join("+"));
  if (s.left === 1 || d.chance(0.4)) {
    const mean = s.step(`The average is {} points.`, `${sum}/${n}`);
    s.ask(`What was ${who.name}'s average score?`);
    if (s.left === 0) return;
    const other = s.person();
    const more = d.int(2, 12);
    s.note(`The average of ${other.name} was ${more} points lower.`);
    const theirs = s.step(`The average of ${other.name} is {} points.`, `${mean}-${more}`);
    s.ask(`What was the average score of ${other.name} in these tests?`);
    if (s.left === 0) return;
    s.note(`${other.name} took the same ${s.count(n)} tests.`);
    s.ask(`How many points did ${other.name} get in all tests together?`);
    const all = s.step(`${other.name} got {} points in all.`, `${theirs}*${n}`);
    if (s.left === 0) return;
    s.ask(`How many points did ${who.name} and ${other.name} get together in all tests?`);
    s.step(`Together they got {} points.`, `${all}+${sum}`);
    return;
  }
  const goal = d.int(Math.ceil(sum / n), 95);
  s.know(n + 1, 1);
  s.say(`There is one more test, and ${who.name} wants an average of ${goal} points over all ${n + 1} tests.`);
  s.ask(`How many points does ${who.name} need in the last test?`);
  const needed =
    s.left > 2
      ? s.step(
          `For that, ${who.he} needs {} points in all.`,
          `${goal}*${s.step(`There are {} tests in all.`, `${n}+1`)}`,
        )
      : s.step(`For that, ${who.he} needs {} points in all.`, `${goal}*${n + 1}`);
  if (needed - sum > 100) redraw();
  s.step(`So ${who.he} needs {} points in the last test.`, `${needed}-${sum}`);
};

/** Classes that collect things, each compared with the one before. */
const collection: Template = (s, d) => {
  const goods = d.pick(["cans", "bottles", "books", "batteries", "old phones", "coats"]);
  const rooms = d.some(
    ["Green", "Lopez", "Baker", "Novak", "Singh", "Chen", "Okafor", "Miller"],
    Math.min(s.target, 5),
  );
  const first = d.amount(15, 80);
  const label = (i: number): string => `the class of ${i % 2 === 0 ? "Ms." : "Mr."} ${rooms[i]}`;
  const count = Math.min(s.target, d.int(3, 5));
  s.say(`A school collected ${goods} for a good cause, and ${label(0)} brought ${first} ${goods}.`);
  s.extra(`The school has ${d.int(12, 40)} classrooms.`, `The collection went on for ${d.int(3, 20)} days.`);
  const values = compared(s, {
    first,
    count: Math.max(2, count),
    noun: goods,
    tell: (i, phrase) => `${label(i)} brought ${phrase} ${label(i - 1)}.`,
    solve: (i) => `${label(i)} brought {} ${goods}.`,
  });
  s.ask(`How many ${goods} did these classes bring altogether?`);
  const total = s.step(`Altogether, they brought {} ${goods}.`, values.join("+"));
  if (s.left === 0) return;
  const price = d.int(2, 9);
  s.say(`A sponsor paid $${price} to the school for each of the ${goods}.`);
  s.ask(`How much money did the school get?`);
  const money = s.step(`The school got {$}.`, `${total}*${price}`);
  if (s.left === 0) return;
  const cost = d.upTo(money - 1, 20, 90);
  s.say(`The school spent $${cost} of this money on posters.`);
  s.ask(`How much money did the school have left?`);
  const rest = s.step(`After that, {$} was left.`, `${money}-${cost}`);
  if (s.left === 0) return;
  const n = d.divisor(rest, 2, 20);
  s.say(`The rest was shared equally among ${s.count(n)} charities.`);
  s.ask(`How much did each charity get?`);
  s.step(`Each charity got {$}.`, `${rest}/${n}`);
};

/** Selling things to reach a goal. */
const fundraiser: Template = (s, d) => {
  const team = d.pick(["choir", "band", "swim team", "chess club", "soccer team"]);
  const thing = d.pick([...BAKED, ...SMALL_THINGS.filter(({ price }) => price[1] > 5)]);
  const [members, each, price] = [d.rate(6, 20), d.rate(4, 20), d.int(2, thing.price[1])];
  s.say(`The ${members} members of a ${team} sold ${each} ${thing.many} each to raise money.`);
  s.note(`They asked for $${price} per ${thing.one}.`);
  s.extra(`The ${team} meets ${d.int(3, 5)} times a week.`, `Another ${team} raised $${d.int(100, 900)}.`);
  const sold = s.step(`They sold {} ${thing.many}.`, `${members}*${each}`);
  s.ask(`How much money did the ${team} raise?`);
  const raised = s.step(`They raised {$}.`, `${sold}*${price}`);
  if (s.left === 0) return;
  const gift = d.amount(20, 150);
  s.note(`A local shop added $${gift} to the money.`);
  s.ask(`How much money did the ${team} have?`);
  const total = s.step(`With the gift, they had {$}.`, `${raised}+${gift}`);
  if (s.left === 0) return;
  const trip = total + d.amount(30, 300);
  s.note(`A trip to a contest costs $${trip} for the whole ${team}.`);
  s.ask(`How much money is still missing for the trip?`);
  const missing = s.step(`For the trip, {$} is missing.`, `${trip}-${total}`);
  if (s.left === 0) return;
  s.ask(`How much does each member have to add so that the ${team} can pay for the trip?`);
  const share = s.step(`Each member has to add {$}.`, `${missing}/${members}`);
  if (s.left > 0) redraw();
  if (share > 99) redraw();
};

/** Shelves of books in a library. */
const library: Template = (s, d) => {
  const [shelves, each, out] = [d.rate(5, 25), d.rate(12, 40), d.amount(10, 60)];
  const back = d.upTo(out - 1, 3, 30);
  s.say(`The ${d.pick(["school", "town", "village"])} library has ${shelves} shelves.`);
  s.note(`There is room for ${each} books on each shelf.`);
  s.extra(
    `The library opened ${d.int(5, 60)} years ago.`,
    `The library is open for ${d.int(4, 12)} hours a day.`,
    `Last week, ${d.int(20, 90)} people came to a reading.`,
  );
  const room = s.step(`The shelves hold {} books.`, `${shelves}*${each}`);
  s.say(`On Monday morning, all shelves were full, and then ${out} books were borrowed.`);
  const left = s.step(`Then {} books were left.`, `${room}-${out}`);
  s.ask(`How many books were on the shelves then?`);
  if (s.left === 0) return;
  s.say(`On Tuesday, ${back} of these books were brought back.`);
  s.ask(`How many books were on the shelves after that?`);
  const now = s.step(`On Tuesday, there were {} books on the shelves.`, `${left}+${back}`);
  if (s.left === 0) return;
  const part = d.divisor(now, 2, 10);
  s.note(`${capital(s.part(part))} of the books that were on the shelves on Tuesday evening were novels.`);
  s.ask(`How many novels were on the shelves on Tuesday evening?`);
  const novels = s.step(`Of these, {} were novels.`, `${now}/${part}`);
  if (s.left === 0) return;
  s.ask(`How many of the books on the shelves on Tuesday evening were not novels?`);
  const others = s.step(`The number of other books was {}.`, `${now}-${novels}`);
  if (s.left === 0) return;
  const boxes = d.divisor(others, 4, 60);
  s.say(`All books that were not novels were packed into boxes of ${boxes}.`);
  s.ask(`How many boxes were needed?`);
  s.step(`They filled {} boxes.`, `${others}/${boxes}`);
};

export const SCHOOL: Readonly<Record<string, Template>> = {
  clubs,
  schoolTrip,
  scores,
  collection,
  fundraiser,
  library,
};
