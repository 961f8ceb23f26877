import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Comparison, JudgedParity } from "../../reports/comparison.ts";
import { renderConsole } from "../../reports/console.ts";
import type { ReportedToken } from "../../reports/reported-picture.ts";
import { renderRoutingReport } from "../../reports/routing-report.ts";
import { broken, held } from "./example.ts";

const CHARTS = [
  { name: "router-margins", path: "charts/router-margins.svg", alt: "Margins [x] of | all" },
  { name: "expert-load", path: "charts/expert-load.svg", alt: "Load." },
];
const judged = broken.parity as JudgedParity;

function withPicture(change: Partial<NonNullable<JudgedParity["picture"]>>): Comparison {
  return { ...broken, parity: { ...judged, picture: { ...judged.picture!, ...change } } };
}

describe("routing.md", () => {
  test("where routing differs, whole", async () => {
    await expect(renderRoutingReport(broken, CHARTS)).toMatchFileSnapshot("__snapshots__/broken-routing.md");
  });

  test("where nothing differs, whole", async () => {
    await expect(renderRoutingReport(held, CHARTS)).toMatchFileSnapshot("__snapshots__/held-routing.md");
  });

  test("is not there where routing was not judged", () => {
    expect(renderRoutingReport({ ...broken, parity: { kind: "not judged", reason: "x" } }, [])).toBeUndefined();
  });

  test("says in words why a chart is not there", () => {
    const report = renderRoutingReport(withPicture({ margins: null, load: null }), []);
    expect(report).toContain("The captures of baseline have no router margins, so there is no chart of them.");
    expect(report).toContain("There are too many experts to count.");
    expect(report).not.toContain("![");
  });

  test("without margins, what differs is not called a fault", () => {
    const routing = { ...judged.routing, marginsKnown: false };
    const report = renderRoutingReport({ ...broken, parity: { ...judged, routing } }, []);
    expect(report).toContain("| Near-tie or fault |");
    expect(report).toMatch(/^\| doc 17, position 440.*\| near-tie or fault \|/m);
  });

  test("more layers than anyone reads are counted", () => {
    const layers = Array.from({ length: 300 }, (_, layer) => ({ ...judged.routing.layers[0]!, layer }));
    const report = renderRoutingReport(
      { ...broken, parity: { ...judged, routing: { ...judged.routing, layers } } },
      [],
    );
    expect(report).toContain("Of the other 172 layers, 172 differ too.");
  });

  test("no token text can add a line, a cell, a control character or markup", () => {
    const [first] = judged.picture!.worst as readonly [ReportedToken];
    const rendered = (text: string): string => {
      const worst = [
        { ...first, token: { ...first.token!, text: { before: text, token: text, after: text } } },
        { ...first, position: 441, token: { id: 1, before: [], after: [], near: text } },
      ];
      return renderRoutingReport(withPicture({ worst }), CHARTS)!;
    };
    const lines = rendered("plain").split("\n").length;
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        const report = rendered(text);
        expect(report.split("\n")).toHaveLength(lines);
        expect(report.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        for (const row of report.split("\n").filter((line) => line.startsWith("| doc 17")))
          expect(row.split(/(?<!\\)\|/)).toHaveLength(8);
      }),
    );
    const megabyte = rendered("x".repeat(1_000_000));
    expect(megabyte.length).toBeLessThan(rendered("plain").length + 1000);
  });
});

describe("the terminal", () => {
  test("shows the levels where all is well, and no tables", () => {
    const text = renderConsole(held);
    expect(text).toMatch(/^ {2}2 {2}pass {8}experts, as sets/m);
    expect(text).toMatch(/Router margins of baseline: about \d+ of 2,005 choices within 1.00e-5/);
    expect(text).toMatch(/Expert load, busiest of 16 experts against an even share: baseline .* fused /);
    expect(text).not.toContain("Worst");
  });

  test("shows the worst tokens with both sides, and which expert is another", () => {
    const text = renderConsole(broken);
    expect(text).toContain("doc 17, position 440, layer 4: unexplained; weight moved 0.41");
    expect(text).toContain("baseline  3 (0.9), 7 (0.7), 1 (0.5), *12 (0.4); margin 0.03");
    expect(text).toContain("fused     3 (0.9), 7 (not finite), 1 (0.5), *2 (0.41)");
    expect(text).toContain("token 1042, answer 12 of 60: so | it is <b> >>␣`rm`\\n|␣x<< \\u{202e}**@all** &amp;");
    expect(text).toContain("token 3, before 7 8");
  });
});
