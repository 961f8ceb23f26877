/** The standard normal distribution, in double precision. */

/** sqrt(2 pi) */
const ROOT_TWO_PI = 2.5066282746310002;

/** Where the rational approximation of the tail gives way to the continued fraction. */
const FAR = 10 / Math.SQRT2;

/** Coefficients of Hart et al., Computer Approximations (1968), table 5666, as West (Wilmott, 2005) arranges them. */
const NUMERATOR = [
  0.0352624965998911, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871, 221.213596169931,
  220.206867912376,
];
const DENOMINATOR = [
  0.0883883476483184, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674, 637.333633378831,
  793.826512519948, 440.413735824752,
];

/** exp(-x^2 / 2) / sqrt(2 pi) */
export function normalDensity(x: number): number {
  return Math.exp((-x * x) / 2) / ROOT_TWO_PI;
}

/** P(Z <= x); absolute error under 1e-14, relative error under 1e-9 in the lower tail. */
export function normalCdf(x: number): number {
  const tail = upperTail(Math.abs(x));
  return x > 0 ? 1 - tail : tail;
}

/** P(Z > x) for x >= 0. */
function upperTail(x: number): number {
  const density = Math.exp((-x * x) / 2);
  if (x < FAR) return (density * polynomial(NUMERATOR, x)) / polynomial(DENOMINATOR, x);
  // Laplace's continued fraction: from here on a dozen terms are exact.
  let fraction = x;
  for (let term = 16; term > 0; term--) fraction = x + term / fraction;
  return density / fraction / ROOT_TWO_PI;
}

/**
 * The x below which the share `p` lies; -Infinity of 0 and Infinity of 1.
 *
 * @throws RangeError where p is not in [0, 1]
 */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`a probability is ${p}`);
  if (p === 0) return -Infinity;
  if (p === 1) return Infinity;
  if (p > 0.5) return -normalQuantile(1 - p);
  // Abramowitz and Stegun 26.2.23 is right to 4.5e-4; Halley's steps make the rest.
  const t = Math.sqrt(-2 * Math.log(p));
  let x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
  for (let step = 0; step < 3; step++) {
    const error = (normalCdf(x) - p) * ROOT_TWO_PI * Math.exp((x * x) / 2);
    x -= error / (1 + (x * error) / 2);
  }
  return x;
}

function polynomial(coefficients: readonly number[], x: number): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
}
