import { redraw } from "../draws.ts";
import { aboutPerson } from "../distractors.ts";
import { times } from "../phrases.ts";
import { withBill } from "../stages/bill.ts";
import { compared, listed } from "../stages/compare.ts";
import type { Template } from "../story.ts";
import { DAYS, PLACES } from "../vocabulary.ts";

/** Two parts of a trip at two speeds. */
const twoSpeeds: Template = (s, d) => {
  const who = s.person();
  const [u, v, m, n] = [d.int(25, 70), d.int(25, 70), d.int(2, 9), d.int(2, 9)];
  if (u === v) redraw();
  s.say(`${who.name} drove to ${d.pick(PLACES)}.`);
  s.say(
    `For the first ${s.count(m)} hours, ${who.he} drove ${u} miles an hour, and then for ${s.count(n)} hours ${v} miles an hour.`,
  );
  s.extra(aboutPerson(d, who), `There were ${d.int(2, 5)} people in the car.`, `The car is ${d.int(2, 15)} years old.`);
  const first = s.step(`In the first part, ${who.he} drove {} miles.`, `${m}*${u}`);
  if (s.left === 1) {
    s.ask(`How many miles did ${who.name} drive?`);
    s.step(`In all, ${who.he} drove {} miles.`, `${first}+${n}*${v}`);
    return;
  }
  const second = s.step(`In the second part, ${who.he} drove {} miles.`, `${n}*${v}`);
  const total = s.step(`In all, ${who.he} drove {} miles.`, `${first}+${second}`);
  s.ask(`How many miles did ${who.name} drive?`);
  if (s.left === 0) return;
  if (d.chance(0.5)) {
    const back = d.divisor(total, 20, 75);
    s.say(`On the way back, ${who.he} took the same road and drove ${back} miles an hour all the time.`);
    s.ask(`How many hours did the way back take?`);
    const hours = s.step(`The way back took {} hours.`, `${total}/${back}`);
    if (s.left === 0) return;
    s.ask(`How many hours did ${who.name} drive on the way there and back altogether?`);
    if (s.left === 1) {
      s.step(`There and back, ${who.he} drove for {} hours.`, `${m}+${n}+${hours}`);
      return;
    }
    const there = s.step(`On the way there, ${who.he} drove for {} hours.`, `${m}+${n}`);
    s.step(`Altogether, ${who.he} drove for {} hours.`, `${there}+${hours}`);
    return;
  }
  const whole = total + d.int(30, 400);
  s.note(`The whole way is ${whole} miles long.`);
  s.ask(`How many miles were left after that?`);
  const rest = s.step(`After that, {} miles were left.`, `${whole}-${total}`);
  if (s.left === 0) return;
  const speed = d.divisor(rest, 20, 70);
  s.say(`${who.he} drove the rest at ${speed} miles an hour.`);
  s.ask(`How many hours did the rest of the way take?`);
  const last = s.step(`The rest took {} hours.`, `${rest}/${speed}`);
  if (s.left === 0) return;
  s.ask(`How many hours did the whole trip take?`);
  s.step(`The whole trip took {} hours.`, `${m}+${n}+${last}`);
};

