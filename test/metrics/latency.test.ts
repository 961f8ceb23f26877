import { expect, test } from "vitest";
import { requestLatency, throughput } from "../../metrics/latency.ts";

test("rates are over the wall clock", () => {
  expect(throughput({ requests: 10, promptTokens: 5000, generatedTokens: 1000, seconds: 4 })).toEqual({
    kind: "measured",
    seconds: 4,
    promptTokensPerSecond: 1250,
    generatedTokensPerSecond: 250,
    requestsPerSecond: 2.5,
  });
});

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("no rate over %d seconds", (seconds) => {
  expect(throughput({ requests: 1, promptTokens: 1, generatedTokens: 1, seconds })).toEqual({ kind: "not measured" });
});

test("percentiles as numpy.percentile has them", () => {
  // numpy 2.4.6: np.percentile([12, 3, 45, 7, 9, 100.5], [50, 95])
  expect(requestLatency([12, 3, 45, 7, 9, 100.5])).toEqual({
    kind: "measured",
    requests: 6,
    total: 176.5,
    mean: expect.closeTo(29.416666666666668, 12) as number,
    median: 10.5,
    p95: expect.closeTo(86.625, 12) as number,
    max: 100.5,
  });
  expect(requestLatency([])).toEqual({ kind: "no requests" });
  expect(() => requestLatency([1, Number.NaN])).toThrow("NaN");
});
