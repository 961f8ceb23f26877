/** Reads `fusecheck.yaml`; what is wrong with it is said with line and column. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { Document, Node, Pair } from "yaml";
import { UserError } from "../../errors.ts";
import { didYouMean } from "../../nearest.ts";
import { getEngine, getSwitch } from "../engines/index.ts";
import { literalSecrets } from "./literal-secrets.ts";
import { checkConfig } from "./schema.ts";
import type { Problem } from "./schema.ts";
import type { UserConfig } from "./user-config.ts";

/**
 * @param file - as the user named it, for messages
 * @throws UserError: `fusecheck.yaml:3:8: parallel: expected true or false`
 */
export function parseConfig(text: string, file: string): UserConfig {
  const lines = new LineCounter();
  const fail = (offset: number, what: string, more = 0): never => {
    const { line, col } = lines.linePos(offset);
    const others = more === 0 ? "" : ` (and ${more} more)`;
    throw new UserError(`${file}:${line}:${col}: ${what}${others}`);
  };
  const { document, value } = readYaml(text, file, lines, fail);
  if (value === null) throw new UserError(`${file} is empty; see docs/engines.md for what belongs there`);
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
  const checked = checkConfig(value);
  if (checked.kind === "problems") return report(checked.problems);
  checkNames(checked.config, (setting, what) => report([{ path: [setting], atKey: false, what }]));
  return checked.config;
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

/** Looks up what has a name, so that a wrong one is shown where it stands. */
function checkNames({ engine, switch: name }: UserConfig, report: (setting: string, what: string) => never): void {
  if (engine === undefined) return;
  let setting = "engine";
  try {
    const preset = getEngine(engine);
    setting = "switch";
    if (name !== undefined) getSwitch(preset, name);
  } catch (error) {
    report(setting, (error as Error).message);
  }
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
