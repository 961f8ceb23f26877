import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { UserError } from "../../errors.ts";
import { describeEnvironment } from "../../reports/environment.ts";
import { fileProblem, writeFileAtomic } from "../../reports/files.ts";
import { openRunFolder, readRunRecord, type RunFolderOptions } from "../../reports/run-folder.ts";
import { fingerprintOf, firstDifference, type RunRecord } from "../../reports/run-record.ts";

let base = "";
let path = "";
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "fusecheck-"));
  path = join(base, "run");
});
afterEach(() => rmSync(base, { recursive: true }));

const options = (overrides: Partial<RunFolderOptions> = {}): RunFolderOptions => ({
  path,
  fusecheck: "0.1.0",
  asked: { task: "gsm8k", limit: 20 },
  settings: { task: "gsm8k", limit: 20, seed: 1234, generation: { temperature: 0, until: ["Question:"] } },
  task: { name: "gsm8k", version: 3, provenance: "published" },
  engine: { name: "embedded" },
  environment: {
    node: "v20",
    platform: "linux x64",
    cpu: "cpu",
    cores: 2,
    memory_gib: 8,
    git_commit: null,
    git_dirty: null,
    packages: {},
  },
  ...overrides,
});

const recordFile = (): RunRecord => JSON.parse(readFileSync(join(path, "run.json"), "utf8")) as RunRecord;
const lockFile = (): string => join(path, "run.lock");
const problem = async (promise: Promise<unknown>): Promise<string> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
};

