/** Reads a settings file; what is wrong with it is said with line and column. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { Document, Node, Pair } from "yaml";
import { UserError } from "../../errors.ts";
import { didYouMean } from "../../nearest.ts";
import { literalSecrets } from "./literal-secrets.ts";
import type { Checked, Problem } from "./problem.ts";

export interface CheckedYaml<T> {
  readonly value: T;
  /** Something else is wrong with what stands at a path: `fusecheck.yaml:3:8: engine: ...` */
  readonly fail: (path: readonly string[], what: string) => never;
}

/**
 * @param file - as the user named it, for messages
 * @param help - where it is written what belongs into it
 * @throws UserError: `fusecheck.yaml:3:8: parallel: expected true or false`
 */
export function readCheckedYaml<T>(
  text: string,
  {
    file,
    help,
    check,
  }: { readonly file: string; readonly help: string; readonly check: (input: unknown) => Checked<T> },
): CheckedYaml<T> {
  const lines = new LineCounter();
  const fail = (offset: number, what: string, more = 0): never => {
    const { line, col } = lines.linePos(offset);
    const others = more === 0 ? "" : ` (and ${more} more)`;
    throw new UserError(`${file}:${line}:${col}: ${what}${others}`);
  };
  const { document, value } = readYaml(text, file, lines, fail);
  if (value === null) throw new UserError(`${file} is empty; see ${help} for what belongs there`);
  if (!isMap(document.contents)) throw new UserError(`${file} holds no settings by name, such as "engine: vllm"`);
  const report = (problems: readonly [Problem, ...Problem[]]): never => {
    const [first] = problems;
    const name = first.path.join(".");
    const near = first.known === undefined ? "" : unknownKey(first.path.at(-1) ?? "", first.known);
    return fail(
      offsetOf(document, first),
      `${name === "" ? "" : `${name}: `}${first.what}${near}`,
      problems.length - 1,
    );
  };
  const [secret, ...secrets] = literalSecrets(value);
  if (secret !== undefined) report([secret, ...secrets]);
  const checked = check(value);
  if (checked.kind === "problems") return report(checked.problems);
  return { value: checked.config, fail: (path, what) => report([{ path, atKey: false, what }]) };
}

function readYaml(
  text: string,
  file: string,
  lines: LineCounter,
  fail: (offset: number, what: string) => never,
): { readonly document: Document; readonly value: unknown } {
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    const [wrong] = [...document.errors, ...document.warnings];
    if (wrong !== undefined) fail(wrong.pos[0], `not YAML: ${wrong.message.replaceAll(/\s+/g, " ")}`);
    return { document, value: document.toJS({ maxAliasCount: 100 }) as unknown };
  } catch (error) {
    if (error instanceof UserError) throw error;
    // Nested too deeply, or aliases that multiply.
    throw new UserError(`${file} cannot be read as YAML: ${(error as Error).message}`);
  }
}

function unknownKey(key: string, known: readonly string[]): string {
  return `${didYouMean(key, known)}; there are: ${known.join(", ")}`;
}

/** Where the problem stands: its value, its key, or the nearest thing around it that is there. */
function offsetOf(document: Document, { path, atKey }: Problem): number {
  let at: Node | null = document.contents;
  let offset = at?.range?.[0] ?? 0;
  for (const [depth, key] of path.entries()) {
    const pair: Pair | undefined = isMap(at) ? at.items.find((each) => String(keyOf(each)) === key) : undefined;
    const value = (isSeq(at) ? at.items[Number(key)] : pair?.value) as Node | null | undefined;
    const keyOffset = (pair?.key as Node | undefined)?.range?.[0];
    const last = depth === path.length - 1;
    offset = (last && atKey ? keyOffset : (value?.range?.[0] ?? keyOffset)) ?? offset;
    at = isAlias(value) ? (value.resolve(document) ?? null) : (value ?? null);
  }
  return offset;
}

function keyOf({ key }: Pair): unknown {
  return isScalar(key) ? key.value : key;
}