/** Gas for a long trip. */
const gas: Template = (s, d) => {
  const who = s.person();
  const [mileage, gallons, days] = [d.int(18, 45), d.rate(3, 12), d.int(2, 9)];
  const price = d.int(3, 6);
  const daily = mileage * gallons;
  if (daily > 560) redraw();
  s.say(`${who.name}'s ${d.pick(["van", "car", "truck"])} goes ${mileage} miles on a gallon of gas.`);
  s.note(`A gallon of gas cost $${price}.`);
  s.say(`On a trip, ${who.name} drove ${daily} miles a day for ${s.count(days)} days.`);
  s.extra(aboutPerson(d, who), `The tank holds ${d.int(12, 30)} gallons.`);
  const total = s.step(`${who.name} drove {} miles.`, `${daily}*${days}`);
  const used = s.step(`That took {} gallons of gas.`, `${total}/${mileage}`);
  s.ask(`How many gallons of gas did ${who.name} need for the trip?`);
  if (s.left === 0) return;
  s.ask(`How much did the gas for the trip cost?`);
  const cost = s.step(`The gas cost {$}.`, `${used}*${price}`);
  if (s.left === 0) return;
  const [night, nights] = [d.int(45, 140), days - 1];
  if (nights > 1 && d.chance(0.5) && s.left > 1) {
    s.say(`On ${s.count(nights)} nights, ${who.he} stayed at hotels for $${night} a night.`);
    s.ask(`How much did ${who.name} pay for gas and hotels?`);
    const hotel = s.step(`The hotels cost {$}.`, `${nights}*${night}`);
    withBill(s, who, s.step(`With the gas, that was {$}.`, `${cost}+${hotel}`));
    return;
  }
  s.say(`${who.he} also had to pay tolls of $${night}.`);
  s.ask(`How much did ${who.name} pay for gas and tolls?`);
  withBill(s, who, s.step(`With the tolls, that was {$}.`, `${cost}+${night}`));
};

/** Passengers who get on and off. */
const passengers: Template = (s, d) => {
  const kind = d.pick(["train", "bus", "ferry"]);
  const n = d.amount(30, 100);
  s.say(`${d.pick(["A", "One morning, a"])} ${kind} left with ${n} passengers.`);
  s.extra(
    `The ${kind} has ${d.int(120, 900)} seats.`,
    `A ticket costs $${d.int(3, 15)}.`,
    `The ride takes ${d.int(20, 90)} minutes.`,
  );
  let now = n;
  const stops = ["first", "second", "third", "fourth"];
  for (const stop of stops.slice(0, d.int(2, 4))) {
    if (s.left === 0) break;
    const off = d.upTo(now - 1, 3, 40);
    const on = d.amount(3, 50);
    const kindOfStop = d.pick(["both", "part", "off"]);
    if (kindOfStop === "part" && s.left > 1) {
      const part = d.divisor(now, 2, 6);
      s.say(`At the ${stop} stop, ${s.part(part)} of the passengers got off.`);
      const gone = s.step(`At the ${stop} stop, {} passengers got off.`, `${now}/${part}`);
      now = s.step(`That left {} passengers.`, `${now}-${gone}`);
    } else if (kindOfStop === "off") {
      s.say(`At the ${stop} stop, ${off} passenger${off === 1 ? "" : "s"} got off and nobody got on.`);
      now = s.step(`After the ${stop} stop, there were {} passengers.`, `${now}-${off}`);
    } else {
      s.say(`At the ${stop} stop, ${off} passenger${off === 1 ? "" : "s"} got off and ${on} got on.`);
      now = s.step(`After the ${stop} stop, there were {} passengers.`, `${now}-${off}+${on}`);
    }
    s.ask(`How many passengers were on the ${kind} after the ${stop} stop?`);
  }
  if (s.left === 0) return;
  const fare = d.int(3, 20);
  s.note(`Everyone who was still on the ${kind} at the end paid $${fare} for the last part of the way.`);
  s.ask(`How much did the passengers pay for the last part of the way?`);
  const paid = s.step(`They paid {$}.`, `${now}*${fare}`);
  if (s.left === 0) return;
  const trips = d.int(3, 20);
  s.ask(
    `If this happened on each of ${trips} days, how much would the passengers pay for the last part of the way in all?`,
  );
  s.step(`In ${trips} days, they would pay {$}.`, `${paid}*${trips}`);
};

