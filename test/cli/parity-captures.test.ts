import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CaptureComparison } from "../../reports/capture-comparison.ts";
import { changed, idsNpy, makeCapture, swapLast, temporaryFiles, writeCaptureFile } from "../runners/captures/files.ts";
import { runFusecheck } from "./run-cli.ts";

const file = temporaryFiles();
const capture = makeCapture();
const same = writeCaptureFile(file("same.safetensors"), capture);
const wrong = writeCaptureFile(
  file("wrong.safetensors"),
  changed(capture, (copy) => swapLast(copy, 1, 50)),
);

describe("fusecheck parity captures", () => {
  it("exits 0 where both are the same", async () => {
    const { code, stdout, stderr } = await runFusecheck(["parity", "captures", same, same]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/Tokens of 2 docs with other experts in any layer: 0 of 65/);
    expect(stdout).toMatch(/Held\.\n {2}every token to the same experts with the same weights\n$/);
  });

  it("exits 1 for a fault, and shows where and what", async () => {
    const { code, stdout } = await runFusecheck(["parity", "captures", same, wrong]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/the first unexplained: doc 3, position 10, layer 2/);
    const ids = capture.ids[1]!.slice(200, 204);
    expect(stdout).toMatch(
      new RegExp(`position 10, layer 2\\n +A {2}${ids.map((id) => `${id} \\(\\S+\\)`).join(" +")}; margin`),
    );
    expect(stdout).toMatch(/Did not hold\.\n {2}other experts in 1 of 195 choices/);
  });

  it("prints JSON", async () => {
    const { code, stdout } = await runFusecheck(["parity", "captures", same, wrong, "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 1,
      captures: [{ path: same, nTokens: 65, weights: "F32" }, { path: wrong }],
      settings: { weightTolerance: 3e-5, nearTieMargin: 1e-5 },
      routing: { tokensAffected: 1, firstUnexplained: { doc_id: 3, position: 10, layer: 2 } },
      verdict: { held: false },
    });
  });

  it("writes a report with charts where one is asked for", async () => {
    const report = file("report");
    const { code, stdout } = await runFusecheck(["parity", "captures", same, wrong, "--report", report]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /Worst 1 token .*\n {2}doc 3, position 10, layer 2: unexplained; weight moved \S+\n {4}token \d+, after/,
    );
    const comparison = JSON.parse(readFileSync(join(report, "comparison.json"), "utf8")) as CaptureComparison;
    expect(comparison.picture?.worst).toMatchObject([
      { doc_id: 3, position: 10, layer: 2, cause: "unexplained", token: { id: capture.inputIds[50] } },
    ]);
    expect(comparison.picture?.load?.counts?.baseline[1]?.reduce((sum, n) => sum + n, 0)).toBe(65 * 4);
    const markdown = readFileSync(join(report, "routing.md"), "utf8");
    expect(markdown).toMatch(/^\*\*Did not hold\.\*\*\n- other experts in 1 of 195 choices/m);
    expect(markdown).toMatch(/^\| doc 3, position 10, layer 2 \| id \d+, after .* \| unexplained \|/m);
    for (const chart of ["router-margins", "expert-load"]) {
      expect(markdown).toContain(`](charts/${chart}.svg)`);
      expect(readFileSync(join(report, "charts", `${chart}.svg`), "utf8")).toMatch(/^<svg .*<\/svg>\n$/s);
    }
    // The same folder again, of captures without margins: their chart is gone.
    const bare = file("bare.safetensors");
    writeCaptureFile(bare, capture, { margins: false });
    expect(await runFusecheck(["parity", "captures", bare, bare, "--report", report])).toMatchObject({ code: 0 });
    expect(readFileSync(join(report, "routing.md"), "utf8")).toContain("The captures of A have no router margins");
    expect(readdirSync(join(report, "charts"))).toEqual(["expert-load.svg"]);
  });

  it("shows tokens as text where the model's folder is given", async () => {
    const args = ["--report", file("with-text"), "--model-config", "models/abacus-8m"];
    const of = makeCapture([40, 25], { layers: [1, 2, 3, 4, 5] });
    const a = writeCaptureFile(file("a.safetensors"), of);
    const b = writeCaptureFile(
      file("b.safetensors"),
      changed(of, (copy) => swapLast(copy, 1, 50)),
    );
    const { stdout } = await runFusecheck(["parity", "captures", a, b, ...args]);
    expect(stdout).toMatch(new RegExp(`token ${of.inputIds[50]}: .*>>.*<<`));
    // No token has this id, nor has it any text.
    const strange = changed(of, (copy) => (copy.inputIds[50] = 1_000_000));
    writeCaptureFile(a, strange);
    writeCaptureFile(
      b,
      changed(strange, (copy) => swapLast(copy, 1, 50)),
    );
    expect((await runFusecheck(["parity", "captures", a, b, ...args])).stdout).toMatch(/token 1000000: .*>><</);
  });

  it("says where a report cannot be written", async () => {
    const { code, stdout, stderr } = await runFusecheck(["parity", "captures", same, same, "--report", same]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/cannot make .*same\.safetensors: .*choose another/);
  });

  it("reads foreign formats with what the flags say of the model, and says what could not be checked", async () => {
    const foreign = file("foreign.npy", idsNpy(makeCapture([40, 25], { layers: [0, 1, 2] })));
    const { code, stdout } = await runFusecheck(["parity", "captures", foreign, foreign, "--n-expts-tot", "16"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/same tokens was not checked/);
    expect(stdout).toMatch(/all are taken for one sequence/);
    expect(stdout).toMatch(/Near-ties cannot be told/);
  });

  it.each([
    [["captures", "same", "missing"], /Cannot read .*missing: ENOENT/],
    [["captures", "same"], /parity captures takes two files/],
    [["captures", "same", "same", "same"], /parity captures takes two files/],
    [["capture", "same", "same"], /cannot check "capture" \(did you mean "captures"\?\)/],
    [[], /say what to check: routing, captures/],
    [["captures", "same", "same", "--weight-tolerance", "-1"], /--weight-tolerance must be a number of at least 0/],
    [["captures", "same", "same", "--near-tie-margin", "tiny"], /such as 1e-5, not "tiny"/],
    [["captures", "same", "same", "--dense-layers", "a"], /--dense-layers takes layer numbers/],
    [["captures", "same", "same", "--model-config", "models/abacus-8m", "--n-expts-tot", "3"], /give one of them/],
  ])("exits 2 for %j", async (words, message) => {
    const args = words.map((word) => (word === "same" ? same : word === "missing" ? file("missing") : word));
    const { code, stdout, stderr } = await runFusecheck(["parity", ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr.split("\n")).toHaveLength(2);
  });
});
