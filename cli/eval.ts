import type { Command } from "./command.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { integerFlag, textFlag } from "./flags.ts";

/** `fusecheck eval`: asks one task of one engine, with fused routing off, or off and on. */
export const evalCommand: Command = defineCommand({
  name: "eval",
  describe: "ask a task of an engine, with fused routing off, or off and on, and compare",
  flags: {
    task: textFlag("task", { describe: "task to ask" }),
    limit: integerFlag("limit", { min: 1, describe: "only the first N docs" }),
    fused: { type: "boolean", default: false, describe: "compare fused routing with the reference" },
  },
  handler: async (flags) => {
    const n: number | undefined = flags.limit;
    return n === undefined ? EXIT.held : EXIT.held;
  },
});
