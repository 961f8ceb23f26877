import { aboutPerson, aboutThing } from "../distractors.ts";
import { times } from "../phrases.ts";
import { withMoney } from "../stages/money.ts";
import { withThings } from "../stages/counts.ts";
import type { Template } from "../story.ts";
import { BAKED, COLORS, DAYS, FLOWERS, FRUIT, SMALL_THINGS } from "../vocabulary.ts";

/** Batches from the oven. */
const batches: Template = (s, d) => {
  const who = s.person();
  const thing = d.pick(BAKED);
  const [n, each, burnt] = [d.rate(4, 14), d.rate(8, 24), d.int(3, 20)];
  s.say(
    `${who.name} baked ${s.count(n)} trays of ${thing.many}${d.pick(["", ` on ${d.pick(DAYS)}`, " for a street party"])}.`,
  );
  s.note(`Each tray held ${each} ${thing.many}.`);
  s.extra(
    aboutPerson(d, who),
    `Each tray was in the oven for ${d.int(10, 45)} minutes.`,
    `The oven was set to ${5 * d.int(60, 85)} degrees.`,
  );
  const all = s.step(`${who.name} baked {} ${thing.many}.`, `${n}*${each}`);
  if (d.chance(0.5)) {
    s.ask(`How many ${thing.many} did ${who.name} bake?`);
    withThings(s, { who, thing, n: all });
    return;
  }
  s.say(`${burnt} of the ${thing.many} got burnt and could not be eaten.`);
  s.ask(`How many good ${thing.many} did ${who.name} have?`);
  withThings(s, { who, thing, n: s.step(`${who.he} had {} good ones.`, `${all}-${burnt}`) });
};

/** A stall with two goods. */
const bakeSale: Template = (s, d) => {
  const who = s.person();
  const [x, y] = d.two(BAKED);
  const [m, n] = [d.amount(12, 40), d.amount(12, 40)];
  const [p, q] = [d.int(2, x.price[1]), d.int(2, y.price[1])];
  s.say(`At a bake sale, ${who.name} sold ${m} ${x.many} and ${n} ${y.many}.`);
  s.note(`One ${x.one} cost $${p} and one ${y.one} cost $${q}.`);
  s.extra(
    aboutPerson(d, who),
    `The sale lasted ${d.int(2, 8)} hours.`,
    `Last year, ${d.int(20, 90)} ${y.many} were sold.`,
  );
  const first = s.step(`The ${x.many} brought in {$}.`, `${m}*${p}`);
  s.ask(`How much money did ${who.name} take in?`);
  if (s.left > 1 && d.chance(0.6)) {
    const second = s.step(`The ${y.many} brought in {$}.`, `${n}*${q}`);
    withMoney(s, who, s.step(`In total, ${who.he} took in {$}.`, `${first}+${second}`));
    return;
  }
  withMoney(s, who, s.step(`With the ${y.many}, ${who.he} took in {$}.`, `${first}+${n}*${q}`));
};

/** A drinks stand on two days. */
const drinksStand: Template = (s, d) => {
  const who = s.person();
  const drink = d.pick(["lemonade", "iced tea", "hot chocolate", "apple juice"]);
  const [price, first, cost] = [d.int(2, 6), d.multiple(6, 18, 60), d.amount(5, 20)];
  const [day, next] = d.pick([
    ["Saturday", "Sunday"],
    ["Friday", "Saturday"],
    ["Monday", "Tuesday"],
  ] as const);
  const less = d.chance(0.5);
  const k = less ? d.pick([2, 3]) : d.pick([2, 3, 4]);
  s.say(`${who.name} sold ${first} cups of ${drink} on ${day} and ${less ? s.part(k) : times(k)} as many on ${next}.`);
  s.note(`Each cup cost $${price}.`);
  s.extra(
    aboutPerson(d, who),
    `On ${day}, it was ${d.int(50, 90)} degrees outside.`,
    `The stand was open for ${d.int(3, 8)} hours.`,
  );
  const second = s.step(`On ${next}, ${who.he} sold {} cups.`, less ? `${first}/${k}` : `${first}*${k}`);
  if (s.left === 1) {
    s.ask(`How much money did ${who.name} make on ${next}?`);
    s.step(`On ${next}, ${who.he} made {$}.`, `${second}*${price}`);
    return;
  }
  const cups = s.step(`On both days together, ${who.he} sold {} cups.`, `${first}+${second}`);
  s.ask(`How much money did ${who.name} make on the two days?`);
  const income = s.step(`${who.he} made {$}.`, `${cups}*${price}`);
  if (s.left === 0) return;
  s.note(`The ingredients cost $${cost} in all.`);
  s.ask(`How much profit did ${who.name} make?`);
  withMoney(s, who, s.step(`The profit was {$}.`, `${income}-${cost}`));
};

