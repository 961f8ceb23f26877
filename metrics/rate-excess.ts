import { binomialCdf } from "./binomial.ts";

/** So many events in so many chances of one. */
export interface Rate {
  readonly events: number;
  readonly chances: number;
}

/**
 * How likely so many events or more are, were the rate no higher than the floor's: the conditional test of two Poisson rates
 * (Przyborowski and Wilenski, Biometrika 31, 1940). Given the events of both, each is as likely to be of either side as its
 * share of the chances says, so the side's number is binomial. It takes events to be independent: give it choices that
 * nothing earlier explains, not what follows from them.
 *
 * @returns a one-sided p-value; 1 where there is no event or no chance
 */
export function rateExcess(rate: Rate, floor: Rate): number {
  const total = rate.events + floor.events;
  const chances = rate.chances + floor.chances;
  if (total === 0 || chances === 0) return 1;
  return binomialCdf(total - rate.events, total, floor.chances / chances);
}
