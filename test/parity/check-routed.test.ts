/** The judge itself: what is free passes in any form, what is not is named with its place and both values. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expertData } from "../../engine/routing/expert-tiles.ts";
import { fusedRoutingFromTopk } from "../../engine/routing/fused.ts";
import { routingFromTopk } from "../../engine/routing/reference-chain.ts";
import type { RoutingData, RoutingInput, WeightArray } from "../../engine/routing/routing-data.ts";
import { checkRouted } from "../../parity/check-routed.ts";
import { anyRecipe, makeInput } from "../engine/routing/inputs.ts";

const input: RoutingInput = {
  topkIds: Int32Array.of(2, 0, 1, 2, 0, 2),
  topkWeights: Float32Array.of(0.7, 0.3, 0.6, 0.4, 0.8, 0.2),
  nTokens: 3,
  nExpertsAct: 2,
  nExpertsTot: 4,
};

/** Routing data with the entries of every expert in an order that `keys` decide, made without either chain. */
function inAnyOrder(from: RoutingInput<WeightArray>, keys: (flat: number) => number): RoutingData<WeightArray> {
  const local = Array.from(from.topkIds, (id) => {
    const mapped = from.expertMap === undefined ? id : (from.expertMap[id] ?? -1);
    return mapped < 0 ? { expert: 0, isHere: false } : { expert: mapped, isHere: true };
  });
  const order = [...local.keys()].toSorted((a, b) => local[a]!.expert - local[b]!.expert || keys(a) - keys(b));
  const hist = new Int32Array(from.nExpertsTot);
  for (const { expert } of local) hist[expert]!++;
  const gateIndx = new Int32Array(order.length);
  for (const [position, flat] of order.entries()) gateIndx[flat] = position;
  const gateScal = from.topkWeights.slice();
  for (const [position, flat] of order.entries()) {
    gateScal[position] = local[flat]!.isHere ? from.topkWeights[flat]! : 0;
  }
  return { hist, topkIndx: Int32Array.from(order), gateIndx, gateScal };
}

const small = anyRecipe.map((recipe) => makeInput({ ...recipe, nTokens: (recipe.nTokens % 30) + 1, weights: "f32" }));

describe("what is free", () => {
  it("is the order inside an expert", () => {
    fc.assert(
      fc.property(small, fc.nat(), (from, salt) => {
        const data = inAnyOrder(from, (flat) => Math.imul(flat + 1, 2 * salt + 1) >>> 0);
        const report = checkRouted(from, { data, experts: expertData(data.hist) }, "slot");
        expect(report.violations).toEqual([]);
        expect(report.checked).toBeGreaterThan(4 * from.topkIds.length);
      }),
    );
  });

  it("is the room for tiles that are not used, and which block sizes there are", () => {
    const data = fusedRoutingFromTopk(input);
    const { tokenOffsRaw, tiles } = expertData(data.hist, [16, 256]);
    const roomy = tiles.map(({ blockM, tokenOffsPad, blockPidMap }) => ({
      blockM,
      tokenOffsPad,
      blockPidMap: Int32Array.of(...blockPidMap, -1, -1, -1),
    }));
    expect(checkRouted(input, { data, experts: { tokenOffsRaw, tiles: roomy } }, "slot").violationCount).toBe(0);
    expect(checkRouted(input, { data, experts: { tokenOffsRaw, tiles: [] } }, "slot").violationCount).toBe(0);
    expect(checkRouted(input, { data }, "slot").violationCount).toBe(0);
  });
});

describe("what is not free", () => {
  it("is any number in offsets and tiles", () => {
    fc.assert(
      fc.property(small, fc.nat(), fc.constantFrom(-1, 1, 65536), fc.nat(2), (from, at, delta, which) => {
        const data = fusedRoutingFromTopk(from);
        const experts = expertData(data.hist);
        const [tile] = experts.tiles;
        const arrays = [experts.tokenOffsRaw, tile!.tokenOffsPad, tile!.blockPidMap];
        const array = arrays[which]!;
        array[at % array.length]! += delta;
        const { violations, violationCount } = checkRouted(from, { data, experts }, "slot");
        expect(violationCount).toBe(1);
        const invariant = ["token_offs_raw", "token_offs_pad", "block_pid_map"][which];
        expect(violations[0]).toMatchObject({ invariant });
        expect(violations[0]?.where).toContain(`index ${at % array.length}`);
      }),
    );
  });

  it("is any entry in the place of another expert's", () => {
    fc.assert(
      fc.property(small, fc.nat(), fc.nat(), (from, a, b) => {
        const data = fusedRoutingFromTopk(from);
        const { topkIndx, gateIndx, gateScal } = data;
        const [p, q] = [a % topkIndx.length, b % topkIndx.length];
        const bucketOf = (position: number): number => {
          let end = 0;
          return data.hist.findIndex((count) => (end += count) > position);
        };
        fc.pre(bucketOf(p) !== bucketOf(q));
        [topkIndx[p], topkIndx[q]] = [topkIndx[q]!, topkIndx[p]!];
        [gateScal[p], gateScal[q]] = [gateScal[q]!, gateScal[p]!];
        gateIndx[topkIndx[p]] = p;
        gateIndx[topkIndx[q]] = q;
        expect(checkRouted(from, { data }, "slot").violations.map(({ invariant }) => invariant)).toContain("bucket");
      }),
    );
  });

  it.each([4, -1, 2 ** 31 - 1])("is an id of %i where no expert map explains it", (id) => {
    const stray = { ...input, topkIds: input.topkIds.with(3, id) };
    expect(checkRouted(stray, { data: fusedRoutingFromTopk(input) }, "slot")).toEqual({
      checked: 6,
      violationCount: 1,
      violations: [{ invariant: "ids", where: "token 1, slot 1", expected: "an expert in [0, 4)", found: `${id}` }],
    });
  });

  it("is the base of the flat index", () => {
    const violations = checkRouted(input, { data: routingFromTopk(input) }, "slot").violations;
    expect(violations[0]).toEqual({
      invariant: "bucket",
      where: "position 0, expert 0",
      expected: "an entry of expert 0",
      found: "flat index 0, which chose expert 2",
    });
    expect(checkRouted(input, { data: routingFromTopk(input) }, "row-sorted").violationCount).toBe(0);
  });

  it("is a map that is too short for its tiles", () => {
    const data = fusedRoutingFromTopk(input);
    const { tokenOffsRaw, tiles } = expertData(data.hist, [16]);
    const short = tiles.map(({ blockM, tokenOffsPad, blockPidMap }) => ({
      blockM,
      tokenOffsPad,
      blockPidMap: blockPidMap.subarray(0, 2),
    }));
    const { violations } = checkRouted(input, { data, experts: { tokenOffsRaw, tiles: short } }, "slot");
    expect(violations).toEqual([
      { invariant: "block_pid_map", where: "index 2, block of 16", expected: "2", found: "the end of the array" },
    ]);
  });
});