/** Training over several days, each compared with the day before. */
const training: Template = (s, d) => {
  const who = s.person();
  const [sport, verb] = d.pick([
    ["cycling", "cycled"],
    ["a long walk across the country", "walked"],
    ["a boat trip", "rowed"],
  ] as const);
  const unit = verb === "cycled" ? "miles" : "kilometers";
  const count = Math.min(s.target, d.int(3, 4));
  const start = d.int(0, 7 - Math.max(count, 2));
  const days = DAYS.slice(start, start + Math.max(count, 2));
  const first = d.int(8, 24);
  s.say(`${who.name} planned ${sport === "cycling" ? "a cycling tour" : sport}.`);
  s.say(`On ${days[0]}, ${who.he} ${verb} ${first} ${unit}.`);
  s.extra(aboutPerson(d, who), `On ${days[0]}, it was ${d.int(50, 85)} degrees.`);
  const values = compared(s, {
    first,
    count: days.length,
    noun: unit,
    tell: (i, phrase) => `On ${days[i]}, ${who.name} ${verb} ${phrase} on ${days[i - 1]}.`,
    solve: (i) => `On ${days[i]}, ${who.he} ${verb} {} ${unit}.`,
  });
  if (values.some((value) => value > 70 || value < 2)) redraw();
  s.ask(
    `How many ${unit} did ${who.name} ${verb === "cycled" ? "cycle" : verb === "walked" ? "walk" : "row"} on these days?`,
  );
  const total = s.step(`On ${listed(days)}, ${who.he} ${verb} {} ${unit}.`, values.join("+"));
  if (s.left === 0) return;
  const whole = total + d.int(15, 200);
  s.note(`The whole tour is ${whole} ${unit} long.`);
  s.ask(`How many ${unit} are left after that?`);
  const rest = s.step(`After that, {} ${unit} are left.`, `${whole}-${total}`);
  if (s.left === 0) return;
  const daily = d.divisor(rest, 2, 20);
  s.say(`${who.he} wants to cover the rest in ${s.count(daily)} days, with the same distance each day.`);
  s.ask(`How many ${unit} is that each day?`);
  s.step(`That is {} ${unit} each day.`, `${rest}/${daily}`);
};

/** Nights at a hotel. */
const hotel: Template = (s, d) => {
  const who = s.person();
  const [nights, rooms, rate, meal] = [d.int(3, 14), d.int(2, 6), d.int(45, 190), d.int(8, 25)];
  const people = d.int(3, 12);
  s.say(
    `${who.name} booked ${s.count(rooms)} hotel rooms for ${s.count(nights)} nights for ${who.his} family of ${people}.`,
  );
  s.note(`A room cost $${rate} a night.`);
  s.extra(
    aboutPerson(d, who),
    `The hotel has ${d.int(30, 200)} rooms.`,
    `The hotel is ${d.int(2, 20)} minutes from the beach.`,
  );
  const night = s.step(`One night cost {$} for all rooms.`, `${rooms}*${rate}`);
  s.ask(`How much did the rooms cost?`);
  const cost = s.step(`The rooms cost {$}.`, `${night}*${nights}`);
  if (s.left > 1 && d.chance(0.6)) {
    s.note(`On every one of the ${nights} days, each person had breakfast for $${meal}.`);
    s.ask(`How much did the rooms and the breakfast cost together?`);
    const daily =
      s.left > 2
        ? s.step(`Breakfast cost {$}.`, `${s.step(`Breakfast cost {$} a day.`, `${people}*${meal}`)}*${nights}`)
        : s.step(`Breakfast cost {$}.`, `${people}*${meal}*${nights}`);
    withBill(s, who, s.step(`Rooms and breakfast cost {$}.`, `${cost}+${daily}`));
    return;
  }
  withBill(s, who, cost);
};

