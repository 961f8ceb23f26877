/** Keys that stand in a file: it is committed, copied into run folders and shown in reviews. */
import { UserError } from "../../errors.ts";
import type { Problem } from "./problem.ts";

const SECRET_SETTING = /^(?:api[-_]?key|key|token|auth[-_]?token|authorization|password|secret)$/i;
const SECRET_VARIABLE = /(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD)$/;
const SECRET_FLAG = /(?:^|\s)--?[\w-]*(?:api[-_]?key|auth[-_]?token|hf[-_]?token|password|secret)(?:[=\s]|$)/i;

const MAX_DEPTH = 8;

/** What is wrong, without the value. */
export function literalSecrets(input: unknown, path: readonly string[] = []): readonly Problem[] {
  if (typeof input === "string")
    return SECRET_FLAG.test(input) && isCommandLine(path)
      ? [
          {
            path,
            atKey: false,
            what: "a key would stand here and in the process list; set the server's key in the environment",
          },
        ]
      : [];
  // Nothing that is allowed lies deeper; aliases can make a file that never ends.
  if (typeof input !== "object" || input === null || path.length > MAX_DEPTH) return [];
  return Object.entries(input).flatMap(([key, value]) => {
    const here = [...path, key];
    const inEnv = path.at(-1) === "env";
    if (path.at(-1) === "header_env") return [];
    if (!inEnv && !Array.isArray(input) && SECRET_SETTING.test(key))
      return [{ path: here, atKey: true, what: NO_KEYS }];
    if (inEnv && SECRET_VARIABLE.test(key) && value !== null)
      return [
        { path: here, atKey: true, what: "keys come from the environment only: export it; servers are given it" },
      ];
    return literalSecrets(value, here);
  });
}

/** @throws UserError for a key among what came from the command line, where it stands in the process list */
export function refuseLiteralSecrets(input: unknown): void {
  const [first] = literalSecrets(input);
  if (first !== undefined) throw new UserError(`${first.path.join(".")}: ${first.what}`);
}

const NO_KEYS = "keys come from the environment only: set OPENAI_API_KEY, or name another variable with api_key_env";

function isCommandLine(path: readonly string[]): boolean {
  return path.includes("command") || path.includes("args");
}
