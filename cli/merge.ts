import { UserError } from "../errors.ts";
import type { Command } from "./command.ts";
import { defineCommand } from "./command.ts";
import { textFlag } from "./flags.ts";
import { HISTORY_FLAG, HISTORY_VARIABLE } from "./history.ts";
import { writeText } from "./write-lines.ts";

/** `fusecheck merge`: the shards of a night as one. */
export const mergeCommand: Command = defineCommand({
  name: "merge",
  describe: "put the shards of a night together; writes its summary and the history",
  words: [{ name: "places..", describe: "folders with the shards' summaries, or these themselves" }],
  flags: {
    output: textFlag("output", { describe: "where the summary goes", defaultDescription: "the first folder" }),
    history: { ...HISTORY_FLAG, defaultDescription: `$${HISTORY_VARIABLE}, else none` },
    json: { type: "boolean", default: false, describe: "print the summary as JSON instead of Markdown" },
  },
  examples: [
    ["$0 merge nightly/2026-11-25 --history history.db", "shards that share a folder"],
    ["$0 merge shard-1 shard-2 shard-3 --output merged", "shards that were downloaded"],
  ],
  handler: async (flags, places) => {
    const [first] = places;
    if (first === undefined) throw new UserError("name the shards' folders: fusecheck merge DIR ...");
    const [{ mergeShards }, { exitCodeOfNight }, { renderSummary }, { jsonFileText }, { statSync }, path] =
      await Promise.all([
        import("../nightly/merge.ts"),
        import("../nightly/summary.ts"),
        import("../nightly/summary-markdown.ts"),
        import("../reports/json.ts"),
        import("node:fs"),
        import("node:path"),
      ]);
    const isFile = statSync(first, { throwIfNoEntry: false })?.isFile() === true;
    const output = flags.output ?? (isFile ? path.dirname(first) : first);
    const history = flags.history ?? process.env[HISTORY_VARIABLE];
    const summary = await mergeShards({ places, output, history });
    await writeText(flags.json ? jsonFileText(summary) : renderSummary(summary));
    return exitCodeOfNight(summary);
  },
});
