/** What a settings file can have wrong, and where. */
import { z } from "zod";

export interface Problem {
  readonly path: readonly string[];
  /** The key itself is at fault, not its value. */
  readonly atKey: boolean;
  /** `expected true or false`. */
  readonly what: string;
  /** The keys that could stand there instead. */
  readonly known?: readonly string[];
}

export type Checked<T> =
  | { readonly kind: "config"; readonly config: T }
  | { readonly kind: "problems"; readonly problems: readonly [Problem, ...Problem[]] };

/** @param schema - whose messages complete "expected ..." */
export function checkAgainst<T>(schema: z.ZodType<T>, input: unknown): Checked<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return { kind: "config", config: parsed.data };
  const [first, ...others] = parsed.error.issues.flatMap((issue) => problemsOf(schema, issue));
  return { kind: "problems", problems: [first as Problem, ...others] };
}

/** @param around - the path that the issue's own starts from */
function problemsOf(schema: z.ZodType, issue: z.core.$ZodIssue, around: readonly string[] = []): readonly Problem[] {
  const path = [...around, ...issue.path.map(String)];
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(schema, path);
    return issue.keys.map((key) => ({ path: [...path, key], atKey: true, what: "there is no such setting", known }));
  }
  if (issue.code === "invalid_union") {
    // Where one of the kinds is the right one, what is wrong lies deeper.
    const within = issue.errors.find((issues) => issues.every((each) => each.path.length > 0));
    if (within !== undefined) return within.flatMap((each) => problemsOf(schema, each, path));
  }
  // What was expected of a key is said of the key; the issue around it speaks of the whole.
  const { message } = issue.code === "invalid_key" ? (issue.issues[0] ?? issue) : issue;
  return [{ path, atKey: issue.code === "invalid_key", what: `expected ${message}` }];
}

/** The keys of the object at a path of the schema. */
function keysAt(schema: z.ZodType, path: readonly string[]): readonly string[] {
  let at: z.core.$ZodType | undefined = schema;
  for (const key of path) {
    if (at instanceof z.ZodObject) at = at.shape[key];
    else if (at instanceof z.ZodArray) at = at.element;
    if (at instanceof z.ZodExactOptional) at = at.unwrap();
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}
