/** The token sequences that a capture file is of, so that another engine can be given the same. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../errors.ts";
import { openSafetensors } from "../../engine/safetensors.ts";
import type { SafetensorsFile } from "../../engine/safetensors.ts";
import type { CaptureFacts } from "./capture-source.ts";
import { captureLayout } from "./safetensors-capture.ts";
import { TokenRuns } from "./token-runs.ts";

export interface CapturedDoc {
  readonly docId: number;
  readonly prompt: readonly number[];
  /** At least one token; the last one was not run. */
  readonly completion: readonly number[];
}

export interface CapturedDocs {
  /** The file itself, where a run's folder was given. */
  readonly path: string;
  readonly docs: readonly CapturedDoc[];
  /** Whether the file says where completions begin. If not, all of a doc is its prompt. */
  readonly boundaries: boolean;
}

/** All of them are held in memory; running so many would take days. */
const MAX_TOKENS = 2 ** 24;

/**
 * @param path - a capture file, or a run's folder: then its baseline's
 * @throws UserError where it cannot be read, or does not say which tokens were run
 */
export function readCapturedDocs(path: string): CapturedDocs {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const own = isFolder ? join(path, "baseline", "routing.safetensors") : path;
  const file = openSafetensors(own);
  try {
    const facts = { ...captureLayout(file), path: own, format: "capture file", notes: [] };
    const last = lastTokens(file, facts);
    return { path: own, docs: readDocs(file, facts, last), boundaries: last !== undefined };
  } finally {
    file.close();
  }
}

type Boundary = { readonly promptTokens: number; readonly lastToken: number };

function readDocs(
  file: SafetensorsFile,
  facts: CaptureFacts,
  boundaries: ReadonlyMap<number, Boundary> | undefined,
): CapturedDoc[] {
  const { path, nTokens } = facts;
  const fail = (reason: string): UserError => new UserError(`${path}: ${reason}, so its tokens cannot be run again`);
  if (!file.tensors.has("input_ids")) throw fail("it does not say which tokens were run (no input_ids)");
  if (nTokens > MAX_TOKENS) throw fail(`it has ${nTokens} tokens, more than ${MAX_TOKENS}`);
  const inputIds = file.readInt32("input_ids");
  const [docIndex, position] = ["doc_index", "position"].map((name) =>
    file.tensors.has(name) ? file.readInt32(name) : undefined,
  );
  const runs = new TokenRuns(facts).cut(0, nTokens, { ...(docIndex && { docIndex }), ...(position && { position }) });
  const seen = new Set<number>();
  return runs.map(({ docId, start, end, position: from }) => {
    if (from !== 0) throw fail(`doc ${docId} begins at position ${from}, without what stood before`);
    if (seen.has(docId)) throw fail(`doc ${docId} is there twice`);
    seen.add(docId);
    const tokens = [...inputIds.subarray(start, end)];
    if (tokens.some((id) => id < 0)) throw fail(`doc ${docId} has a token below 0`);
    // What the last row would have been followed by does not matter: it is not run.
    const { promptTokens, lastToken } = boundaries?.get(docId) ?? {
      promptTokens: tokens.length,
      lastToken: tokens.at(-1) as number,
    };
    if (promptTokens < 1 || promptTokens > tokens.length || lastToken < 0)
      throw fail(`doc ${docId} of ${tokens.length} tokens has a prompt of ${promptTokens}, last token ${lastToken}`);
    return { docId, prompt: tokens.slice(0, promptTokens), completion: [...tokens.slice(promptTokens), lastToken] };
  });
}

const BOUNDARIES = ["docs.doc_index", "docs.prompt_tokens", "docs.last_token"] as const;

function lastTokens(file: SafetensorsFile, { path, nTokens }: CaptureFacts): Map<number, Boundary> | undefined {
  if (!BOUNDARIES.every((name) => file.tensors.has(name))) return undefined;
  const [ids, promptTokens, lastToken] = BOUNDARIES.map((name) => {
    const { size } = file.info(name);
    if (size > nTokens) throw new UserError(`${path}: ${name} names ${size} docs of ${nTokens} tokens`);
    return file.readInt32(name);
  }) as [Int32Array, Int32Array, Int32Array];
  if (promptTokens.length !== ids.length || lastToken.length !== ids.length)
    throw new UserError(`${path}: its tensors ${BOUNDARIES.join(", ")} are of several lengths`);
  return new Map(
    [...ids].map((id, at) => [id, { promptTokens: promptTokens[at] as number, lastToken: lastToken[at] as number }]),
  );
}