describe("openRunFolder", () => {
  test("writes a whole record, and resumes under the same settings whatever their order", async () => {
    const folder = await openRunFolder(options());
    expect(folder.resumed).toBe(false);
    expect(recordFile()).toEqual(folder.record);
    expect(recordFile()).toMatchObject({
      schema: 1,
      status: "running",
      fingerprint: fingerprintOf(options().settings),
    });
    await folder.setStatus("interrupted");
    await folder.close();

    const { generation, ...rest } = options().settings;
    const again = await openRunFolder(options({ settings: { generation: generation!, ...rest } }));
    expect(again.resumed).toBe(true);
    expect(recordFile()).toMatchObject({ status: "running", created: folder.record.created });
    await again.close();
    expect(readdirSync(path)).toEqual(["run.json"]);
  });

  test("a complete run stays complete when it is opened again", async () => {
    const folder = await openRunFolder(options());
    await folder.setStatus("complete");
    await folder.close();
    await (await openRunFolder(options())).close();
    expect(recordFile().status).toBe("complete");
  });

  test("time adds up over sessions, however often it is recorded in one", async () => {
    for (const seconds of [[1, 2.5], [4]]) {
      const folder = await openRunFolder(options());
      for (const so_far of seconds) await folder.recordSeconds("baseline", so_far);
      await folder.close();
    }
    expect(recordFile().variants).toEqual({ baseline: { seconds: 6.5, sessions: 2 } });
  });

  test("changes that are made at the same time are all kept", async () => {
    const folder = await openRunFolder(options());
    await Promise.all([
      folder.recordSeconds("baseline", 1),
      folder.setStatus("incomplete"),
      folder.recordSeconds("fused", 2),
    ]);
    expect(recordFile()).toMatchObject({
      status: "incomplete",
      variants: { baseline: { seconds: 1 }, fused: { seconds: 2 } },
    });
    await folder.close();
  });

  test.each([
    [{ ...options().settings, seed: 42 }, "seed was 1234 there and is 42 now"],
    [
      { ...options().settings, generation: { temperature: 0.7, until: ["Question:"] } },
      "generation.temperature was 0 there and is 0.7 now",
    ],
    [{ ...options().settings, fused: true }, "fused was not set there and is true now"],
  ])("another run's settings are refused by name and value, and nothing is touched", async (settings, message) => {
    await (await openRunFolder(options())).close();
    mkdirSync(join(path, "baseline"));
    writeFileSync(join(path, "baseline", "completions.jsonl"), "{}\n");
    const before = readFileSync(join(path, "run.json"), "utf8");
    const text = await problem(openRunFolder(options({ settings })));
    expect(text).toContain(`${path} holds another run: ${message}`);
    expect(text).toContain("choose another --output");
    expect(readFileSync(join(path, "run.json"), "utf8")).toBe(before);
    expect(readdirSync(path)).toEqual(["baseline", "run.json"]);
  });

  test("where nothing was answered yet, other settings make it another run", async () => {
    const first = await openRunFolder(options());
    await (await first.openJournal("baseline")).close();
    await first.close();
    const other = await openRunFolder(options({ settings: { ...options().settings, seed: 42 } }));
    expect([other.resumed, recordFile()]).toMatchObject([false, { settings: { seed: 42 }, variants: {} }]);
    await other.close();
  });

  test("a folder with other files is refused and left as it is", async () => {
    mkdirSync(path);
    writeFileSync(join(path, "thesis.tex"), "");
    expect(await problem(openRunFolder(options()))).toContain("holds files but no run of fusecheck (thesis.tex)");
    expect(readdirSync(path)).toEqual(["thesis.tex"]);
  });

  test.each(["not json", "{}", '{"schema": 2}', "null", "[]"])(
    "a run.json that is none is refused: %s",
    async (text) => {
      mkdirSync(path);
      writeFileSync(join(path, "run.json"), text);
      expect(await problem(openRunFolder(options()))).toContain(join(path, "run.json"));
      expect(await problem(readRunRecord(path))).toContain("choose another --output");
    },
  );

  test("a path that is a file, or lies under one", async () => {
    writeFileSync(path, "");
    expect(await problem(openRunFolder(options()))).toContain(path);
    expect(await problem(openRunFolder(options({ path: join(path, "inner") })))).toContain("is a file, not a folder");
  });

  test.skipIf(process.getuid?.() === 0)("a folder without permission (not as root)", async () => {
    mkdirSync(path);
    chmodSync(path, 0o500);
    expect(await problem(openRunFolder(options()))).toContain("permission denied");
  });

  test("what a killed writer left is cleared away, and only that", async () => {
    const folder = await openRunFolder(options());
    await folder.close();
    mkdirSync(join(path, "fused"));
    writeFileSync(join(path, "fused", "samples_gsm8k.jsonl.4711-0123abcd.tmp"), "half");
    writeFileSync(join(path, "fused", "notes.tmp"), "mine");
    await (await openRunFolder(options())).close();
    expect(readdirSync(join(path, "fused"))).toEqual(["notes.tmp"]);
  });
});

