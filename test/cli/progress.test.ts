import { Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startPace } from "../../cli/pace.ts";
import { progressOn } from "../../cli/progress.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval", "performance", "Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A stream that keeps what is written to it; the bar asks a terminal for its width. */
class Kept extends Writable {
  text = "";
  readonly columns = 80;
  readonly isTTY: boolean;

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

describe("progress on a pipe", () => {
  it("says nothing of work that is over in 2 s", () => {
    const stream = new Kept(false);
    const progress = progressOn(stream);
    const report = progress.start("baseline");
    report({ done: 0, total: 2, facts: [] });
    vi.advanceTimersByTime(1900);
    report({ done: 2, total: 2, facts: [] });
    progress.end();
    vi.advanceTimersByTime(60_000);
    expect(stream.text).toBe("");
  });

  it("is a plain line at 2 s, every 10 s, and at the end", () => {
    const stream = new Kept(false);
    const progress = progressOn(stream);
    const report = progress.start("baseline");
    report({ done: 0, total: 100, facts: [] });
    vi.advanceTimersByTime(5000);
    for (let done = 1; done <= 100; done++) {
      report({ done, total: 100, facts: ["exact match 0.750", "1 failed"] });
      vi.advanceTimersByTime(200);
    }
    progress.end();
    expect(stream.text).toBe(
      [
        "baseline: 0/100, 2 s",
        "baseline: 35/100, exact match 0.750, 1 failed, 12 s, 23 s left",
        "baseline: 85/100, exact match 0.750, 1 failed, 22 s, 4 s left",
        "baseline: 100/100, exact match 0.750, 1 failed, 25 s",
        "",
      ].join("\n"),
    );
  });

  it("says nothing more once it has ended", () => {
    const stream = new Kept(false);
    const progress = progressOn(stream);
    progress.start("baseline")({ done: 1, total: 2, facts: [] });
    vi.advanceTimersByTime(3000);
    progress.end();
    const said = stream.text;
    progress.end();
    vi.advanceTimersByTime(60_000);
    expect(stream.text).toBe(said);
  });
});

describe("progress on a terminal", () => {
  it("is a bar that is there before the first doc has ended, and gives the cursor back", () => {
    const stream = new Kept(true);
    const progress = progressOn(stream);
    const report = progress.start("fused");
    report({ done: 0, total: 4, facts: [] });
    vi.advanceTimersByTime(2100);
    expect(stream.text).toMatch(/fused ░+ 0\/4 {2}2 s/);
    expect(stream.text).toContain("\u001b[?25l");
    report({ done: 2, total: 4, facts: ["exact match 0.500"] });
    vi.advanceTimersByTime(1100);
    expect(stream.text).toMatch(/2\/4 {2}exact match 0\.500, 3 s, 3 s left/);
    progress.end();
    expect(stream.text.lastIndexOf("\u001b[?25h")).toBeGreaterThan(stream.text.lastIndexOf("\u001b[?25l"));
    expect(stream.text).not.toMatch(/NaN|Inf|undefined/);
  });
});

describe("startPace", () => {
  it("does not count as its own what an earlier session did", () => {
    let now = 0;
    const pace = startPace(() => now);
    pace.count(90);
    expect(pace.words(90, 100)).toEqual(["0 s"]);
    now = 10_000;
    pace.count(91);
    expect(pace.words(91, 100)).toEqual(["10 s", "90 s left"]);
    expect(pace.words(100, 100)).toEqual(["10 s"]);
  });

  it("speaks of long work in minutes", () => {
    let now = 0;
    const pace = startPace(() => now);
    pace.count(0);
    now = 600_000;
    expect(pace.words(1, 7)).toEqual(["10 min", "60 min left"]);
  });
});
