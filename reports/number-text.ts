/** Numbers for people: counts with thousands separators, differences with their sign, in points of a percent. */

const COUNT = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** `54,321` */
export function count(value: number): string {
  return COUNT.format(value);
}

/** `1 doc`, `54,321 docs` */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** A difference of shares in percentage points, with its sign: -0.0123 is `-1.23`; what rounds to zero is `0.00`. */
export function points(share: number): string {
  const text = (100 * share).toFixed(2);
  if (Number(text) === 0) return "0.00";
  return share > 0 ? `+${text}` : text;
}

/** A p-value: `0.039`, `under 0.001`. */
export function probability(p: number): string {
  if (p < 0.001) return "under 0.001";
  return String(Number(p.toPrecision(2)));
}

/** A size of an error: `0`, `0.0123`, `1.19e-7`; three significant digits. */
export function size(value: number): string {
  if (value === 0) return "0";
  return value >= 0.001 && value < 1000 ? String(Number(value.toPrecision(3))) : value.toExponential(2);
}

/** `8.4 s`, `41 s`, `3 min 20 s`, `2 h 5 min` */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