/** So many a day, less the ones that were spoiled. */
const workshop: Template = (s, d) => {
  const who = s.person();
  const thing = d.pick(
    SMALL_THINGS.filter(({ one }) => /candle|bracelet|card$|badge|bookmark|magnet|keychain/.test(one)),
  );
  const [hours, each, days] = [d.int(2, 9), d.rate(4, 14), d.int(3, 20)];
  s.say(
    `${who.name} makes ${thing.many} ${d.pick(["in a garage", "at home", "in a small workshop"])} and finishes ${each} of them in an hour.`,
  );
  s.say(`In the last ${s.count(days)} days, ${who.he} worked ${s.count(hours)} hours a day.`);
  s.extra(
    aboutPerson(d, who),
    aboutThing(d, thing),
    `The material for one ${thing.one} comes in ${d.int(3, 9)} parts.`,
  );
  const daily = s.step(`${who.he} made {} ${thing.many} a day.`, `${each}*${hours}`);
  s.ask(`How many ${thing.many} did ${who.name} make?`);
  withThings(s, { who, thing, n: s.step(`In ${days} days, ${who.he} made {} ${thing.many}.`, `${daily}*${days}`) });
};

/** Cloth cut for several garments. */
const sewing: Template = (s, d) => {
  const who = s.person();
  const [x, y] = d.two(["curtains", "costumes", "tablecloths", "quilts", "aprons"]);
  const [p, q, m, n] = [d.int(3, 9), d.int(2, 8), d.rate(4, 14), d.rate(4, 14)];
  const price = d.int(4, 15);
  s.say(`${who.name} sewed ${s.count(m)} ${x} and ${s.count(n)} ${y} for the theater.`);
  s.note(`Each of the ${x} needed ${p} yards of cloth.`);
  s.note(`Each of the ${y} needed ${q} yards of cloth.`);
  s.extra(
    aboutPerson(d, who),
    `The theater has ${d.int(80, 400)} seats.`,
    `The sewing machine is ${d.int(3, 30)} years old.`,
  );
  const first = s.step(`The ${x} needed {} yards.`, `${m}*${p}`);
  s.ask(`How many yards of cloth did ${who.name} need?`);
  const total =
    s.left > 1 && d.chance(0.6)
      ? s.step(`Together that was {} yards.`, `${first}+${s.step(`The ${y} needed {} yards.`, `${n}*${q}`)}`)
      : s.step(`With the ${y}, ${who.he} needed {} yards.`, `${first}+${n}*${q}`);
  if (s.left === 0) return;
  s.note(`A yard of the cloth cost $${price}.`);
  s.ask(`How much did the cloth cost?`);
  const cost = s.step(`The cloth cost {$}.`, `${total}*${price}`);
  if (s.left === 0) return;
  const pay = cost + d.amount(60, 400);
  s.say(`The theater paid ${who.him} $${pay} for everything, and ${who.he} had to pay for the cloth.`);
  s.ask(`How much money did ${who.name} keep?`);
  withMoney(s, who, s.step(`${who.he} kept {$}.`, `${pay}-${cost}`));
};

/** Bouquets of two kinds of flowers. */
const bouquets: Template = (s, d) => {
  const who = s.person();
  const [x, y] = d.two(FLOWERS);
  const [p, q, n] = [d.int(3, 9), d.int(3, 12), d.amount(6, 20)];
  const [px, py] = [d.int(1, 4), d.int(1, 4)];
  s.say(`${who.name} made ${n} bouquets for a wedding.`);
  s.note(`Every bouquet had ${s.count(p)} ${x.many} and ${s.count(q)} ${y.many}.`);
  s.extra(
    aboutPerson(d, who),
    `The wedding had ${d.int(40, 200)} guests.`,
    `The bouquets were tied with ${d.pick(COLORS)} ribbons, ${d.int(2, 5)} feet long each.`,
  );
  if (s.left === 2 || d.chance(0.4)) {
    const each = s.step(`Each bouquet had {} flowers.`, `${p}+${q}`);
    s.ask(`How many flowers did ${who.name} use?`);
    const total = s.step(`For all bouquets, ${who.he} used {} flowers.`, `${n}*${each}`);
    if (s.left === 0) return;
    const price = d.int(2, 6);
    s.note(`On average, a flower cost $${price}.`);
    s.ask(`How much did the flowers cost?`);
    const cost = s.step(`The flowers cost {$}.`, `${total}*${price}`);
    if (s.left === 0) return;
    const had = cost + d.amount(20, 150);
    s.say(`${who.he} had $${had} to spend.`);
    s.ask(`How much money did ${who.name} have left?`);
    withMoney(s, who, s.step(`${who.he} had {$} left.`, `${had}-${cost}`));
    return;
  }
  s.note(`A single ${x.one} cost $${px + 1}, and a single ${y.one} cost $${py + 1}.`);
  const first = s.step(`The ${x.many} for one bouquet cost {$}.`, `${p}*${px + 1}`);
  const sum =
    s.left > 2 && d.chance(0.5)
      ? s.step(
          `So the flowers for one bouquet cost {$}.`,
          `${first}+${s.step(`The ${y.many} for one bouquet cost {$}.`, `${q}*${py + 1}`)}`,
        )
      : s.step(`So the flowers for one bouquet cost {$}.`, `${first}+${q}*${py + 1}`);
  const price = sum + d.int(3, 25);
  if (s.left === 1) {
    s.ask(`How much did all the flowers cost?`);
    s.step(`All the flowers cost {$}.`, `${n}*${sum}`);
    return;
  }
  s.say(`${who.he} sold each bouquet for $${price}.`);
  s.ask(`How much profit did ${who.name} make?`);
  const each = s.step(`The profit on one bouquet was {$}.`, `${price}-${sum}`);
  withMoney(s, who, s.step(`The profit on all of them was {$}.`, `${n}*${each}`));
};

