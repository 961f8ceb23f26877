import { describe, expect, it } from "vitest";
import { delays, falseAlarms } from "../../bench/drift.ts";
import { cusumThreshold } from "../../metrics/cusum-run-length.ts";
import { driftOf, firstLoss } from "../../metrics/drift.ts";
import type { Night } from "../../metrics/drift.ts";

const threshold = cusumThreshold(1000);
const of = (n: number, ...correct: number[]): Night[] => correct.map((each) => ({ correct: each, n }));
const steady = (nights: number, correct = 1253, n = 1319): Night[] =>
  Array.from({ length: nights }, (_, night) => ({ correct: correct + [0, 1, -1, 2, 0, -2][night % 6]!, n }));

describe("a series", () => {
  it("of no night or one has nothing to be compared with", () => {
    expect(driftOf([], threshold)).toEqual({ kind: "too short" });
    expect(driftOf(steady(1), threshold)).toEqual({ kind: "too short" });
  });

  it("that stays as it was is steady, and says where the next night should lie", () => {
    const drift = driftOf(steady(60), threshold);
    if (drift.kind !== "steady") throw new Error(drift.kind);
    expect(drift.level.mean).toBeCloseTo(0.95, 3);
    expect(drift.level.low).toBeLessThan(drift.level.mean);
    expect(drift.level.high).toBeGreaterThan(drift.level.mean);
    // Its own spread of about 1.4 docs, not the binomial one of 7.9.
    expect(drift.level.deviation * 1319).toBeLessThan(3);
  });

  it("of all right, or all wrong, has a band of some width that stays within 0 and 1", () => {
    for (const correct of [0, 100]) {
      const drift = driftOf(of(100, ...Array.from({ length: 20 }, () => correct)), threshold);
      if (drift.kind !== "steady") throw new Error(drift.kind);
      expect(drift.level.high - drift.level.low).toBeGreaterThan(0.01);
      expect(drift.level.low).toBeGreaterThanOrEqual(0);
      expect(drift.level.high).toBeLessThanOrEqual(1);
    }
  });

  it("that was the same to the doc takes one doc for no alarm", () => {
    const nights = [...of(1319, ...Array.from({ length: 40 }, () => 1253)), ...of(1319, 1252)];
    expect(driftOf(nights, threshold).kind).toBe("steady");
  });
});

describe("a loss", () => {
  const nights = [...steady(30), ...steady(4, 1240)];

  it("of one point is called, with the last good night and the first bad one", () => {
    const drift = driftOf(nights, threshold);
    expect(drift).toMatchObject({ kind: "loss", lastGood: 29, firstBad: 30 });
    if (drift.kind !== "loss") throw new Error(drift.kind);
    expect(drift.change).toBeCloseTo(-13 / 1319, 3);
    // The bad nights are not taken for the level.
    expect(drift.level.nights).toBe(30);
  });

  it("is called for as long as it lasts", () => {
    for (const more of [10, 50, 200]) {
      expect(driftOf([...steady(30), ...steady(more, 1240)], threshold)).toMatchObject({ kind: "loss", firstBad: 30 });
    }
  });

  it("is over some nights after it is repaired, and the bad nights leave no trace in the level", () => {
    const drift = driftOf([...nights, ...steady(12)], threshold);
    if (drift.kind !== "steady") throw new Error(drift.kind);
    expect(drift.level.mean).toBeCloseTo(0.95, 3);
  });

  it("of one bad night only, however bad, is over soon", () => {
    const drift = driftOf([...steady(30), ...of(1319, 0), ...steady(6)], threshold);
    expect(drift.kind).toBe("steady");
  });

  it("that comes a little every night is found too", () => {
    const slow = Array.from({ length: 60 }, (_, night) => ({ correct: 1253 - Math.round(night / 2), n: 1319 }));
    expect(driftOf([...steady(30), ...slow], threshold).kind).toBe("loss");
  });

  it("is told from a gain", () => {
    expect(driftOf([...steady(30), ...steady(4, 1275)], threshold)).toMatchObject({ kind: "gain", firstBad: 30 });
  });

  it("is never called on the first night, nor by what one night alone could say", () => {
    expect(firstLoss(of(1319, 1300, 1200, 1300), threshold)).not.toBe(0);
    expect(driftOf(of(100, 92, 84), threshold).kind).toBe("steady");
  });
});

describe("simulated, a small part of docs/benchmarks.md", () => {
  it.each([0, 0.3, 1])("false alarms are no more frequent than stated at %d of the binomial spread", (spread) => {
    const series = { docs: 1319, accuracy: 0.95, spread, nights: 600 };
    const options = { threshold: cusumThreshold(200), repeats: 150, seed: `test ${spread}` };
    const { perNight } = falseAlarms(series, options);
    // 1 in 200, plus what 150 alarms may be off by: three standard errors of 8 %.
    expect(perNight).toBeLessThan(0.005 * 1.25);
  });

  it("the rate is the stated one, and not far below, where nights spread as chance has them", () => {
    const series = { docs: 1319, accuracy: 0.95, spread: 1, nights: 2000 };
    const { perNight } = falseAlarms(series, { threshold: cusumThreshold(200), repeats: 150, seed: "rate" });
    expect(perNight).toBeGreaterThan(0.005 * 0.7);
  });

  it("two points are found within days", () => {
    const series = { docs: 1319, accuracy: 0.95, spread: 1, nights: 60, lossAfter: 30, loss: 2 };
    const found = delays(series, { threshold, repeats: 50, seed: "two points" });
    expect(found.filter((nights) => nights <= 7).length).toBeGreaterThanOrEqual(0.9 * found.length);
  });
});
