/** The standard normal distribution, as far as control charts and interval levels need it. */

/** Abramowitz and Stegun's density, exp(-z^2 / 2) / sqrt(2 pi). */
export function gaussianDensity(z: number): number {
  return Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
}

/** The chance of a value up to `z`; absolute error below 1e-14. Marsaglia's series inside, a continued fraction outside. */
export function gaussianCdf(z: number): number {
  const size = Math.abs(z);
  if (size < 5) {
    let [sum, term] = [size, size];
    for (let i = 3; Math.abs(term) > 1e-17 * sum; i += 2) sum += term *= (size * size) / i;
    const inside = sum * gaussianDensity(size);
    return z < 0 ? 0.5 - inside : 0.5 + inside;
  }
  let fraction = size;
  for (let i = 30; i > 0; i--) fraction = size + i / fraction;
  const outside = gaussianDensity(size) / fraction;
  return z < 0 ? outside : 1 - outside;
}

/**
 * The value below which a share `p` lies; error below 1e-9 for p from 1e-12 to 1 - 1e-12.
 *
 * @throws RangeError outside 0 to 1, both excluded
 */
export function gaussianQuantile(p: number): number {
  if (!(p > 0 && p < 1)) throw new RangeError(`${p} is no share between 0 and 1`);
  let [low, high] = [-9, 9];
  while (high - low > 1e-11) {
    const middle = (low + high) / 2;
    if (gaussianCdf(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
