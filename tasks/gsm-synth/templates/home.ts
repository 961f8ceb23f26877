import { aboutPerson } from "../distractors.ts";
import { times } from "../phrases.ts";
import { withBill } from "../stages/bill.ts";
import { withThings } from "../stages/counts.ts";
import type { Template } from "../story.ts";
import { BOXES, COLORS, SMALL_THINGS } from "../vocabulary.ts";

/** A fence around a rectangle. */
const fence: Template = (s, d) => {
  const who = s.person();
  const [width, extra, price, gate] = [d.amount(8, 30), d.amount(4, 20), d.rate(4, 15), d.int(2, 6)];
  const place = d.pick(["garden", "meadow", "playground", "dog run"]);
  s.know(2);
  s.say(`${who.name} wants to put a fence around a rectangular ${place}.`);
  s.say(`The ${place} is ${width} feet wide, and it is ${extra} feet longer than it is wide.`);
  s.extra(
    aboutPerson(d, who),
    `The fence will be ${d.int(3, 7)} feet high.`,
    `A neighbor's fence is ${d.int(50, 200)} feet long.`,
  );
  const length = s.step(`The ${place} is {} feet long.`, `${width}+${extra}`);
  const around =
    s.left > 3
      ? s.step(
          `All four sides together are {} feet long.`,
          `2*${s.step(`One long and one short side together are {} feet long.`, `${width}+${length}`)}`,
        )
      : s.step(`All four sides together are {} feet long.`, `2*(${width}+${length})`);
  s.ask(`How many feet of fence would go all the way around the ${place}?`);
  if (s.left === 0) return;
  s.say(`A gap of ${gate} feet is left for a gate.`);
  s.ask(`How many feet of fence does ${who.name} need?`);
  const needed = s.step(`Without the gate, {} feet of fence are needed.`, `${around}-${gate}`);
  if (s.left === 0) return;
  s.note(`The fence costs $${price} a foot.`);
  s.ask(`How much does ${who.name} have to pay for the fence?`);
  const cost = s.step(`The fence costs {$}.`, `${needed}*${price}`);
  if (s.left === 0) return;
  const door = d.int(40, 190);
  s.note(`The gate costs $${door}.`);
  s.ask(`How much does ${who.name} have to pay for the fence and the gate?`);
  s.step(`With the gate, ${who.he} has to pay {$}.`, `${cost}+${door}`);
};

/** Walls to paint, less the windows. */
const painting: Template = (s, d) => {
  const who = s.person();
  const [walls, height, width, windows, area] = [d.int(2, 6), d.int(8, 12), d.int(10, 24), d.int(2, 5), d.int(6, 20)];
  const color = d.pick(COLORS);
  s.say(`${who.name} painted ${s.count(walls)} walls of a house ${color}.`);
  s.note(`Each wall was ${height} feet high and ${width} feet wide.`);
  s.extra(aboutPerson(d, who), `A brush cost $${d.int(4, 15)}.`, `The house has ${d.int(4, 12)} rooms.`);
  const one = s.step(`One wall had an area of {} square feet.`, `${height}*${width}`);
  const all = s.step(`All the walls had an area of {} square feet.`, `${one}*${walls}`);
  s.ask(`How many square feet did the walls have altogether?`);
  if (s.left === 0) return;
  s.say(`The walls had ${s.count(windows)} windows of ${area} square feet each, which were not painted.`);
  s.ask(`How many square feet did ${who.name} paint?`);
  let rest = 0;
  if (s.left === 1 || d.chance(0.4)) rest = s.step(`So ${who.he} painted {} square feet.`, `${all}-${windows}*${area}`);
  else
    rest = s.step(
      `So ${who.he} painted {} square feet.`,
      `${all}-${s.step(`The windows had an area of {} square feet.`, `${windows}*${area}`)}`,
    );
  if (s.left === 0) return;
  const can = d.divisor(rest, 4, 120);
  s.note(`A can of paint was enough for ${can} square feet.`);
  s.ask(`How many cans of paint did ${who.name} need?`);
  const cans = s.step(`${who.he} needed {} cans of paint.`, `${rest}/${can}`);
  if (s.left === 0) return;
  const price = d.int(12, 45);
  s.note(`Each can cost $${price}.`);
  s.ask(`How much did ${who.name} pay for the paint?`);
  withBill(s, who, s.step(`The paint cost {$}.`, `${cans}*${price}`));
};

