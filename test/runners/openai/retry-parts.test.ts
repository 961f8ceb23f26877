/** The pure parts of trying again: waits, who is asked next, when to stop. */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { backoffMs, parseRetryAfter } from "../../../runners/openai/backoff.ts";
import { Breaker } from "../../../runners/openai/breaker.ts";
import type { Failure, FailureKind } from "../../../runners/openai/failure.ts";
import { Replicas } from "../../../runners/openai/replicas.ts";
import { EngineLostError } from "../../../runners/runner.ts";

describe("backoffMs", () => {
  const options = { baseMs: 500, capMs: 30_000 };

  it("doubles its bound up to the cap, and waits a random share of it", () => {
    const bounds = Array.from({ length: 9 }, (_, retry) => backoffMs(retry, undefined, options, () => 1));
    expect(bounds).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    expect(backoffMs(2, undefined, options, () => 0.25)).toBe(500);
    expect(backoffMs(2, undefined, options, () => 0)).toBe(0);
  });

  it("waits all that the server asked for, and its own share after that", () => {
    fc.assert(
      fc.property(
        fc.nat(2000),
        fc.nat(100_000),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (retry, after, share) => {
          const wait = backoffMs(retry, after, options, () => share);
          expect(wait).toBeGreaterThanOrEqual(after);
          expect(wait).toBeLessThanOrEqual(after + options.capMs);
        },
      ),
    );
  });
});

