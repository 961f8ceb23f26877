import { UserError } from "../../errors.ts";

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "it is a folder",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
};

/** An error of the file system as the user's to fix; any other error is handed back as it is. */
export function fileFault(what: string, error: unknown): unknown {
  const reason = fileReason(error);
  return reason === undefined ? error : new UserError(`${what}: ${reason}`, { cause: error });
}

/** Why the file system refused; undefined when the error is not the file system's. */
export function fileReason(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("syscall" in error)) return undefined;
  const code = String(error.code);
  return Object.hasOwn(WHY, code) ? WHY[code] : code;
}
