/**
 * SGLang: base64 of raw little-endian int32, [rows, all layers, K], without a header. The field has lived in several
 * places: `meta_info` of `/generate`, and for the OpenAI API `sglext` (or `sgl_ext`) of the response and of the choice.
 */
import { isRecord, listMember, member } from "../json-read.ts";
import { CaptureError, absent } from "./capture-result.ts";
import { decodeBase64, unreadable } from "./decoded-ids.ts";
import type { DecodedIds, ServedTokens } from "./decoded-ids.ts";

/** @throws CaptureError where there is no capture, or none that can be read */
export function decodeSglang(body: unknown, { layout }: ServedTokens): DecodedIds {
  const payload = findPayload(body);
  if (typeof payload !== "string") throw unreadable("sglext.routed_experts is not text");
  const bytes = decodeBase64(payload, "sglext.routed_experts");
  const { nLayers, nExpertsAct } = layout;
  const rowBytes = nLayers * nExpertsAct * 4;
  if (bytes.length % rowBytes !== 0)
    throw unreadable(
      `sglext.routed_experts has ${bytes.length} bytes, not a multiple of ${rowBytes} ` +
        `(${nLayers} layers * ${nExpertsAct} experts * 4 bytes): truncated, or another model's layout`,
    );
  // A copy: int32 must start at a multiple of 4, which a decoded buffer need not.
  const ids = new Int32Array(Uint8Array.from(bytes).buffer);
  return { rows: bytes.length / rowBytes, layers: nLayers, k: nExpertsAct, ids };
}

const FLAG =
  "start the server with --enable-return-routed-experts, which it needs besides the request's return_routed_experts";

function findPayload(body: unknown): unknown {
  // A batch of /generate is a list.
  const response: unknown = Array.isArray(body) ? body[0] : body;
  const choice = (listMember(response, "choices") ?? [])[0];
  const holders = [response, choice].flatMap((at) => ["sglext", "sgl_ext", "meta_info"].map((key) => member(at, key)));
  const found = holders.filter((holder) => isRecord(holder) && Object.hasOwn(holder, "routed_experts"));
  const values = found.map((holder) => member(holder, "routed_experts"));
  const value = values.find((each) => each !== null);
  if (value !== undefined) return value;
  if (values.length > 0) throw new CaptureError(absent("null-field", `sglext.routed_experts is null: ${FLAG}`));
  throw new CaptureError(absent("no-field", `the response has no sglext.routed_experts: ${FLAG}`));
}