/** Tiles on a floor. */
const tiles: Template = (s, d) => {
  const who = s.person();
  const [length, width, each, broken] = [d.rate(6, 20), d.rate(5, 14), d.int(2, 9), d.int(3, 25)];
  const room = d.pick(["kitchen", "terrace", "hallway", "bathroom", "porch"]);
  s.say(`${who.name} covered the floor of a ${room} with tiles.`);
  s.note(
    `The ${room} was ${length} feet long and ${width} feet wide, and ${s.count(each)} tiles were needed for every square foot.`,
  );
  s.extra(
    aboutPerson(d, who),
    `The ${room} had not been changed for ${d.int(5, 30)} years.`,
    `The tiles came in ${d.int(3, 15)} colors.`,
  );
  const area = s.step(`The ${room} had an area of {} square feet.`, `${length}*${width}`);
  s.ask(`How many tiles were needed for the ${room}?`);
  const needed = s.step(`For that, {} tiles were needed.`, `${area}*${each}`);
  if (s.left === 0) return;
  s.note(`In addition, ${broken} tiles broke and could not be used.`);
  s.ask(`How many tiles did ${who.name} buy if none were left over?`);
  const bought = s.step(`With the broken ones, ${who.he} bought {} tiles.`, `${needed}+${broken}`);
  if (s.left === 0) return;
  const price = d.int(2, 6);
  s.note(`A tile cost $${price}.`);
  s.ask(`How much did ${who.name} pay for the tiles if none were left over?`);
  withBill(s, who, s.step(`The tiles cost {$}.`, `${bought}*${price}`));
};

/** A tank that fills and leaks. */
const tank: Template = (s, d) => {
  const [tap, second, leak, minutes] = [d.rate(8, 25), d.rate(5, 20), d.int(2, 6), d.amount(8, 30)];
  const start = d.amount(10, 80);
  const what = d.pick(["water tank", "swimming pool", "fish pond"]);
  const capacity = start + (tap + second - leak) * minutes;
  const find = s.target > 2 && d.chance(0.5);
  s.say(`There are ${start} gallons of water in a ${what}${find ? `, which holds ${capacity} gallons` : ""}.`);
  s.note(`One pipe adds ${tap} gallons a minute and another pipe adds ${second} gallons a minute.`);
  s.note(`At the same time, ${s.count(leak)} gallons a minute flow out of the ${what}.`);
  s.extra(`The ${what} is ${d.int(4, 12)} feet deep.`, `The ${what} was built ${d.int(3, 20)} years ago.`);
  const gain =
    s.target > 3 || d.chance(0.4)
      ? s.step(
          `So the ${what} gains {} gallons a minute.`,
          `${s.step(`Both pipes add {} gallons a minute.`, `${tap}+${second}`)}-${leak}`,
        )
      : s.step(`The ${what} gains {} gallons a minute.`, `${tap}+${second}-${leak}`);
  if (find) {
    const room = s.step(`There is room for {} more gallons.`, `${capacity}-${start}`);
    s.ask(`How many minutes does it take to fill the ${what}?`);
    const time = s.step(`It takes {} minutes to fill the ${what}.`, `${room}/${gain}`);
    if (s.left === 0) return;
    const done = d.int(3, time - 1);
    s.note(`The pipes have been open for ${done} minutes since there were ${start} gallons.`);
    s.ask(`How many more minutes does it take to fill the ${what}?`);
    const more = s.step(`It takes {} more minutes.`, `${time}-${done}`);
    if (s.left === 0) return;
    s.ask(`How many gallons are still missing?`);
    s.step(`So {} gallons are still missing.`, `${more}*${gain}`);
    return;
  }
  s.ask(`By how many gallons does the water in the ${what} grow in ${minutes} minutes?`);
  const added = s.step(`In ${minutes} minutes, it gains {} gallons.`, `${gain}*${minutes}`);
  if (s.left === 0) return;
  s.ask(`How many gallons are in the ${what} after ${minutes} minutes?`);
  const total = s.step(`After ${minutes} minutes, there are {} gallons in it.`, `${start}+${added}`);
  if (s.left === 0) return;
  const used = d.int(5, total - 5);
  s.ask(`If ${used} gallons are pumped out after ${minutes} minutes, how many gallons stay in the ${what}?`);
  const rest = s.step(`After pumping, {} gallons stay in it.`, `${total}-${used}`);
  if (s.left === 0) return;
  const part = d.divisor(rest, 2, 40);
  s.ask(
    `If ${used} gallons are pumped out after ${minutes} minutes and the rest is put into ${s.count(part)} equal barrels, how many gallons does each barrel get?`,
  );
  s.step(`Each barrel gets {} gallons.`, `${rest}/${part}`);
};

