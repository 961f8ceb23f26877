import type { Draws } from "./draws.ts";
import type { Person } from "./story.ts";
import { a, capital } from "./phrases.ts";
import type { Thing } from "./vocabulary.ts";

/** Needless facts about a person: true whatever the story, and never about its quantities. */
export function aboutPerson(draws: Draws, { name }: Person): string {
  const n = draws.int(3, 60);
  return draws.pick([
    `${name} lives ${n} miles from the nearest train station.`,
    `${name} has ${draws.int(3, 15)} cousins.`,
    `${name}'s birthday is in ${n} days.`,
    `${name} read ${n} books last year.`,
    `${name} lives at number ${draws.int(3, 180)} on a quiet street.`,
    `${name} had slept for ${draws.int(5, 10)} hours the night before.`,
    `${name}'s family moved to town ${draws.int(3, 15)} years ago.`,
    `${name} can name ${n} countries by heart.`,
  ]);
}

/** Needless facts about a kind of thing. */
export function aboutThing(draws: Draws, { one, many }: Thing): string {
  const n = draws.int(20, 900);
  return draws.pick([
    `Each ${one} weighs ${draws.int(3, 20)} ounces.`,
    `${capital(many)} like these come in ${draws.int(3, 15)} different colors.`,
    `Another town has ${draws.int(3, 15)} shops that sell ${many}.`,
    `A photo of ${a(one)} was seen ${n} times on the internet that day.`,
  ]);
}
