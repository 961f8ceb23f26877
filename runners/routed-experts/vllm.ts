/**
 * vLLM: `choices[0].routed_experts`, from 0.22 on base64 of a `.npy` file, [rows, layers, K] in whichever integer type it
 * was captured. 0.21 has nested lists, the prompt's apart in `prompt_routed_experts` of the response, with -1 in the rows
 * that the prefix cache answered.
 */
import { UserError } from "../../errors.ts";
import { isRecord, listMember, member } from "../json-read.ts";
import { CaptureError, absent } from "./capture-result.ts";
import { decodeBase64, unreadable } from "./decoded-ids.ts";
import type { DecodedIds, ServedTokens } from "./decoded-ids.ts";
import { concatRows, readNestedIds } from "./nested-ids.ts";
import { readNpy } from "./npy.ts";
import type { NpyDtype } from "./npy.ts";

const WHERE = "choices[0].routed_experts";
const OFF = "start the server with --enable-return-routed-experts";

/** @throws CaptureError where there is no capture, or none that can be read */
export function decodeVllm(body: unknown, { completionTokens, layout }: ServedTokens): DecodedIds {
  const choice = (listMember(body, "choices") ?? [])[0];
  const payload = member(choice, "routed_experts");
  const prompt = member(body, "prompt_routed_experts");
  if (Array.isArray(prompt) || Array.isArray(payload)) return decodeLists(prompt, payload, completionTokens);
  if (typeof payload === "string") return decodeNpy(payload, layout);
  if (payload === null)
    throw new CaptureError(absent("null-field", `${WHERE} is null: ${OFF}; or the request was preempted or aborted`));
  if (payload === undefined) throw new CaptureError(absent("no-field", `the response has no ${WHERE}: ${OFF}`));
  throw unreadable(`${WHERE} is neither text nor lists${isRecord(payload) ? " but an object" : ""}`);
}

function decodeNpy(text: string, { nExpertsTot }: ServedTokens["layout"]): DecodedIds {
  const { dtype, shape, data } = parseNpy(decodeBase64(text, WHERE));
  const [rows, layers, k] = shape;
  if (shape.length !== 3 || rows === undefined || layers === undefined || k === undefined)
    throw unreadable(`${WHERE} has shape (${shape.join(", ")}); expected (tokens, layers, experts per token)`);
  // Narrow integers fit; of 64 bits only those that are no ids are changed, to another that is none.
  const ids = Int32Array.from(data as ArrayLike<number | bigint>, (id) => clamp(Number(id)));
  const wrapped = LARGEST_UNSIGNED[dtype];
  // An expert's id where there are so many experts; else the -1 of a row that was not run, in a type that has none.
  if (wrapped !== undefined && wrapped >= nExpertsTot)
    for (const [at, id] of ids.entries()) if (id === wrapped) ids[at] = -1;
  return { rows, layers, k, ids };
}

function parseNpy(bytes: Uint8Array): ReturnType<typeof readNpy> {
  try {
    return readNpy(bytes, WHERE);
  } catch (error) {
    if (error instanceof UserError) throw unreadable(error.message);
    throw error;
  }
}

const LARGEST_UNSIGNED: Readonly<Partial<Record<NpyDtype, number>>> = { "|u1": 0xff, "<u2": 0xffff };

function clamp(id: number): number {
  return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, id));
}

function decodeLists(prompt: unknown, completion: unknown, completionTokens: number): DecodedIds {
  const first = readNestedIds(prompt ?? [], "prompt_routed_experts");
  // With a single token generated there is nothing to give, and it may be null.
  const second = readNestedIds(completionTokens <= 1 ? (completion ?? []) : completion, WHERE);
  return concatRows(first, second);
}
