import type { Command } from "./command.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { textFlag } from "./flags.ts";
import { HISTORY_FLAG, HISTORY_VARIABLE } from "./history.ts";
import { onInterrupt } from "./on-interrupt.ts";
import { writeText } from "./write-lines.ts";

/** `fusecheck nightly`: a table of models, row after row, into run folders, a summary and the history. */
export const nightlyCommand: Command = defineCommand({
  name: "nightly",
  describe: "a table of models and engines, row after row; writes a summary and the history",
  flags: {
    config: { ...textFlag("config", { describe: "nightly.yaml: the rows (docs/nightly.md)" }), demandOption: true },
    output: textFlag("output", {
      describe: "folder of the nights",
      defaultDescription: "the config's, else nightly/ beside it",
    }),
    night: textFlag("night", {
      describe: "the night's name; the same one goes on",
      defaultDescription: "the day in UTC",
    }),
    shard: textFlag("shard", {
      describe: "I/N: only every N-th row, from the I-th on; fusecheck merge puts them together",
    }),
    history: { ...HISTORY_FLAG, defaultDescription: `$${HISTORY_VARIABLE}, else the config's, else none` },
    quiet: { type: "boolean", default: false, describe: "no progress, only the summary" },
    json: { type: "boolean", default: false, describe: "print the summary as JSON instead of Markdown" },
  },
  examples: [
    ["$0 nightly --config nightly.yaml", "all rows; the same command again goes on where it stopped"],
    ["$0 nightly --config nightly.yaml --night 2026-11-25 --shard 2/8", "an eighth of them"],
    ["$0 merge nightly/2026-11-25", "the eight eighths as one night"],
  ],
  handler: async (flags) => {
    const [
      { InterruptedError },
      { progressOn, SILENT },
      { runNightly },
      { loadNightly },
      { parseShard },
      { checkNight, nightToRun },
      { exitCodeOfNight },
      { renderSummary },
      { jsonFileText },
      path,
    ] = await Promise.all([
      import("../comparison/evaluate.ts"),
      import("./progress.ts"),
      import("../nightly/run-nightly.ts"),
      import("../nightly/parse-nightly.ts"),
      import("../nightly/shard.ts"),
      import("../nightly/night.ts"),
      import("../nightly/summary.ts"),
      import("../nightly/summary-markdown.ts"),
      import("../reports/json.ts"),
      import("node:path"),
    ]);
    const given = loadNightly(flags.config ?? "");
    const config = flags.output === undefined ? given : { ...given, output: path.resolve(flags.output) };
    const shard = flags.shard === undefined ? null : parseShard(flags.shard);
    const night = flags.night === undefined ? nightToRun(config.output, new Date()) : checkNight(flags.night);
    const command = `fusecheck nightly --config ${given.file} --night ${night}`;
    const progress = flags.quiet ? SILENT : progressOn(process.stderr);
    const { signal, release } = onInterrupt();
    try {
      const summary = await runNightly({
        config,
        night,
        shard,
        history: flags.history ?? process.env[HISTORY_VARIABLE] ?? config.history,
        command,
        signal,
        progress,
        onRow: ({ name, outcome, seconds }, number, of) =>
          progress.note(`row ${number} of ${of}, ${name}: ${outcome} (${Math.round(seconds)} s)`),
      });
      await writeText(flags.json ? jsonFileText(summary) : renderSummary(summary));
      return exitCodeOfNight(summary);
    } catch (error) {
      if (!(error instanceof InterruptedError)) throw error;
      const again = shard === null ? command : `${command} --shard ${shard.index}/${shard.of}`;
      process.stderr.write(`fusecheck: interrupted; to go on where it stopped: ${again}\n`);
      return EXIT.interrupted;
    } finally {
      release();
    }
  },
});
