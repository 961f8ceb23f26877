import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BLOCK_MS, defaultBlockM, expertData, fittingBlocks, maxNTiles } from "../../../engine/routing/expert-tiles.ts";
import { UserError } from "../../../errors.ts";

test("by hand", () => {
  const { tokenOffsRaw, tiles } = expertData(Int32Array.of(17, 0, 16, 40), [16, 32]);
  expect(tokenOffsRaw).toEqual(Int32Array.of(0, 17, 17, 33, 73));
  expect(tiles).toEqual([
    {
      blockM: 16,
      tokenOffsPad: Int32Array.of(0, 2, 2, 3, 6),
      // 3 - floor((4 - 73 - 1) / 16) = 3 + 5 = 8 tiles at most.
      blockPidMap: Int32Array.of(0, 0x10000, 2, 3, 0x10003, 0x20003, -1, -1),
    },
    {
      blockM: 32,
      tokenOffsPad: Int32Array.of(0, 1, 1, 2, 4),
      blockPidMap: Int32Array.of(0, 2, 3, 0x10003, -1, -1, -1, -1),
    },
  ]);
});

describe("any histogram", () => {
  const anyHist = fc
    .array(fc.oneof(fc.constant(0), fc.nat(5), fc.nat(400)), { minLength: 1, maxLength: 64 })
    .map((counts) => Int32Array.from(counts));

  test("each entry is in exactly one tile of its expert, and all tiles fit", () => {
    fc.assert(
      fc.property(anyHist, (hist) => {
        const nk = hist.reduce((a, b) => a + b, 0);
        const { tokenOffsRaw, tiles } = expertData(hist);
        expect(tokenOffsRaw.at(-1)).toBe(nk);
        expect(tiles.map(({ blockM }) => blockM)).toEqual(BLOCK_MS);
        for (const { blockM, tokenOffsPad, blockPidMap } of tiles) {
          expect(blockPidMap).toHaveLength(maxNTiles(nk, hist.length, 16));
          const used = tokenOffsPad.at(-1) ?? 0;
          expect(used).toBeLessThanOrEqual(blockPidMap.length);
          const covered = new Int32Array(nk);
          for (const pid of blockPidMap.subarray(0, used)) {
            const expert = pid & 0xffff;
            const start = (tokenOffsRaw[expert] ?? 0) + (pid >> 16) * blockM;
            const end = Math.min(start + blockM, tokenOffsRaw[expert + 1] ?? 0);
            expect(end).toBeGreaterThan(start);
            for (let entry = start; entry < end; entry++) covered[entry] = (covered[entry] ?? 0) + 1;
          }
          expect(covered.every((times) => times === 1)).toBe(true);
          expect(blockPidMap.subarray(used).every((pid) => pid === -1)).toBe(true);
        }
      }),
    );
  });

  test("the bound is reached by the worst histogram of its size", () => {
    // As many experts as possible with one entry, all others with the first expert.
    for (const [nk, e] of [
      [1, 8],
      [8, 8],
      [9, 8],
      [100, 8],
      [4096, 384],
    ] as const) {
      const worst = new Int32Array(e).fill(1, 0, Math.min(nk, e));
      worst[0] = (worst[0] ?? 0) + Math.max(0, nk - e);
      const { tiles } = expertData(worst, [16]);
      expect(tiles[0]?.tokenOffsPad.at(-1)).toBe(maxNTiles(nk, e, 16));
    }
  });
});

test.each([
  [0, 256, 16],
  [384, 256, 16],
  [4096, 256, 16],
  [4352, 256, 32],
  [8192, 256, 32],
  [65536 * 8, 384, 128],
])("block_m of NK = %i over %i experts is %i", (nk, e, blockM) => {
  expect(defaultBlockM(nk, e)).toBe(blockM);
});

test("what does not fit the map's bits is refused", () => {
  expect(() => expertData(Int32Array.of(32768 * 16 + 1), [16])).toThrow(/Expert 0 needs 32769 tiles/);
  expect(expertData(Int32Array.of(32768 * 16), [16]).tiles[0]?.blockPidMap.at(-1)).toBe(32767 << 16);
  expect(fittingBlocks(Int32Array.of(1, 32768 * 16 + 1))).toEqual([32, 64, 128]);
  expect(fittingBlocks(Int32Array.of(1, 32768 * 16))).toEqual(BLOCK_MS);
  expect(() => expertData(new Int32Array(65537))).toThrow(UserError);
  expect(() => expertData(Int32Array.of(1), [0])).toThrow(/block_m must be at least 1/);
});
