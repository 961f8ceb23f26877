import { existsSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RoutingCapture } from "../../engine/requests.ts";
import { openSafetensors } from "../../engine/safetensors.ts";
import { UserError } from "../../errors.ts";
import { openCaptureFile } from "../../runners/capture-file.ts";
import { CaptureStore } from "../../runners/capture-store.ts";
import type { CaptureShape, StoredCapture } from "../../runners/capture-store.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fusecheck-store-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const SHAPE: CaptureShape = {
  layers: [1, 3],
  nExpertsAct: 2,
  nExpertsTot: 300,
  weights: true,
  margins: true,
  rule: { nGroup: 4, topkGroup: 2, groupScore: "best two" },
};
const DOCS: readonly StoredCapture[] = [
  { docId: 4, nTokens: 3, closeRows: 2 },
  { docId: 9, nTokens: 1, closeRows: 2 },
];

/** Numbers that tell doc, layer and token apart. */
function capture({ docId, nTokens }: StoredCapture): RoutingCapture {
  const { layers, nExpertsAct, nExpertsTot } = SHAPE;
  const entries = layers.length * nTokens * nExpertsAct;
  // The last token of the first layer, and the first of the second.
  const rows = Int32Array.from({ length: 2 }, (_, at) => nTokens - 1 + at);
  const scores = Float32Array.from({ length: 2 * nExpertsTot }, (_, at) => docId * 1000 + at);
  const topkIds = Uint16Array.from({ length: entries }, (_, index) => 200 + docId * 10 + index);
  return {
    layers,
    nTokens,
    nExpertsAct,
    nExpertsTot,
    topkIds,
    topkWeights: Float32Array.from(topkIds, (id) => id / 1024),
    margins: Float32Array.from({ length: layers.length * nTokens }, (_, row) => docId + row / 8),
    close: { rows, scores, rule: SHAPE.rule! },
  };
}

const inputIds = ({ docId, nTokens }: StoredCapture): number[] =>
  Array.from({ length: nTokens }, (_, token) => docId * 100 + token);

function append(store: CaptureStore, doc: StoredCapture): void {
  store.append(inputIds(doc), capture(doc));
}

function expectWhole(path: string): void {
  const file = openSafetensors(path);
  try {
    expect(file.metadata.get("variant")).toBe("fused");
    expect(file.metadata.get("moe_layers")).toBe("1,3");
    expect([...file.read("doc_index")]).toEqual([4, 4, 4, 9]);
    expect([...file.read("position")]).toEqual([0, 1, 2, 0]);
    expect([...file.read("input_ids")]).toEqual([400, 401, 402, 900]);
    // 300 experts do not fit into a byte.
    expect(file.info("layers.3.topk_ids")).toMatchObject({ dtype: "U16", shape: [4, 2] });
    expect([...file.read("layers.1.topk_ids")]).toEqual([240, 241, 242, 243, 244, 245, 290, 291]);
    expect([...file.read("layers.3.topk_ids")]).toEqual([246, 247, 248, 249, 250, 251, 292, 293]);
    expect([...file.read("layers.1.router_margin")]).toEqual([4, 4.125, 4.25, 9]);
    expect([...file.read("layers.3.router_margin")]).toEqual([4.375, 4.5, 4.625, 9.125]);
    expect([...file.read("layers.3.topk_weights")]).toEqual(
      [...file.read("layers.3.topk_ids")].map((id) => Number(id) / 1024),
    );
    // Rows count all docs' tokens.
    expect([...file.read("layers.1.close_rows")]).toEqual([2, 3]);
    expect([...file.read("layers.3.close_rows")]).toEqual([0, 3]);
    const scores = file.readFloat32("layers.3.close_scores");
    expect([scores[0], scores[299], scores[300]]).toEqual([4300, 4599, 9300]);
  } finally {
    file.close();
  }
  const opened = openCaptureFile(path);
  const close = opened.read(1, 4).close?.(0);
  expect(close?.rule).toEqual(SHAPE.rule);
  expect([0, 1, 2].map((token) => close?.of(token)?.[0])).toEqual([undefined, 4000, 9000]);
  opened.close();
}

describe("CaptureStore", () => {
  it("turns docs, appended one by one, into one capture file", () => {
    const store = CaptureStore.open(join(folder, "part"), undefined, []);
    for (const doc of DOCS) append(store, doc);
    store.writeCaptureFile(join(folder, "routing.safetensors"), SHAPE, DOCS, { variant: "fused" });
    store.remove();
    expect(existsSync(join(folder, "part"))).toBe(false);
    expectWhole(join(folder, "routing.safetensors"));
  });

  it("cuts away what was being written when the process died", () => {
    const path = join(folder, "part");
    const first = CaptureStore.open(path, undefined, []);
    for (const doc of DOCS) append(first, doc);
    first.close();
    truncateSync(path, statSync(path).size - 5);
    const kept = DOCS.slice(0, 1);
    expect(CaptureStore.holds(path, SHAPE, kept)).toBe(true);
    const second = CaptureStore.open(path, SHAPE, kept);
    append(second, DOCS[1]!);
    second.writeCaptureFile(join(folder, "routing.safetensors"), SHAPE, DOCS, { variant: "fused" });
    second.close();
    expectWhole(join(folder, "routing.safetensors"));
  });

  it("knows when the file lacks what it must hold", () => {
    const path = join(folder, "part");
    expect(CaptureStore.holds(path, undefined, [])).toBe(true);
    expect(CaptureStore.holds(path, SHAPE, DOCS)).toBe(false);
    CaptureStore.open(path, undefined, []).close();
    expect(CaptureStore.holds(path, SHAPE, DOCS)).toBe(false);
    expect(() => CaptureStore.open(path, SHAPE, DOCS)).toThrow(UserError);
  });

  it("names the path when the file cannot be opened", () => {
    expect(() => CaptureStore.open(join(folder, "missing", "part"), undefined, [])).toThrow(/^cannot open .*missing/);
  });
});
