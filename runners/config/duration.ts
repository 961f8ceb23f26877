import type { UserDuration } from "./user-config.ts";

const UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Most that a timer takes. */
const MAX_MS = 2 ** 31 - 1;

/** @returns undefined for what is no duration */
export function durationMs(duration: UserDuration): number | undefined {
  const [, digits = "", unit = "s"] = /^(\d+(?:\.\d+)?) ?(ms|s|m|h)?$/.exec(String(duration)) ?? [];
  const ms = Number(digits) * UNITS_MS[unit as keyof typeof UNITS_MS];
  return digits === "" || ms <= 0 || ms > MAX_MS ? undefined : ms;
}
