import { describe, expect, it } from "vitest";
import type { JudgedParity } from "../../reports/comparison.ts";
import { routingSentences } from "../../reports/findings.ts";
import { renderReport } from "../../reports/markdown.ts";
import { broken } from "./example.ts";

const parity = broken.parity as JudgedParity;
const unmargined: JudgedParity = { ...parity, routing: { ...parity.routing, marginsKnown: false } };

describe("choices that differ", () => {
  it("are near-ties or unexplained where margins tell them apart", () => {
    const text = routingSentences(parity).join("\n");
    expect(text).toContain("near-ties 1, downstream of an earlier divergence 0, unexplained 2");
    expect(text).toContain("; the first unexplained: doc 17, position 440, layer 4.");
  });

  it("are said to be either without margins: rounding may explain what nothing explains there", () => {
    const text = routingSentences(unmargined).join("\n");
    expect(text).toContain("downstream of an earlier divergence 0, near-tie or fault 2.");
    expect(text).toContain("First divergence: doc 17, position 402, layer 4.");
    expect(text + renderReport({ ...broken, parity: unmargined })).not.toMatch(/unexplained: |\| Unexplained/);
  });
});
