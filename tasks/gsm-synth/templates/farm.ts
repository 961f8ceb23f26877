import { redraw } from "../draws.ts";
import { aboutPerson } from "../distractors.ts";
import { capital, times } from "../phrases.ts";
import { compared, listed } from "../stages/compare.ts";
import { withThings } from "../stages/counts.ts";
import { withMoney } from "../stages/money.ts";
import { withBill } from "../stages/bill.ts";
import type { Template } from "../story.ts";
import { DAYS, FLOWERS, FRUIT, VEGETABLES } from "../vocabulary.ts";

/** Rows of trees that bear fruit. */
const orchard: Template = (s, d) => {
  const who = s.person();
  const fruit = d.pick(FRUIT.filter(({ one }) => !/melon|pineapple/.test(one)));
  const [rows, trees, each] = [d.int(3, 12), d.rate(3, 12), d.rate(4, 20)];
  s.say(`${who.name} has an orchard with ${s.count(rows)} rows of ${s.count(trees)} trees each.`);
  s.note(`This year, every tree bore ${each} ${fruit.many}.`);
  s.extra(aboutPerson(d, who), `The trees are ${d.int(5, 30)} years old.`, `The rows are ${d.int(5, 30)} feet apart.`);
  const all = s.step(`There are {} trees in the orchard.`, `${rows}*${trees}`);
  s.ask(`How many ${fruit.many} did the trees bear?`);
  withThings(s, { who, thing: fruit, n: s.step(`The trees bore {} ${fruit.many}.`, `${all}*${each}`) });
};

/** Eggs from hens. */
const eggs: Template = (s, d) => {
  const who = s.person();
  const [hens, each, days] = [d.amount(8, 25), d.int(3, 6), d.int(6, 14)];
  const thing = { one: "egg", many: "eggs", price: [1, 2] } as const;
  const eaten = d.upTo(hens * each * days - 12, 5, 40);
  s.say(`${who.name} keeps ${hens} hens.`);
  s.note(`Every ${s.count(days)} days, each hen lays ${s.count(each)} eggs.`);
  s.extra(
    aboutPerson(d, who),
    `There are also ${d.int(3, 12)} goats on the farm.`,
    `The hens get ${d.int(5, 40)} pounds of grain a week.`,
  );
  const laid = s.step(`In ${days} days, the hens lay {} eggs.`, `${hens}*${each}`);
  const period = d.int(2, 9);
  s.say(`${who.name} collected all the eggs that they laid in ${days * period} days.`);
  s.ask(`How many eggs did ${who.name} collect?`);
  const rounds = s.step(`That happens {} times in ${days * period} days.`, `${days * period}/${days}`);
  if (s.left === 0) redraw();
  const total = s.step(`${who.he} collected {} eggs.`, `${laid}*${rounds}`);
  if (s.left === 0) return;
  if (eaten >= total || d.chance(0.5)) {
    withThings(s, { who, thing, n: total });
    return;
  }
  s.say(`${who.his} family ate ${eaten} of the eggs.`);
  s.ask(`How many eggs were left?`);
  withThings(s, { who, thing, n: s.step(`Then {} eggs were left.`, `${total}-${eaten}`) });
};

/** Legs of two kinds of animals. */
const legs: Template = (s, d) => {
  const who = s.person();
  const four = d.pick(["cows", "goats", "sheep", "horses", "pigs", "rabbits"]);
  const two = d.pick(["chickens", "ducks", "geese", "turkeys"]);
  const n = d.amount(8, 40);
  s.know(2, 4);
  s.say(`There are ${n} ${four} on ${who.name}'s farm.`);
  s.extra(aboutPerson(d, who), `The farm is ${d.int(10, 90)} years old.`, `The barn has ${d.int(3, 12)} doors.`);
  const more = s.target > 3;
  const factor = d.int(2, 4);
  const plus = d.amount(3, 30);
  s.note(
    more
      ? `The number of ${two} is ${plus} more than ${times(factor)} the number of ${four}.`
      : `The farm has ${times(factor)} as many ${two} as ${four}.`,
  );
  let birds = s.step(
    more ? `${capital(times(factor))} the number of ${four} is {}.` : `There are {} ${two}.`,
    `${n}*${factor}`,
  );
  if (more) birds = s.step(`So there are {} ${two}.`, `${birds}+${plus}`);
  if (s.left === 1) {
    s.ask(`How many animals are there on the farm if these are all?`);
    s.step(`There are {} animals on the farm.`, `${n}+${birds}`);
    return;
  }
  const x = s.step(`The ${four} have {} legs.`, `${n}*4`);
  s.ask(`How many legs do the ${four} and the ${two} have altogether?`);
  if (s.left === 1) {
    s.step(`With the ${two}, the animals have {} legs.`, `${x}+${birds}*2`);
    return;
  }
  const y = s.step(`The ${two} have {} legs.`, `${birds}*2`);
  s.step(`Altogether, the animals have {} legs.`, `${x}+${y}`);
};