/** A book read at two paces. */
const reading: Template = (s, d) => {
  const who = s.person();
  const [first, days, k, later] = [d.int(9, 40), d.int(3, 9), d.int(2, 3), d.int(2, 9)];
  s.say(`${who.name} read ${first} pages of a book a day for ${s.count(days)} days.`);
  s.say(`Then, for ${s.count(later)} days, ${who.he} read ${times(k)} as many pages a day.`);
  s.extra(
    aboutPerson(d, who),
    `The book has ${d.int(12, 40)} pictures.`,
    `The book was written ${d.int(15, 90)} years ago.`,
  );
  if (s.left === 2) {
    s.ask(`How many pages did ${who.name} read in the last ${later} days?`);
    const daily = s.step(`Then ${who.he} read {} pages a day.`, `${first}*${k}`);
    s.step(`In ${later} days, ${who.he} read {} pages.`, `${daily}*${later}`);
    return;
  }
  const before = s.step(`At first, ${who.he} read {} pages.`, `${first}*${days}`);
  const daily = s.step(`Then ${who.he} read {} pages a day.`, `${first}*${k}`);
  const total =
    s.left > 1 && d.chance(0.5)
      ? s.step(
          `In all, ${who.he} read {} pages.`,
          `${before}+${s.step(`In those days, ${who.he} read {} pages.`, `${daily}*${later}`)}`,
        )
      : s.step(`In all, ${who.he} read {} pages.`, `${before}+${daily}*${later}`);
  s.ask(`How many pages did ${who.name} read in all?`);
  if (s.left === 0) return;
  const pages = total + d.int(20, 300);
  s.note(`The book has ${pages} pages.`);
  s.ask(`How many pages did ${who.name} still have to read?`);
  const rest = s.step(`After that, {} pages were left.`, `${pages}-${total}`);
  if (s.left === 0) return;
  const pace = d.divisor(rest, 5, 60);
  s.say(`${who.he} read the rest at a pace of ${pace} pages a day.`);
  s.ask(`How many more days did ${who.name} need to finish the book?`);
  const more = s.step(`${who.he} needed {} more days.`, `${rest}/${pace}`);
  if (s.left === 0) return;
  s.ask(`How many days did ${who.name} need for the whole book?`);
  s.step(`For the whole book, ${who.he} needed {} days.`, `${days}+${later}+${more}`);
};

