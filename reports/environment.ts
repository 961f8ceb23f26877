import { execFile } from "node:child_process";
import { arch, cpus, platform, totalmem } from "node:os";
import { promisify } from "node:util";

/** Where a run took place: what a reader needs to judge whether two runs can be compared. */
export interface RunEnvironment {
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gib: number;
  /** Commit of the working folder's repository; `null` outside one. */
  readonly git_commit: string | null;
  /** True when files that git tracks differ from that commit. */
  readonly git_dirty: boolean | null;
  /** Versions of the packages that decide the numbers. */
  readonly packages: Readonly<Record<string, string>>;
}

/**
 * Describes this machine and the working folder's repository.
 *
 * @param packages Versions to record, by package name; the caller knows which decide its numbers.
 */
export async function describeEnvironment(
  packages: Readonly<Record<string, string>>,
  cwd: string = process.cwd(),
): Promise<RunEnvironment> {
  const commit = await git(cwd, "rev-parse", "HEAD");
  const changes = commit === null ? null : await git(cwd, "status", "--porcelain", "--untracked-files=no");
  const processors = cpus();
  return {
    node: process.version,
    platform: `${platform()} ${arch()}`,
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    git_commit: commit,
    git_dirty: changes === null ? null : changes !== "",
    packages,
  };
}

/** What git prints, trimmed; `null` when there is no git or no repository. A hanging file system must not hang the run. */
async function git(cwd: string, ...args: string[]): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)("git", args, { cwd, timeout: 5000 });
    return stdout.trim();
  } catch {
    return null;
  }
}