/** Bags with a weight limit. */
const luggage: Template = (s, d) => {
  const who = s.person();
  const [x, y, z] = [d.int(12, 40), d.int(12, 40), d.int(3, 15)];
  const limit = d.int(15, 25);
  const fee = d.int(4, 18);
  const k = d.int(2, 3);
  s.say(
    `${who.name} has a red suitcase that weighs ${x} pounds and a black suitcase that weighs ${y} pounds more than the red one.`,
  );
  s.extra(aboutPerson(d, who), `The flight takes ${d.int(2, 12)} hours.`, `The plane has ${d.int(80, 300)} seats.`);
  const black = s.step(`The black suitcase weighs {} pounds.`, `${x}+${y}`);
  let total = s.target > 3 ? 0 : s.step(`Together, the suitcases weigh {} pounds.`, `${x}+${black}`);
  s.ask(`How many pounds do the two suitcases weigh together?`);
  if (total === 0) {
    s.note(`The backpack of ${who.name} weighs ${times(k)} as much as a pair of boots of ${z} pounds.`);
    const pack = s.step(`The backpack weighs {} pounds.`, `${z}*${k}`);
    total = s.step(`Everything together weighs {} pounds.`, `${x}+${black}+${pack}`);
    s.ask(`How many pounds do the two suitcases and the backpack weigh together?`);
  }
  if (s.left === 0) return;
  if (total <= limit) redraw();
  s.note(`The airline allows ${limit} pounds for free.`);
  s.ask(`By how many pounds is the luggage too heavy?`);
  const over = s.step(`The luggage is {} pounds too heavy.`, `${total}-${limit}`);
  if (s.left === 0) return;
  s.note(`Every pound above that costs $${fee}.`);
  s.ask(`How much does ${who.name} have to pay for the luggage?`);
  const cost = s.step(`${who.he} has to pay {$}.`, `${over}*${fee}`);
  if (s.left === 0) return;
  const ticket = d.int(120, 700);
  s.note(`The plane ticket cost $${ticket}.`);
  s.ask(`How much does ${who.name} pay for the flight and the luggage?`);
  s.step(`With the ticket, that is {$}.`, `${cost}+${ticket}`);
};

/** Rides on the way to work. */
const commute: Template = (s, d) => {
  const who = s.person();
  const [bus, train, days, weeks] = [d.rate(2, 6), d.rate(3, 9), d.int(3, 6), d.int(3, 16)];
  s.say(`To get to work, ${who.name} takes a bus and then a train, and the same way back home.`);
  s.note(`A bus ride costs $${bus} and a train ride costs $${train}.`);
  s.say(`${who.name} works ${s.count(days)} days a week.`);
  s.extra(aboutPerson(d, who), `The bus ride takes ${d.int(8, 40)} minutes.`, `A taxi would cost $${d.int(15, 50)}.`);
  s.know(2);
  const daily =
    s.target > 4 || d.chance(0.5)
      ? s.step(`Both ways cost {$} a day.`, `2*${s.step(`One way costs {$}.`, `${bus}+${train}`)}`)
      : s.step(`Both ways cost {$} a day.`, `2*(${bus}+${train})`);
  s.ask(`How much does ${who.name} pay for the way to work and back in a day?`);
  if (s.left === 0) return;
  s.ask(`How much does ${who.name} pay for the way to work and back in a week?`);
  const weekly = s.step(`A week costs {$}.`, `${daily}*${days}`);
  if (s.left === 0) return;
  s.ask(`How much does ${who.name} pay for the way to work and back in ${weeks} weeks?`);
  const total = s.step(`In ${weeks} weeks, ${who.he} pays {$}.`, `${weekly}*${weeks}`);
  if (s.left === 0) return;
  const pass = d.int(Math.ceil(total / 3), total - 4);
  s.note(`A pass for ${weeks} weeks costs $${pass}.`);
  s.ask(`How much would ${who.name} save with the pass in ${weeks} weeks?`);
  const saved = s.step(`With the pass, ${who.he} would save {$}.`, `${total}-${pass}`);
  if (s.left === 0) return;
  const n = d.int(3, 30);
  s.ask(
    `If ${n} people, ${who.name} among them, all made the same trips and bought such a pass instead of single rides, how much would they save together in ${weeks} weeks?`,
  );
  s.step(`Together, they would save {$}.`, `${saved}*${n}`);
};

export const TRAVEL: Readonly<Record<string, Template>> = {
  twoSpeeds,
  gas,
  passengers,
  training,
  hotel,
  luggage,
  commute,
};
