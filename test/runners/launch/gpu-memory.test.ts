import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { gpuMemoryReleased, gpuProcesses, stopAndRelease } from "../../../runners/launch/index.ts";
import type { GpuProcesses } from "../../../runners/launch/index.ts";
import { launch, temporaryFolder } from "./launching.ts";

function tools(programs: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

describe("who holds GPU memory", () => {
  it("is asked of nvidia-smi", async () => {
    const path = tools({
      "nvidia-smi": 'test "$*" = "--query-compute-apps=pid --format=csv,noheader" && printf "123\\n4567\\n"',
    });
    expect(await gpuProcesses(path)).toEqual(new Set([123, 4567]));
  });

  it("and of rocm-smi", async () => {
    const printed = '{"system": {"PID123": "python3, 1, 193536, 0, 0", "PID9": "UNKNOWN, 1, 0, 0, 0"}}';
    const path = tools({ "rocm-smi": `test "$*" = "--showpids --json" && echo '${printed}'` });
    expect(await gpuProcesses(path)).toEqual(new Set([123, 9]));
  });

  it("is nobody where the tool lists nobody, and not known where there is no tool that works", async () => {
    expect(await gpuProcesses(tools({ "nvidia-smi": "true" }))).toEqual(new Set());
    expect(await gpuProcesses(tools({ "nvidia-smi": "echo 'no driver' && exit 9" }))).toBeUndefined();
    expect(await gpuProcesses(tools({}))).toBeUndefined();
  });
});

/** Says one thing after the other, and the last again and again. */
function saying(...answers: readonly GpuProcesses[]): () => Promise<GpuProcesses> {
  let said = 0;
  return async () => answers[Math.min(said++, answers.length - 1)];
}

describe("GPU memory after a stop", () => {
  const before = new Set([1, 2, 3]);

  it("is released once none of the processes holds any", async () => {
    const list = saying(new Set([2, 3]), new Set([3]));
    expect(await gpuMemoryReleased([1, 2], before, { list })).toMatchObject({ kind: "released" });
  });

  it("is still held by those that never let go", async () => {
    const list = saying(new Set([2]));
    expect(await gpuMemoryReleased([1, 2], before, { list, withinMs: 10 })).toMatchObject({ kind: "held", pids: [2] });
  });

  it("is not judged where nothing can be seen, in words", async () => {
    const unseen = {
      kind: "not judged",
      because: "none of the server's processes was listed as a holder of GPU memory",
    };
    expect(await gpuMemoryReleased([4], before, { list: saying(new Set()) })).toEqual(unseen);
    const noTool = { kind: "not judged", because: "neither nvidia-smi nor rocm-smi says who holds GPU memory" };
    expect(await gpuMemoryReleased([1], undefined, { list: saying(undefined) })).toEqual(noTool);
  });

  it("is asked of the server's processes as they were before the stop", async () => {
    const { launching, pids } = launch(["--grandchildren", "1"]);
    const server = await launching;
    const holder = pids()[1] as number;
    const list = saying(new Set([holder]), new Set([holder]), new Set());
    expect(await stopAndRelease(server, { list })).toMatchObject({ kind: "released" });
  });
});
