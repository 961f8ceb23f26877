/** Sees to it that a server that was stopped has let go of its GPU memory, where that can be seen. */
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { LaunchedServer } from "./launch-server.ts";

/** What the GPU's tool says of who holds memory; undefined where there is no such tool. */
export type GpuProcesses = ReadonlySet<number> | undefined;

export type Release =
  | { readonly kind: "released"; readonly afterMs: number }
  | { readonly kind: "held"; readonly pids: readonly number[]; readonly afterMs: number }
  /** `because` is a sentence's end: `there is neither nvidia-smi nor rocm-smi`. */
  | { readonly kind: "not judged"; readonly because: string };

interface Tool {
  readonly command: string;
  readonly args: readonly string[];
  readonly read: (printed: string) => readonly number[];
}

const TOOLS: readonly Tool[] = [
  {
    command: "nvidia-smi",
    args: ["--query-compute-apps=pid", "--format=csv,noheader"],
    read: (printed) => numbers(printed.matchAll(/^\s*(\d+)\s*$/gm)),
  },
  {
    command: "rocm-smi",
    args: ["--showpids", "--json"],
    read: (printed) => numbers(printed.matchAll(/"PID(\d+)"/g)),
  },
];

/** As ATOM's own scripts wait for it. */
const WITHIN_MS = 60_000;
const POLL_MS = 500;
const TOOL_MS = 20_000;

/** The processes that hold memory of any GPU. */
export async function gpuProcesses(path?: string): Promise<GpuProcesses> {
  const found = await Promise.all(
    TOOLS.map(async ({ command, args, read }) => {
      const env = path === undefined ? process.env : { ...process.env, PATH: path };
      // A tool that fails, as it does where it was installed without its driver, says nothing.
      return promisify(execFile)(command, args, { timeout: TOOL_MS, env }).then(
        ({ stdout }) => read(stdout),
        () => undefined,
      );
    }),
  );
  const pids = found.filter((each) => each !== undefined);
  return pids.length === 0 ? undefined : new Set(pids.flat());
}

export interface ReleaseOptions {
  /** Default: one minute. */
  readonly withinMs?: number;
  /** Default: asks nvidia-smi and rocm-smi. */
  readonly list?: () => Promise<GpuProcesses>;
}

/** Stops the server and waits until none of its processes holds GPU memory. */
export async function stopAndRelease(
  server: Pick<LaunchedServer, "stop">,
  { withinMs = WITHIN_MS, list = gpuProcesses }: ReleaseOptions = {},
): Promise<Release> {
  const before = await list();
  const { pids } = await server.stop();
  return gpuMemoryReleased(pids, before, { withinMs, list });
}

/**
 * @param pids - of the server, from before it was stopped
 * @param before - who held memory then
 */
export async function gpuMemoryReleased(
  pids: readonly number[],
  before: GpuProcesses,
  { withinMs = WITHIN_MS, list = gpuProcesses }: ReleaseOptions = {},
): Promise<Release> {
  if (before === undefined)
    return { kind: "not judged", because: "neither nvidia-smi nor rocm-smi says who holds GPU memory" };
  // In a container the tool may list other processes' numbers, or none: not seen there before, nothing follows from "gone".
  if (!pids.some((pid) => before.has(pid)))
    return { kind: "not judged", because: "none of the server's processes was listed as a holder of GPU memory" };
  const start = performance.now();
  for (;;) {
    const now = await list();
    const afterMs = performance.now() - start;
    if (now === undefined) return { kind: "not judged", because: "the GPU's tool stopped answering" };
    const held = pids.filter((pid) => now.has(pid));
    if (held.length === 0) return { kind: "released", afterMs };
    if (afterMs >= withinMs) return { kind: "held", pids: held, afterMs };
    await sleep(POLL_MS);
  }
}

function numbers(matches: Iterable<RegExpMatchArray>): number[] {
  return Array.from(matches, ([, digits]) => Number(digits));
}
