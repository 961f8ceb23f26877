import { stat } from "node:fs/promises";
import { UserError } from "../../errors.ts";
import { fileFault } from "./file-fault.ts";

/** @throws UserError when `--data` names no folder */
export async function requireFolder(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw fileFault(`--data ${path}`, error);
  });
  if (!found.isDirectory()) throw new UserError(`--data ${path}: it is not a folder`);
}