/** Milk from cows, bottled and sold. */
const milk: Template = (s, d) => {
  const who = s.person();
  const [cows, each, days] = [d.amount(6, 20), d.int(3, 8), d.int(2, 14)];
  const thing = { one: "gallon of milk", many: "gallons of milk", price: [3, 7] } as const;
  s.say(`${who.name} has ${cows} cows.`);
  s.note(`Each cow gives ${s.count(each)} gallons of milk a day.`);
  s.extra(
    aboutPerson(d, who),
    `A cow eats ${d.int(20, 60)} pounds of hay a day.`,
    `The oldest cow is ${d.int(9, 18)} years old.`,
  );
  const daily = s.step(`The cows give {} gallons of milk a day.`, `${cows}*${each}`);
  const price = d.int(...thing.price);
  const used = d.upTo(daily - 1, 2, 12);
  if (s.left === 1) {
    s.ask(`How many gallons of milk does ${who.name} get in ${days} days?`);
    s.step(`In ${days} days, ${who.he} gets {} gallons.`, `${daily}*${days}`);
    return;
  }
  s.say(
    `${who.his} family uses ${used} gallon${used === 1 ? "" : "s"} a day, and the rest is sold for $${price} a gallon.`,
  );
  const sold = s.step(`Every day, {} gallons are sold.`, `${daily}-${used}`);
  s.ask(`How much money does ${who.name} make with milk in a day?`);
  const income = s.step(`${who.he} makes {$} a day.`, `${sold}*${price}`);
  if (s.left === 0) return;
  s.ask(`How much money does ${who.name} make with milk in ${days} days?`);
  if (s.left > 1) s.say(`This went on for ${days} days.`);
  withMoney(s, who, s.step(`In ${days} days, ${who.he} makes {$}.`, `${income}*${days}`));
};

/** A garden in beds. */
const garden: Template = (s, d) => {
  const who = s.person();
  const [x, y, z] = d.three(FLOWERS);
  const beds = d.rate(3, 10);
  const [p, q, r] = [d.rate(4, 20), d.rate(4, 20), d.rate(4, 20)];
  const cost = d.int(2, 6);
  s.say(`${who.name} planted ${s.count(beds)} flower beds.`);
  s.note(`In every bed there were ${p} ${x.many}, ${q} ${y.many} and ${r} ${z.many}.`);
  s.extra(
    aboutPerson(d, who),
    `A bed is ${d.int(6, 20)} feet long.`,
    `The garden was watered for ${d.int(10, 50)} minutes a day.`,
  );
  const each = s.step(`Each bed had {} flowers.`, `${p}+${q}+${r}`);
  s.ask(`How many flowers did ${who.name} plant?`);
  const all = s.step(`In all beds, there were {} flowers.`, `${each}*${beds}`);
  if (s.left === 0) return;
  if (d.chance(0.5)) {
    s.note(`Each plant cost $${cost}.`);
    s.ask(`How much did the plants cost?`);
    withBill(s, who, s.step(`The plants cost {$}.`, `${all}*${cost}`));
    return;
  }
  withThings(s, { who, thing: { one: "flower", many: "flowers", price: [2, 6] }, n: all });
};

/** A harvest over several days, each compared with the day before. */
const harvest: Template = (s, d) => {
  const who = s.person();
  const crop = d.pick(VEGETABLES);
  const count = Math.min(s.target, 4);
  const start = d.int(0, 7 - count);
  const days = DAYS.slice(start, start + count);
  const first = d.amount(12, 60);
  s.say(`On ${days[0]}, ${who.name} picked ${first} ${crop}.`);
  s.extra(aboutPerson(d, who), `The field is ${d.int(40, 200)} feet long.`);
  const values = compared(s, {
    first,
    count,
    noun: crop,
    tell: (i, phrase) => `On ${days[i]}, ${who.name} picked ${phrase} on ${days[i - 1]}.`,
    solve: (i) => `On ${days[i]}, ${who.he} picked {} ${crop}.`,
  });
  s.ask(`How many ${crop} did ${who.name} pick on these ${days.length} days?`);
  const total = s.step(`On ${listed(days)} together, ${who.he} picked {} ${crop}.`, values.join("+"));
  withThings(s, {
    who,
    thing: {
      one: crop.replace(/(?:(tomat|potat)oes|(radish)es|s)$/, "$1$2").replace(/(tomat|potat)$/, "$1o"),
      many: crop,
      price: [1, 3],
    },
    n: total,
  });
};