describe("parseRetryAfter", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");

  it.each([
    ["0", 0],
    ["120", 120_000],
    [" 1.5 ", 1500],
    ["Thu, 01 Jan 2026 00:00:30 GMT", 30_000],
    ["Wed, 31 Dec 2025 23:59:00 GMT", 0],
    ["Thursday, 01-Jan-26 00:00:05 GMT", 5000],
    ["-1", undefined],
    ["soon", undefined],
    ["1e9", undefined],
    ["99999999999", undefined],
    ["Foo, bar", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("%j is %j ms", (header, ms) => {
    expect(parseRetryAfter(header, now)).toBe(ms);
  });
});

describe("Replicas", () => {
  it("gives each request to the least busy, and takes turns among equals", () => {
    const replicas = new Replicas(["a", "b", "c"], () => 0);
    const leases = Array.from({ length: 6 }, () => replicas.acquire());
    expect(leases.map(({ replica }) => replica)).toEqual(["a", "b", "c", "a", "b", "c"]);
    leases[1]?.release();
    leases[4]?.release();
    expect(replicas.acquire().replica).toBe("b");
  });

  it("passes over one that cannot be reached, for longer each time, until it answers", () => {
    let now = 0;
    const replicas = new Replicas(["a", "b"], () => now);
    const chosen = (): string => {
      const { replica, release } = replicas.acquire();
      release();
      return replica;
    };
    const lease = replicas.acquire();
    lease.unreachable();
    lease.release();
    expect([lease.replica, chosen(), chosen(), chosen()]).toEqual(["a", "b", "b", "b"]);
    now = 1001;
    expect(chosen()).toBe("a");
    lease.unreachable();
    now = 2500;
    expect(chosen()).toBe("b");
    lease.reached();
    expect([chosen(), chosen()]).toContain("a");
  });

  it("asks another after a failure, but not one that is out of reach", () => {
    const replicas = new Replicas(["a", "b"], () => 0);
    expect(replicas.acquire("a").replica).toBe("b");
    const lease = replicas.acquire("a");
    expect(lease.replica).toBe("b");
    lease.unreachable();
    expect(replicas.acquire("a").replica).toBe("a");
  });

  it("spares one that asked to be left alone, and knows when one is free again", () => {
    let now = 0;
    const replicas = new Replicas(["a", "b"], () => now);
    replicas.acquire().hold(60_000);
    expect([replicas.acquire().replica, replicas.acquire().replica, replicas.heldMs()]).toEqual(["b", "b", 0]);
    replicas.acquire().hold(30_000);
    now = 10_000;
    expect(replicas.heldMs()).toBe(20_000);
    now = 30_000;
    expect([replicas.heldMs(), replicas.acquire().replica]).toEqual([0, "b"]);
  });

  it("asks the only one there is, whatever it did", () => {
    const replicas = new Replicas(["a"], () => 0);
    replicas.acquire().unreachable();
    expect(replicas.acquire("a").replica).toBe("a");
  });
});

describe("Breaker", () => {
  const failed = (kind: FailureKind, status?: number): Failure => ({
    kind,
    message: `${kind}!`,
    retry: true,
    ...(status !== undefined && { status }),
  });
  const breaker = (): Breaker => new Breaker({ unreachableMs: 1000, failedInARow: 3 });

  it("opens when nothing could be reached for the set time", () => {
    const one = breaker();
    for (const now of [0, 500, 999]) one.attemptFailed(failed("unreachable"), 1, now);
    expect(one.signal.aborted).toBe(false);
    one.attemptFailed(failed("connect-timeout"), 1, 1000);
    expect(one.signal.reason).toBeInstanceOf(EngineLostError);
    expect((one.signal.reason as Error).message).toMatch(
      /^the server has been out of reach for 1\.0 s: connect-timeout!/,
    );
  });

  it("starts to count anew with every response", () => {
    const one = breaker();
    for (const now of [0, 900, 1800, 2700, 3600]) {
      one.attemptFailed(failed("unreachable"), 1, now);
      one.attemptFailed(failed("unreachable"), 1, now + 1);
      one.attemptFailed(failed("unreachable"), 1, now + 2);
      one.reached();
    }
    expect(one.signal.aborted).toBe(false);
  });

  it("is not opened by a few accidents far apart, nor by answers that take long to fail", () => {
    const one = breaker();
    for (const now of [0, 10_000]) one.attemptFailed(failed("reset"), 1, now);
    for (let now = 20_000; now < 90_000; now += 1000) {
      one.attemptFailed(failed("reset"), 5000, now);
      one.attemptFailed(failed("idle-timeout"), 5000, now);
      one.attemptFailed(failed("status", 503), 1, now);
    }
    expect(one.signal.aborted).toBe(false);
  });

  it("opens when request after request fails, unless the requests are to blame", () => {
    const one = breaker();
    for (let i = 0; i < 10; i++) one.requestFailed(failed("status", 400));
    one.requestFailed(failed("status", 500));
    one.requestFailed(failed("status", 500));
    one.requestAnswered();
    one.requestFailed(failed("malformed"));
    one.requestFailed(failed("first-byte-timeout"));
    expect(one.signal.aborted).toBe(false);
    one.requestFailed(failed("cut"));
    expect((one.signal.reason as Error).message).toMatch(/^3 requests in a row got no answer; the last: cut!/);
  });

  it("looks whether the server is back once the time is over, though no request does", async () => {
    const looks: boolean[] = [true, false];
    const one = new Breaker({ unreachableMs: 20, failedInARow: 3 }, { probe: async () => looks.shift() ?? false });
    one.attemptFailed(failed("unreachable"), 1, performance.now());
    await vi.waitUntil(() => looks.length === 1);
    expect(one.signal.aborted).toBe(false);
    one.attemptFailed(failed("unreachable"), 1, performance.now());
    await vi.waitUntil(() => one.signal.aborted);
    expect((one.signal.reason as Error).message).toMatch(/^the server has been out of reach for .*unreachable!/);
  });

  it("says what to do about a key that is refused again and again", () => {
    const one = new Breaker({ unreachableMs: 1000, failedInARow: 20 }, { keyAdvice: "set THE_KEY" });
    one.requestFailed(failed("status", 401));
    one.requestFailed(failed("status", 403));
    one.requestAnswered();
    for (let i = 0; i < 2; i++) one.requestFailed(failed("status", 401));
    expect(one.signal.aborted).toBe(false);
    one.requestFailed(failed("status", 401));
    expect((one.signal.reason as Error).message).toMatch(/^the server refuses the key: status!; set THE_KEY, and/);
  });
});
