/** Reads values out of JSON that a server sent or a file holds, taking nothing for granted. */

export type JsonRecord = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The member, only where the object has it itself; undefined for all that is no object. */
export function member(value: unknown, key: string): unknown {
  return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

export function textMember(value: unknown, key: string): string | undefined {
  const found = member(value, key);
  return typeof found === "string" ? found : undefined;
}

/** A whole number of at least 0. */
export function countMember(value: unknown, key: string): number | undefined {
  const found = member(value, key);
  return Number.isSafeInteger(found) && (found as number) >= 0 ? (found as number) : undefined;
}

export function listMember(value: unknown, key: string): readonly unknown[] | undefined {
  const found = member(value, key);
  return Array.isArray(found) ? (found as unknown[]) : undefined;
}
