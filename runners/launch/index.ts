/** Servers that fusecheck starts: launched, watched, ended. */
export { gpuMemoryReleased, gpuProcesses, stopAndRelease } from "./gpu-memory.ts";
export type { GpuProcesses, Release, ReleaseOptions } from "./gpu-memory.ts";
export { readServerFacts } from "./identity.ts";
export type { Facts, Identify } from "./identity.ts";
export { LaunchError } from "./launch-error.ts";
export { launchServer } from "./launch-server.ts";
export type { LaunchedServer, LaunchOptions, LaunchProgress } from "./launch-server.ts";
export type { ServerSpec } from "./server-spec.ts";
export type { Stopped } from "./supervise.ts";
export { DEFAULT_HANG_MS, watchServer } from "./watch-server.ts";
export type { ServerWatch, WatchOptions } from "./watch-server.ts";
