/** `fusecheck parity` as built: what it prints, and what its exit code says. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { dumpFolder, INPUT, int32, soundTensors } from "../parity/dump-file.ts";
import { run, temporaryFolder } from "./program.ts";

const folder = temporaryFolder();
const dumps = dumpFolder();
const golden = fileURLToPath(new URL("../../../shared/routing/aiter_dumps.safetensors", import.meta.url));

describe("parity routing", () => {
  it("checks the fused chain: 0", async () => {
    const { code, stdout, stderr } = await run(["parity", "routing", "--seed", "7"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^Routing data of fusecheck's fused chain[^]*seed 7\n[^]*\nHeld: /);
  });

  it.skipIf(!existsSync(golden))("checks the GPU kernels' dumps: 0 (needs ../shared/routing)", async () => {
    const { code, stdout } = await run(["parity", "routing", "--dump", golden]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/\nHeld: every answer keeps every invariant\.\n$/);
  });

  it("a broken dump: 1, with case, implementation, invariant, place and both values", async () => {
    const tensors = soundTensors();
    tensors.set("c.kernel_hist", int32(Int32Array.of(2, 1, 2, 1)));
    const { code, stdout, stderr } = await run(["parity", "routing", "--dump", dumps.write("broken", tensors)]);
    expect([code, stderr]).toEqual([1, ""]);
    expect(stdout).toContain("Broken in 1 of 2 answers:\n  c, kernel: 2 violations\n");
    expect(stdout).toContain("    hist, first at expert 2: expected 3, found 2\n");
  });

  it("prints JSON: of its own cases, and of a dump", async () => {
    const own = await run(["parity", "routing", "--json", "--seed", "7"]);
    expect([own.code, own.stderr]).toEqual([0, ""]);
    const spot = JSON.parse(own.stdout) as { cases: number };
    expect(spot).toMatchObject({ schema: 1, seed: 7, failed: 0, failures: [], verdict: { held: true } });
    expect(spot.cases).toBeGreaterThan(20);
    const tensors = soundTensors();
    tensors.set("c.kernel_hist", int32(Int32Array.of(2, 1, 2, 1)));
    const path = dumps.write("broken-json", tensors);
    const dump = await run(["parity", "routing", "--json", "--dump", path]);
    expect([dump.code, dump.stderr]).toEqual([1, ""]);
    const { answers, ...rest } = JSON.parse(dump.stdout) as { answers: { implementation: string }[] };
    expect(rest).toEqual({
      schema: 1,
      path,
      cases: 1,
      verdict: { held: false, reasons: ["1 of 2 answers break an invariant"] },
    });
    expect(answers.find(({ implementation }) => implementation === "kernel")).toMatchObject({
      case: "c",
      violationCount: 2,
      violations: [{ invariant: "hist", where: "expert 2", expected: "3", found: "2" }, {}],
    });
  });

  it("shows how far it has come where it takes time", async () => {
    const { code, stdout, stderr } = await run(["parity", "routing", "--seconds", "4"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/\nHeld: /);
    expect(stderr).toMatch(/^seconds of drawn cases: \d\/4, \d+ cases, /m);
  });

  it("inputs are written for a kernel elsewhere, and pass as they are", async () => {
    const file = join(folder, "inputs.safetensors");
    const written = await run(["parity", "routing", "--write-inputs", file]);
    expect(written).toMatchObject({ code: 0, stderr: "" });
    const checked = await run(["parity", "routing", "--dump", file]);
    expect(checked.code).toBe(0);
    expect(checked.stdout).toContain("implementations: ref\n");
  });

  it("what cannot be read: 2, one line on stderr that says what and why", async () => {
    const whole = readFileSync(dumps.write("whole", soundTensors()));
    const cut = join(folder, "cut.safetensors");
    writeFileSync(cut, whole.subarray(0, whole.length - 4));
    const huge = join(folder, "huge.safetensors");
    writeFileSync(huge, Buffer.alloc(64, 0xff));
    const tensors = soundTensors();
    tensors.set("c.kernel_topk_indx", int32(INPUT.topkIds.slice(1)));
    const short = dumps.write("short", tensors);
    for (const [file, reason] of [
      [cut, /truncated\?/],
      [huge, /its header claims 18446744073709551615 bytes/],
      [short, /"c\.kernel_topk_indx": its shape is \[5\], not \[6\]/],
      [folder, /it is not a file/],
      [join(folder, "nowhere"), /no such file/],
    ] as const) {
      const { code, stdout, stderr } = await run(["parity", "routing", "--dump", file]);
      expect([code, stdout], file).toEqual([2, ""]);
      expect(stderr).toMatch(/^fusecheck: [^\n]+\n$/);
      expect(stderr).toMatch(reason);
    }
  });
});

describe("parity --self-test", () => {
  it("prints the table and holds: 0", async () => {
    const { code, stdout, stderr } = await run(["parity", "--self-test"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^fault +level +caught by +input +answers alone\noffsets one too far +1 +bucket, multiset/);
    expect(stdout).toMatch(/\nHeld: every fault caught, no legal variation flagged\.\n$/);
  });

  it("measures what answers show of a fault", async () => {
    const { code, stdout } = await run(["parity", "--self-test", "--answers", "2", "--fault", "expert e served"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^expert e served by expert e\+1: [01]\.\d{3} -> 0\.000; \d of 2 docs only right without it/,
    );
  });
});

describe("misuse: 2", () => {
  it.each<[string[], RegExp]>([
    [["parity"], /say what to check: routing.* or --self-test; see fusecheck parity --help/],
    [["parity", "ruoting"], /cannot check "ruoting" \(did you mean "routing"\?\); there are: routing/],
    [["parity", "routing", "file"], /unexpected argument "file"; give a dump with --dump FILE/],
    [["parity", "routing", "--self-test"], /--self-test does not go with fusecheck parity routing/],
    [["parity", "--self-test", "--dump", "file"], /--dump does not go with fusecheck parity --self-test/],
    [["parity", "routing", "--dump", "file", "--seconds", "1"], /--dump and --seconds exclude each other/],
    [["parity", "routing", "--json", "--write-inputs", "x"], /--json and --write-inputs exclude each other/],
    [["parity", "--self-test", "--json"], /--json does not go with fusecheck parity --self-test/],
    [["parity", "routing", "--dump", "file", "--seed", "1"], /--seed and --dump exclude each other/],
    [["parity", "routing", "--seconds", "soon"], /--seconds must be a whole number/],
    [["parity", "routing", "--dmup", "file"], /unknown flag --dmup \(did you mean --dump\?\)/],
    [["parity", "--self-test", "--fault", "NaN"], /--fault goes with --answers/],
    [["parity", "--self-test", "--answers", "2", "--fault", "x"], /no routing-data fault is named "x\.\.\."/],
    [["parity", "routing", "--write-inputs", "/nowhere/at/all"], /Cannot write \/nowhere\/at\/all/],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^fusecheck: [^\n]+\n$/);
    expect(stderr).toMatch(message);
  });
});