/** Water used in a household. */
const waterUse: Template = (s, d) => {
  const who = s.person();
  const [people, shower, other, days] = [d.int(3, 8), d.int(12, 30), d.int(15, 60), d.int(10, 31)];
  s.say(`${who.name} lives in a house with ${s.count(people)} people in all.`);
  s.note(`Each person uses ${shower} gallons of water a day for showers and ${other} gallons for other things.`);
  s.extra(
    aboutPerson(d, who),
    `The house has ${d.int(3, 9)} windows to the street.`,
    `The house was built ${d.int(9, 90)} years ago.`,
  );
  const daily =
    s.target > 3
      ? s.step(
          `All people together use {} gallons a day.`,
          `${people}*${s.step(`Each person uses {} gallons a day.`, `${shower}+${other}`)}`,
        )
      : s.step(`All people together use {} gallons a day.`, `${people}*(${shower}+${other})`);
  s.ask(`How many gallons of water do they use in ${days} days?`);
  const total = s.step(`In ${days} days, they use {} gallons.`, `${daily}*${days}`);
  if (s.left === 0) return;
  const saved = d.int(2, shower - 4);
  if (d.chance(0.5)) {
    const rain = d.int(20, total - 10);
    s.note(`In those ${days} days, ${rain} gallons of the water they use come from a rain barrel.`);
    s.ask(`How many gallons in those ${days} days do not come from the rain barrel?`);
    const rest = s.step(`From other sources come {} gallons.`, `${total}-${rain}`);
    if (s.left === 0) return;
    const tub = d.divisor(rest, 2, 60);
    s.say(`Water that does not come from the rain barrel is counted in units of ${tub} gallons.`);
    s.ask(`How many units is the water in those ${days} days that does not come from the rain barrel?`);
    const units = s.step(`That is {} units.`, `${rest}/${tub}`);
    if (s.left === 0) return;
    const price = d.int(2, 6);
    s.note(`A unit costs $${price}.`);
    s.ask(`How much do they pay for the water in those ${days} days if water from the rain barrel is free?`);
    s.step(`They pay {$}.`, `${units}*${price}`);
    return;
  }
  s.say(`With a new shower head, each of them would use ${saved} gallon${saved === 1 ? "" : "s"} less a day.`);
  s.ask(`How many gallons would they use in ${days} days with the new shower head?`);
  if (s.left === 1) {
    s.step(`With the new shower head, they would use {} gallons.`, `${total}-${saved}*${people}*${days}`);
    return;
  }
  const less =
    s.left > 2
      ? s.step(
          `In ${days} days, they would save {} gallons.`,
          `${s.step(`Together, they would save {} gallons a day.`, `${saved}*${people}`)}*${days}`,
        )
      : s.step(`In ${days} days, they would save {} gallons.`, `${saved}*${people}*${days}`);
  s.step(`So they would use {} gallons.`, `${total}-${less}`);
};

/** Cupboards full of boxes. */
const storage: Template = (s, d) => {
  const who = s.person();
  const thing = d.pick(SMALL_THINGS);
  const box = d.pick(BOXES);
  const [shelves, boxes, each, loose] = [d.int(2, 8), d.int(2, 9), d.rate(5, 20), d.amount(6, 40)];
  s.say(
    `${who.name} keeps ${thing.many} in a cupboard with ${s.count(shelves)} shelves, and there are ${s.count(boxes)} ${box.many} on each shelf.`,
  );
  s.note(`Every ${box.one} contains ${each} ${thing.many}.`);
  s.extra(
    aboutPerson(d, who),
    `The cupboard is ${d.int(3, 8)} feet high.`,
    `Each shelf is ${d.int(20, 60)} inches wide.`,
  );
  const all =
    s.left > 2 && d.chance(0.6)
      ? s.step(
          `They contain {} ${thing.many}.`,
          `${s.step(`There are {} ${box.many} in the cupboard.`, `${shelves}*${boxes}`)}*${each}`,
        )
      : s.step(`The cupboard contains {} ${thing.many}.`, `${shelves}*${boxes}*${each}`);
  s.say(`Besides these, ${who.he} had ${loose} ${thing.many} on a desk and added them to the others.`);
  s.ask(`How many ${thing.many} did ${who.name} have?`);
  withThings(s, {
    who,
    thing,
    n: s.step(`With those on the desk, ${who.he} had {} ${thing.many}.`, `${all}+${loose}`),
  });
};

export const HOME: Readonly<Record<string, Template>> = { fence, painting, tiles, tank, reading, waterUse, storage };