/** Feed for animals. */
const feed: Template = (s, d) => {
  const who = s.person();
  const [x, y] = d.two(["horses", "sheep", "goats", "cows", "donkeys", "llamas"]);
  const [m, n, p, q] = [d.rate(4, 20), d.rate(4, 20), d.int(3, 15), d.int(3, 15)];
  s.say(`On ${who.name}'s farm there are ${m} ${x} and ${n} ${y}.`);
  s.note(`Each of the ${x} eats ${s.count(p)} pounds of hay a day.`);
  s.note(`Each of the ${y} eats ${s.count(q)} pounds of hay a day.`);
  s.extra(aboutPerson(d, who), `The farm also has ${d.int(10, 60)} chickens, which do not eat hay.`);
  const first = s.step(`The ${x} eat {} pounds a day.`, `${m}*${p}`);
  s.ask(`How many pounds of hay are needed for one day?`);
  const total =
    s.left > 1 && d.chance(0.7)
      ? s.step(`Together that is {} pounds a day.`, `${first}+${s.step(`The ${y} eat {} pounds a day.`, `${n}*${q}`)}`)
      : s.step(`With the ${y}, that is {} pounds a day.`, `${first}+${n}*${q}`);
  if (s.left === 0) return;
  const days = d.int(3, 30);
  if (s.left === 1 && d.chance(0.4)) {
    const store = total * days;
    s.note(`There are ${store} pounds of hay in the barn.`);
    s.ask(`For how many days will the hay in the barn last?`);
    s.step(`The hay lasts for {} days.`, `${store}/${total}`);
    return;
  }
  s.ask(`How many pounds of hay are needed for ${days} days?`);
  const needed = s.step(`For ${days} days, {} pounds are needed.`, `${total}*${days}`);
  if (s.left === 0) return;
  const has = d.int(5, needed - 1);
  s.say(`There are ${has} pounds of hay in the barn, and ${who.name} needs enough for ${days} days.`);
  s.ask(`How many more pounds of hay does ${who.name} have to buy?`);
  const missing = s.step(`${who.name} has to buy {} pounds.`, `${needed}-${has}`);
  if (s.left === 0) return;
  const bale = d.divisor(missing, 5, 60);
  s.note(`Hay is sold in bales of ${bale} pounds.`);
  s.ask(`How many bales of hay does ${who.name} have to buy?`);
  const bales = s.step(`That is {} bales.`, `${missing}/${bale}`);
  if (s.left > 0) {
    const price = d.int(4, 15);
    s.note(`A bale costs $${price}.`);
    s.ask(`How much does ${who.name} have to pay for the missing hay?`);
    s.step(`The bales cost {$}.`, `${bales}*${price}`);
  }
};

/** Honey from hives. */
const honey: Template = (s, d) => {
  const who = s.person();
  const [hives, each] = [d.rate(4, 20), d.rate(6, 20)];
  const thing = { one: "jar", many: "jars", price: [5, 15] } as const;
  s.say(`${who.name} is a beekeeper with ${hives} hives.`);
  const more = d.int(2, 9);
  s.note(`Last year, each hive gave ${each} pounds of honey.`);
  s.say(`This year, each hive gave ${more} pounds more than last year.`);
  s.note(`One pound of honey fills ${s.count(2)} jars.`);
  s.extra(
    aboutPerson(d, who),
    `About ${100 * d.int(90, 400)} bees live in one hive.`,
    `The hives stand ${d.int(5, 30)} feet apart.`,
  );
  const pounds =
    s.target > 3 || d.chance(0.4)
      ? s.step(
          `All hives together gave {} pounds.`,
          `${hives}*${s.step(`This year, each hive gave {} pounds.`, `${each}+${more}`)}`,
        )
      : s.step(`This year, the hives gave {} pounds.`, `${hives}*(${each}+${more})`);
  if (s.left === 0) {
    s.ask(`How many pounds of honey did the hives give this year?`);
    return;
  }
  s.ask(`How many jars did ${who.name} fill this year?`);
  withThings(s, { who, thing, n: s.step(`${who.name} filled {} jars.`, `${pounds}*2`) });
};

export const FARM: Readonly<Record<string, Template>> = { orchard, eggs, legs, milk, garden, harvest, feed, honey };
