/** What identifies a server for the run record, read from the server itself. */
import { member } from "../json-read.ts";
import { openGetter } from "./http-get.ts";
import type { Getter } from "./http-get.ts";

/** Where a server says what it is. Only the named fields are kept: the rest may hold its keys. */
export interface Identify {
  readonly path: string;
  /** Fields of the JSON there; or, in a Prometheus text, labels of the metric. */
  readonly fields: readonly string[];
  readonly metric?: string;
}

export type Facts = Readonly<Record<string, string | number | boolean>>;

const MAX_CHARACTERS = 500;

/** What a server does not say is missing from the facts; nothing is made of silence. */
export async function readFacts(
  origin: string,
  identify: readonly Identify[],
  getter: Getter,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>>,
): Promise<Facts> {
  const facts: Record<string, string | number | boolean> = {};
  for (const { path, fields, metric } of identify) {
    const reply = await getter.get(`${origin}${path}`, signal, headers);
    if (reply.kind === "failed" || reply.status !== 200) continue;
    const found = metric === undefined ? jsonFields(reply.text, fields) : labels(reply.text, metric, fields);
    // The first source that says it, such as an endpoint's newer name.
    for (const [name, value] of Object.entries(found)) if (!Object.hasOwn(facts, name)) facts[name] = value;
  }
  return facts;
}

/** The same of a server that somebody else has started. */
export async function readServerFacts(
  origin: string,
  identify: readonly Identify[],
  signal: AbortSignal,
  headers: Readonly<Record<string, string>>,
): Promise<Facts> {
  const getter = openGetter();
  try {
    return await readFacts(origin, identify, getter, signal, headers);
  } finally {
    await getter.close();
  }
}

function jsonFields(text: string, fields: readonly string[]): Facts {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return {};
  }
  const entries = fields.map((name) => [name, member(body, name)] as const);
  return Object.fromEntries(
    entries.flatMap(([name, value]): [string, string | number | boolean][] => {
      if (typeof value === "string") return [[name, value.slice(0, MAX_CHARACTERS)]];
      return typeof value === "number" || typeof value === "boolean" ? [[name, value]] : [];
    }),
  );
}

function labels(text: string, metric: string, fields: readonly string[]): Facts {
  const line = text.split("\n").find((each) => each.startsWith(`${metric}{`)) ?? "";
  const found = [...line.slice(0, 65_536).matchAll(/(\w+)="([^"\\]{0,500})"/g)];
  return Object.fromEntries(
    found.flatMap(([, name = "", value = ""]) => (fields.includes(name) ? [[name, value] as const] : [])),
  );
}
