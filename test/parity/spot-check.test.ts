import { describe, expect, it } from "vitest";
import { fusedRoutingFromTopk } from "../../engine/routing/fused.ts";
import { routingFromTopk } from "../../engine/routing/reference-chain.ts";
import type { RoutingImplementation } from "../../engine/routing/routing-data.ts";
import { spotCheckText } from "../../parity/report-text.ts";
import { fixedCases } from "../../parity/routing-cases.ts";
import { checkCase, checkedImplementation, embeddedFused, prepareCase, spotCheck } from "../../parity/spot-check.ts";
import type { SpotCheckProgress } from "../../parity/spot-check.ts";

const OPTIONS = { seed: 3, seconds: 0 };

describe("a sound implementation", () => {
  it("holds, and what was covered is stated", async () => {
    const check = await spotCheck(embeddedFused(), OPTIONS);
    expect(check).toMatchObject({ cases: fixedCases().length, failed: 0, failures: [] });
    expect(check.covered).toMatchObject({ nTokens: [1, 65536], nExpertsAct: [1, 16], nExpertsTot: [8, 512] });
    const text = spotCheckText("mine", 3, check).join("\n");
    expect(text).toMatch(/against the reference chain\n {2}\d+ cases, [\d,]+ entries/);
    expect(text).toContain("N 1 to 65,536; K 1 to 16; E 8 to 512");
    expect(text).toMatch(/\nHeld: /);
  });

  it("may use the row-sorted flat index", async () => {
    const check = await spotCheck(checkedImplementation(routingFromTopk, "row-sorted"), OPTIONS);
    expect(check.failed).toBe(0);
  });

  it("is tried on drawn cases until its time is over", async () => {
    const seen: SpotCheckProgress[] = [];
    const check = await spotCheck(embeddedFused(), { seed: 3, seconds: 0.5, onProgress: (each) => seen.push(each) });
    expect(seen).toHaveLength(check.cases);
    const drawn = seen.filter(({ stretch }) => stretch === "drawn");
    expect(drawn.map(({ cases }) => cases)).toEqual(drawn.map((_, index) => index));
    expect(check.cases).toBeGreaterThan(fixedCases().length);
    expect(check.failed).toBe(0);
  });
});

it("the largest case there is, with all that it has in one bucket, is checked like any other", () => {
  const of = {
    name: "largest",
    nTokens: 65536,
    nExpertsAct: 16,
    nExpertsTot: 16,
    load: "padding",
    scoring: "sigmoid",
    dtype: "bf16",
    mapped: true,
  } as const;
  const prepared = prepareCase(of, 3);
  // More than 16-row tiles can be numbered for.
  expect(prepared.reference().hist[0]).toBeGreaterThan(32768 * 16);
  expect(checkCase(embeddedFused(), prepared).violations).toEqual([]);
});

it("a fault is named with its case, place and values, and does not end the check", async () => {
  const faulty: RoutingImplementation = (input) => {
    const data = fusedRoutingFromTopk(input);
    if (input.nTokens === 1) data.hist[0]!++;
    return data;
  };
  const check = await spotCheck(checkedImplementation(faulty, "slot"), OPTIONS);
  const ofOne = fixedCases().filter(({ nTokens }) => nTokens === 1);
  expect(check).toMatchObject({ cases: fixedCases().length, failed: ofOne.length });
  expect(check.failures[0]?.name).toBe(ofOne[0]?.name);
  const text = spotCheckText("mine", 3, check).join("\n");
  expect(text).toContain(`Broken in ${ofOne.length} of ${fixedCases().length} cases:`);
  expect(text).toMatch(
    / {2}n1_k8_e384_f32 [^\n]+: 2 violations\n {4}hist, first at expert 0: expected \d+, found \d+\n/,
  );
});
