import { redraw } from "../draws.ts";
import { aboutPerson, aboutThing } from "../distractors.ts";
import { times } from "../phrases.ts";
import { compared, listed } from "../stages/compare.ts";
import { withMoney } from "../stages/money.ts";
import { withThings } from "../stages/counts.ts";
import type { Person, Template } from "../story.ts";
import { DAYS, SMALL_THINGS } from "../vocabulary.ts";

const names = (people: readonly Person[]): string => listed(people.map(({ name }) => name));

/** Several people's things, each compared with those of the person before. */
const collectors: Template = (s, d) => {
  const thing = d.pick(SMALL_THINGS);
  const count = Math.min(s.target, d.int(3, 5));
  const people = Array.from({ length: Math.max(2, count) }, () => s.person());
  const verb = d.pick(["had", "collected", "found"]);
  const ask = verb === "had" ? "have" : verb === "found" ? "find" : "collect";
  const first = d.amount(12, 60);
  s.say(`${people[0]?.name} ${verb} ${first} ${thing.many}.`);
  s.extra(aboutThing(d, thing), aboutPerson(d, people[0] ?? redraw()));
  const values = compared(s, {
    first,
    count: people.length,
    noun: thing.many,
    tell: (i, phrase) => `${people[i]?.name} ${verb} ${phrase} ${people[i - 1]?.name}.`,
    solve: (i) => `${people[i]?.name} ${verb} {} ${thing.many}.`,
  });
  const [start = 0, end = 0] = [values[0], values.at(-1)];
  if (s.left === 1 && start !== end && d.chance(0.35)) {
    const word = end > start ? "more" : "fewer";
    s.ask(`How many ${word} ${thing.many} did ${people.at(-1)?.name} ${ask} than ${people[0]?.name}?`);
    s.step(
      `${people.at(-1)?.name} ${verb} {} ${word} ${thing.many} than ${people[0]?.name}.`,
      `${Math.max(start, end)}-${Math.min(start, end)}`,
    );
    return;
  }
  s.ask(`How many ${thing.many} did they ${ask} altogether?`);
  const total = s.step(`Altogether, they ${verb} {} ${thing.many}.`, values.join("+"));
  if (s.left === 0) return;
  const who = people[0] ?? redraw();
  s.say(`In the end, the others gave everything they had to ${who.name}.`);
  withThings(s, { who, thing, n: total });
};

/** Ages now and in other years. */
const ages: Template = (s, d) => {
  const [x, y, z] = [s.person(), s.person(), s.person()];
  const young = d.int(3, 15);
  const k = d.int(2, 4);
  const diff = d.int(2, 9);
  const older = d.chance(0.5);
  const years = d.int(3, 20);
  s.say(`${x.name} is ${young} years old.`);
  s.note(`${y.name} is ${times(k)} as old as ${x.name}.`);
  s.note(`${z.name} is ${s.count(diff)} years ${older ? "older" : "younger"} than ${y.name}.`);
  s.extra(aboutPerson(d, d.pick([x, y, z])), `The house of ${x.name} has ${d.int(4, 12)} rooms.`);
  const second = s.step(`${y.name} is {} years old.`, `${young}*${k}`);
  const third = s.step(`${z.name} is {} years old.`, older ? `${second}+${diff}` : `${second}-${diff}`);
  if (third < 3) redraw();
  s.ask(`How old is ${z.name}?`);
  if (s.left === 0) return;
  if (s.left === 1 && d.chance(0.5)) {
    s.ask(`How old will ${z.name} be in ${years} years?`);
    s.step(`In ${years} years, ${z.name} will be {} years old.`, `${third}+${years}`);
    return;
  }
  s.ask(`How old are the three of them together?`);
  const sum = s.step(`Together, they are {} years old.`, `${young}+${second}+${third}`);
  if (s.left === 0) return;
  s.know(3);
  s.ask(`How old will the three of them be together in ${years} years?`);
  const more = s.step(`In ${years} years, the three of them gain {} years in all.`, `3*${years}`);
  if (s.left === 0) redraw();
  const later = s.step(`Then they will be {} years old together.`, `${sum}+${more}`);
  if (s.left === 0) return;
  const other = s.person();
  const minus = d.int(Math.max(2, later - 95), Math.max(2, later - 30));
  s.note(
    `In ${years} years, ${other.name} will be ${minus} years younger than ${x.name}, ${y.name} and ${z.name} together.`,
  );
  s.ask(`How old will ${other.name} be in ${years} years?`);
  const age = s.step(`In ${years} years, ${other.name} will be {} years old.`, `${later}-${minus}`);
  if (age > 95 || age <= years) redraw();
};