describe("the lock", () => {
  test("keeps a second process, or a second run in this one, out; and is gone after closing", async () => {
    const folder = await openRunFolder(options());
    expect(await problem(openRunFolder(options()))).toContain(`process ${process.pid} is using this folder`);
    await folder.close();
    expect(existsSync(lockFile())).toBe(false);
  });

  test("of a process that was killed does not block", async () => {
    await (await openRunFolder(options())).close();
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    const lock = { pid: child.pid, host: hostname(), started: null };
    writeFileSync(lockFile(), JSON.stringify(lock));
    expect(await problem(openRunFolder(options()))).toContain(`process ${child.pid} is using`);
    child.kill("SIGKILL");
    await once(child, "exit");
    await (await openRunFolder(options())).close();
    expect(readdirSync(path)).toEqual(["run.json"]);
  });

  test.skipIf(!existsSync("/proc/self/stat"))(
    "of a process that has ended and that nobody has waited for does not block (needs /proc)",
    async () => {
      await (await openRunFolder(options())).close();
      const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
      try {
        const pid = Number(String((await once(parent.stdout, "data"))[0]));
        await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/stat`, "utf8")).toContain(") Z "));
        writeFileSync(lockFile(), JSON.stringify({ pid, host: hostname(), started: null }));
        await (await openRunFolder(options())).close();
        expect(readdirSync(path)).toEqual(["run.json"]);
      } finally {
        parent.kill("SIGKILL");
      }
    },
  );

  test.skipIf(!existsSync("/proc/self/stat"))(
    "of an earlier process with the same id does not block (needs /proc)",
    async () => {
      await (await openRunFolder(options())).close();
      writeFileSync(lockFile(), JSON.stringify({ pid: process.pid, host: hostname(), started: "1" }));
      const folder = await openRunFolder(options());
      expect(folder.resumed).toBe(true);
      await folder.close();
    },
  );

  test("of another machine cannot be judged and counts as held", async () => {
    await (await openRunFolder(options())).close();
    writeFileSync(lockFile(), JSON.stringify({ pid: 999_999_999, host: "elsewhere", started: null }));
    expect(await problem(openRunFolder(options()))).toContain("process 999999999 on elsewhere");
  });

  test.each(["", "{", "null", '{"pid": -1}'])("that is not readable has no owner: %j", async (text) => {
    await (await openRunFolder(options())).close();
    writeFileSync(lockFile(), text);
    await (await openRunFolder(options())).close();
    expect(existsSync(lockFile())).toBe(false);
  });

  test("goes to one of many that find it stale at the same time", async () => {
    await (await openRunFolder(options())).close();
    writeFileSync(lockFile(), "");
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => openRunFolder(options())));
    const winners = results.filter((result) => result.status === "fulfilled");
    expect(winners).toHaveLength(1);
    await winners[0]!.value.close();
  });
});

function* failing(): Generator<string> {
  yield "n".repeat(100_000);
  throw new Error("the source failed");
}

describe("writeFileAtomic", () => {
  test("a source that fails half-way leaves the old file and no other", async () => {
    const file = join(base, "file");
    await writeFileAtomic(file, "old");
    await expect(writeFileAtomic(file, failing())).rejects.toThrow("the source failed");
    expect(readFileSync(file, "utf8")).toBe("old");
    expect(readdirSync(base)).toEqual(["file"]);
  });

  test("a missing folder and a target that is a folder are named", async () => {
    const missing = join(base, "none", "file");
    expect(await problem(writeFileAtomic(missing, ""))).toContain(missing);
    mkdirSync(path);
    expect(await problem(writeFileAtomic(path, ""))).toContain(`cannot write ${path}`);
    expect(readdirSync(base)).toEqual(["run"]);
  });

  test.each(["ENOSPC", "EDQUOT", "EROFS", "EACCES"])("%s becomes one line with the path and what to do", (code) => {
    const cause = Object.assign(new Error("low-level"), { code });
    const error = fileProblem(cause, "/data/run.json", "cannot write");
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({
      message: expect.stringMatching(/^cannot write \/data\/run\.json: .+: .+/) as string,
      cause,
    });
  });

  test("a defect is not passed off as the user's fault", () => {
    const error = new TypeError("x is not a function");
    expect(fileProblem(error, "/data", "cannot write")).toBe(error);
  });
});

test("firstDifference is the first by name, whatever order the settings were written in", () => {
  expect(firstDifference({ b: 1, a: 1 }, { b: 2, a: 2 })?.name).toBe("a");
});

test("firstDifference treats __proto__ as a name like any other", () => {
  const before = JSON.parse('{"__proto__": {"a": 1}}') as Record<string, never>;
  expect(firstDifference(before, {})).toEqual({ name: "__proto__", before: '{"a":1}', now: "not set" });
  expect(firstDifference(before, before)).toBeUndefined();
});

test("describeEnvironment knows a folder without a repository", async () => {
  const environment = await describeEnvironment({ yargs: "18.2.0" }, base);
  expect(environment).toMatchObject({
    node: process.version,
    git_commit: null,
    git_dirty: null,
    packages: { yargs: "18.2.0" },
  });
  expect(environment.cores).toBeGreaterThan(0);
});