const DISHES = [
  { dish: "vegetable soup", x: "broth", y: "carrots" },
  { dish: "pancakes", x: "flour", y: "milk" },
  { dish: "potato salad", x: "potatoes", y: "cream" },
  { dish: "chili", x: "beans", y: "tomatoes" },
  { dish: "rice pudding", x: "milk", y: "rice" },
  { dish: "fruit punch", x: "orange juice", y: "ginger ale" },
  { dish: "granola", x: "oats", y: "nuts" },
  { dish: "bread", x: "flour", y: "water" },
] as const;

/** A recipe for more people. */
const recipe: Template = (s, d) => {
  const who = s.person();
  const { dish, x, y } = d.pick(DISHES);
  const [serves, p, q, factor] = [d.int(3, 8), d.int(2, 9), d.int(2, 9), d.amount(4, 9)];
  if (p === q) return recipe(s, d);
  const people = serves * factor;
  s.say(
    `A recipe for ${dish} serves ${s.count(serves)} people and needs ${s.count(p)} cups of ${x} and ${s.count(q)} cups of ${y}.`,
  );
  s.say(`${who.name} cooks for ${people} people.`);
  s.extra(aboutPerson(d, who), `It takes ${d.int(15, 90)} minutes to cook the dish.`);
  const batch = s.step(`${who.name} makes the recipe {} times.`, `${people}/${serves}`);
  if (s.left === 1) {
    s.ask(`How many cups of ${x} does ${who.name} need?`);
    s.step(`${who.he} needs {} cups of ${x}.`, `${batch}*${p}`);
    return;
  }
  const total =
    s.left > 2
      ? s.step(
          `Together that is {} cups.`,
          `${s.step(`${who.he} needs {} cups of ${x}.`, `${batch}*${p}`)}+${s.step(`${who.he} needs {} cups of ${y}.`, `${batch}*${q}`)}`,
        )
      : s.step(
          `${who.he} needs {} cups in all.`,
          `${batch}*${s.step(`For each batch, {} cups of ${x} and ${y} are needed.`, `${p}+${q}`)}`,
        );
  s.ask(`How many cups of ${x} and ${y} does ${who.name} need altogether?`);
  if (s.left === 0) return;
  const has = d.int(2, Math.max(2, Math.min(total - 2, 40)));
  s.note(`There are already ${has} cups of these two ingredients in ${who.name}'s kitchen.`);
  s.ask(`How many more cups of ${x} and ${y} does ${who.name} have to buy?`);
  const missing = s.step(`${who.he} has to buy {} cups.`, `${total}-${has}`);
  if (s.left === 0) return;
  const price = d.int(2, 4);
  s.note(`A cup of ${x} or ${y} costs $${price}.`);
  s.ask(`How much does ${who.name} have to pay for the missing ingredients?`);
  s.step(`${who.he} has to pay {$}.`, `${missing}*${price}`);
};

/** Jars of jam from so many pounds of fruit. */
const jam: Template = (s, d) => {
  const who = s.person();
  const fruit = d.pick(FRUIT);
  const [pounds, people, rate] = [d.amount(6, 20), d.int(2, 9), d.int(2, 6)];
  const thing = { one: "jar", many: "jars", price: [4, 12] } as const;
  s.say(
    `${who.name} and ${who.his} friends, ${s.count(people)} people in all, each picked ${pounds} pounds of ${fruit.many}.`,
  );
  s.say(`They gave all the fruit to ${who.name}, who made jam of it.`);
  s.note(`Every pound of fruit gave ${s.count(rate)} jars of jam.`);
  s.extra(aboutPerson(d, who), `A jar holds ${d.int(6, 16)} ounces.`, `Cooking the jam took ${d.int(2, 9)} hours.`);
  const all = s.step(`They picked {} pounds of ${fruit.many}.`, `${people}*${pounds}`);
  s.ask(`How many jars of jam did ${who.name} make?`);
  withThings(s, { who, thing, n: s.step(`${who.name} made {} jars of jam.`, `${all}*${rate}`) });
};

export const MAKING: Readonly<Record<string, Template>> = {
  batches,
  bakeSale,
  drinksStand,
  workshop,
  sewing,
  bouquets,
  recipe,
  jam,
};