/** Sum and difference are known. */
const sumAndDifference: Template = (s, d) => {
  const [x, y] = [s.person(), s.person()];
  const thing = d.pick(SMALL_THINGS);
  const [less, diff] = [d.amount(15, 80), d.amount(4, 40)];
  s.know(2);
  s.say(`Together, ${x.name} and ${y.name} had ${2 * less + diff} ${thing.many}.`);
  s.say(`${x.name} had ${diff} more of them than ${y.name}.`);
  s.extra(aboutPerson(d, x), aboutThing(d, thing));
  const even = s.step(`Without the ${diff} extra ones, there would be {} ${thing.many}.`, `${2 * less + diff}-${diff}`);
  const small = s.step(`So ${y.name} had {} ${thing.many}.`, `${even}/2`);
  s.ask(`How many ${thing.many} did ${y.name} have?`);
  if (s.left === 0) return;
  const big = s.step(`${x.name} had {} ${thing.many}.`, `${small}+${diff}`);
  s.ask(`How many ${thing.many} did ${x.name} have?`);
  if (s.left === 0) return;
  s.say(`After that, only the collection of ${x.name} changed.`);
  withThings(s, { who: x, thing, n: big });
};

/** A total divided in a ratio. */
const ratio: Template = (s, d) => {
  const [x, y] = [s.person(), s.person()];
  const [p, q] = d.pick([
    [2, 3],
    [3, 2],
    [5, 2],
    [3, 4],
    [4, 3],
    [5, 3],
    [3, 5],
    [7, 2],
    [7, 5],
    [5, 8],
    [9, 4],
    [7, 9],
  ] as const);
  const unit = d.amount(6, 30);
  const total = (p + q) * unit;
  s.say(
    `${x.name} and ${y.name} ${d.pick(["won", "earned", "were given"])} $${total} together and shared the money in the ratio ${p}:${q}.`,
  );
  s.extra(aboutPerson(d, x), `They have worked together for ${d.int(3, 15)} years.`);
  const parts = s.step(`There are {} equal parts.`, `${p}+${q}`);
  const part = s.step(`One part is {$}.`, `${total}/${parts}`);
  if (s.left === 0) redraw();
  if (s.left === 1 && d.chance(0.4)) {
    s.ask(`How much did ${y.name} get?`);
    s.step(`${y.name} got {$}.`, `${q}*${part}`);
    return;
  }
  s.ask(`How much did ${x.name} get?`);
  const share = s.step(`${x.name} got {$}.`, `${p}*${part}`);
  if (s.left === 0) return;
  if (s.left === 1 && d.chance(0.5)) {
    const [old, age] = [d.amount(20, 100), d.pick(["a piggy bank", "a drawer", "a bank account"])];
    s.note(`${x.name} already had $${old} in ${age}.`);
    s.ask(`How much money did ${x.name} have then?`);
    s.step(`Then ${x.name} had {$}.`, `${old}+${share}`);
    return;
  }
  s.say(`After that, ${x.name} made plans for ${x.his} share.`);
  withMoney(s, x, share);
};

