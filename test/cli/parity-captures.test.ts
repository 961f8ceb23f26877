import { describe, expect, it } from "vitest";
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
