import type { Template } from "../story.ts";
import { FARM } from "./farm.ts";
import { HOME } from "./home.ts";
import { MAKING } from "./making.ts";
import { PEOPLE } from "./people.ts";
import { PLACES } from "./places.ts";
import { SCHOOL } from "./school.ts";
import { SHOPPING } from "./shopping.ts";
import { TRAVEL } from "./travel.ts";
import { WORK } from "./work.ts";

/** All templates by name. */
export const TEMPLATES: Readonly<Record<string, Template>> = {
  ...SHOPPING,
  ...WORK,
  ...MAKING,
  ...FARM,
  ...SCHOOL,
  ...TRAVEL,
  ...HOME,
  ...PEOPLE,
  ...PLACES,
};