/** A vote between three. */
const election: Template = (s, d) => {
  const [x, y, z] = [s.person(), s.person(), s.person()];
  const voters = 20 * d.amount(4, 15);
  const rate = d.pick([10, 15, 20, 25, 30, 35, 40]);
  const f = d.int(2, 5);
  s.say(
    `${names([x, y, z])} wanted to become ${d.pick(["class president", "head of the club", "mayor of a small town"])}, and ${voters} people voted.`,
  );
  s.note(`${x.name} got ${rate}% of the votes.`);
  s.note(`${y.name} got ${s.part(f)} of the votes that did not go to ${x.name}, and ${z.name} got all other votes.`);
  s.extra(
    `The vote took place on a ${d.pick(DAYS)} and lasted ${d.int(2, 9)} hours.`,
    `At the vote before, ${d.int(40, 300)} people had voted.`,
  );
  const first = s.step(`${x.name} got {} votes.`, `${voters}*${rate}/100`);
  const rest = s.step(`The other two got {} votes together.`, `${voters}-${first}`);
  s.ask(`How many votes did ${y.name} and ${z.name} get together?`);
  if (s.left === 0) return;
  const second = s.step(`${y.name} got {} votes.`, `${rest}/${f}`);
  s.ask(`How many votes did ${y.name} get?`);
  if (s.left === 0) return;
  const third = s.step(`${z.name} got {} votes.`, `${rest}-${second}`);
  s.ask(`How many votes did ${z.name} get?`);
  if (s.left === 0) return;
  if (third === first) redraw();
  const word = third > first ? "more" : "fewer";
  s.ask(`How many ${word} votes did ${z.name} get than ${x.name}?`);
  const diff = s.step(
    `${z.name} got {} ${word} votes than ${x.name}.`,
    `${Math.max(first, third)}-${Math.min(first, third)}`,
  );
  if (s.left === 0) return;
  const before = d.amount(3, 40);
  s.note(`In a test vote, the difference between ${x.name} and ${z.name} had been ${before} votes larger.`);
  s.ask(`What was the difference between ${x.name} and ${z.name} in the test vote?`);
  s.step(`In the test vote, the difference was {} votes.`, `${diff}+${before}`);
};

/** How many at first, worked backwards. */
const backwards: Template = (s, d) => {
  const who = s.person();
  const thing = d.pick(SMALL_THINGS);
  const [left, given, people, each] = [d.amount(5, 40), d.amount(6, 40), d.int(3, 12), d.int(3, 15)];
  s.say(`${who.name} ${d.pick(["brought", "took"])} a bag of ${thing.many} to school.`);
  s.say(
    `${who.he} gave ${each} ${thing.many} to each of ${s.count(people)} friends and ${given} to a teacher, and then ${left} ${thing.many} were left.`,
  );
  s.extra(aboutPerson(d, who), aboutThing(d, thing));
  const first = s.step(`The friends got {} ${thing.many}.`, `${people}*${each}`);
  s.ask(`How many ${thing.many} were in the bag at first?`);
  const start =
    s.left > 1 && d.chance(0.6)
      ? s.step(
          `At first, there were {} ${thing.many} in the bag.`,
          `${s.step(`In all, ${who.he} gave away {} ${thing.many}.`, `${first}+${given}`)}+${left}`,
        )
      : s.step(`At first, there were {} ${thing.many} in the bag.`, `${first}+${given}+${left}`);
  if (s.left === 0) return;
  if (s.left === 1 || d.chance(0.5)) {
    const home = d.amount(5, 60);
    s.note(`Another ${home} ${thing.many} of ${who.name} had stayed at home.`);
    s.ask(`How many ${thing.many} did ${who.name} have at first, with those at home?`);
    const all = s.step(`With those at home, ${who.he} had {} ${thing.many} at first.`, `${start}+${home}`);
    if (s.left === 0) return;
    const sets = d.divisor(all, 2, 40);
    s.note(`At first, all these ${thing.many} had come in packs of ${s.count(sets)}.`);
    s.ask(`How many packs of ${thing.many} had ${who.name} got at first?`);
    const packs = s.step(`These were {} packs.`, `${all}/${sets}`);
    if (s.left === 0) return;
    const price = d.int(2, 19);
    s.note(`A pack had cost $${price}.`);
    s.ask(`How much had all the packs cost?`);
    s.step(`The packs had cost {$}.`, `${packs}*${price}`);
    return;
  }
  const factor = d.int(2, 5);
  const other = s.person();
  s.note(`${other.name} had brought ${times(factor)} as many ${thing.many} as ${who.name} had at first.`);
  s.ask(`How many ${thing.many} did the two bring to school altogether?`);
  const theirs = s.step(`${other.name} had brought {} ${thing.many}.`, `${start}*${factor}`);
  s.step(`Together, they had brought {} ${thing.many}.`, `${start}+${theirs}`);
};

export const PEOPLE: Readonly<Record<string, Template>> = {
  collectors,
  ages,
  sumAndDifference,
  ratio,
  election,
  backwards,
};
