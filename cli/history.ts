import type { InferredOptionTypes } from "yargs";
import { UserError } from "../errors.ts";
import { didYouMean } from "../nearest.ts";
import type { History, Series } from "../reports/history/history.ts";
import type { HistoryRun } from "../reports/history/record.ts";
import type { Command, FlagTable } from "./command.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import type { ExitCode } from "./exit-code.ts";
import { integerFlag, textFlag } from "./flags.ts";
import type { TextFlag } from "./flags.ts";
import { writeText } from "./write-lines.ts";

export const HISTORY_VARIABLE = "FUSECHECK_HISTORY";

export const HISTORY_FLAG: TextFlag = textFlag("history", {
  describe: "the history: a SQLite file, or postgres://...",
  defaultDescription: `$${HISTORY_VARIABLE}, else fusecheck-history.db`,
});

/** A URL with a password belongs into the environment, not into the process list. */
function historyPlace(flag: string | undefined): string {
  return flag ?? process.env[HISTORY_VARIABLE] ?? "fusecheck-history.db";
}

const FLAGS = {
  history: HISTORY_FLAG,
  name: textFlag("name", { group: "add:", describe: "the series' name", defaultDescription: "the model" }),
  task: textFlag("task", { group: "show, accept:", describe: "only this task" }),
  engine: textFlag("engine", { group: "show, accept:", describe: "only this engine" }),
  variant: textFlag("variant", { group: "show, accept:", describe: "only this variant" }),
  filter: textFlag("filter", { group: "show, accept:", describe: "only this answer filter" }),
  "false-alarm-nights": integerFlag("false-alarm-nights", {
    group: "show:",
    min: 10,
    max: 10_000_000,
    describe: "one false alarm in so many nights, over all series shown together",
    defaultDescription: "1000",
  }),
  "bisect-hint": {
    group: "show:",
    type: "boolean",
    default: false,
    describe: "what changed between the last good night and the first bad one",
  },
  json: { group: "show:", type: "boolean", default: false, describe: "as JSON, all nights" },
  since: textFlag("since", {
    group: "accept:",
    describe: "the first night of the new level: a day (2026-11-25) or a time (ISO 8601, UTC)",
  }),
} as const satisfies FlagTable;

type Flags = InferredOptionTypes<typeof FLAGS>;

interface Action {
  readonly flags: readonly (keyof Flags)[];
  readonly run: (history: string, flags: Flags, words: readonly string[]) => Promise<ExitCode>;
}

const NARROWING = ["task", "engine", "variant", "filter"] as const;

const ACTIONS: Readonly<Record<string, Action>> = {
  add: { flags: ["name"], run: add },
  show: { flags: [...NARROWING, "false-alarm-nights", "bisect-hint", "json"], run: show },
  accept: { flags: [...NARROWING, "since"], run: accept },
};

/** `fusecheck history`: finished runs, night by night, and whether a model has left its own level. */
export const historyCommand: Command = defineCommand({
  name: "history",
  describe: "finished runs, night by night: has a model left its own level?",
  words: [
    { name: "action", describe: `what to do: ${Object.keys(ACTIONS).join(", ")}` },
    { name: "what..", describe: "add: run folders; show and accept: a series' name or its model" },
  ],
  flags: FLAGS,
  examples: [
    ["$0 history add runs/a", "add a finished run; adding it again changes nothing"],
    ["$0 history show", "what there is"],
    ["$0 history show abacus-8m --bisect-hint", "its trend, and what changed where it left its level"],
    ["$0 history accept abacus-8m --since 2026-11-25", "a new level, because it was meant to change"],
  ],
  handler: async (flags, [name, ...words]) => {
    const names = Object.keys(ACTIONS);
    if (name === undefined) throw new UserError(`say what to do: ${names.join(", ")}; see fusecheck history --help`);
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
    if (action === undefined)
      throw new UserError(`cannot "${name}" a history${didYouMean(name, names)}; there are: ${names.join(", ")}`);
    const stray = (Object.keys(FLAGS) as (keyof Flags)[]).find(
      (flag) =>
        flag !== "history" && flags[flag] !== undefined && flags[flag] !== false && !action.flags.includes(flag),
    );
    if (stray !== undefined) throw new UserError(`--${stray} does not go with fusecheck history ${name}`);
    return action.run(historyPlace(flags.history), flags, words);
  },
});

async function add(place: string, { name }: Flags, folders: readonly string[]): Promise<ExitCode> {
  if (folders.length === 0) throw new UserError("name the run folders to add: fusecheck history add RUN ...");
  const { readHistoryRun } = await import("../reports/history/read-run.ts");
  const runs: HistoryRun[] = [];
  // All are read before anything is written.
  for (const folder of folders) runs.push(await readHistoryRun(folder, name === undefined ? {} : { name }));
  return withHistory(place, {}, async (history) => {
    await history.add(runs);
    await writeText(runs.map(({ folder, id }) => `added ${folder} (${id})\n`).join(""));
    return EXIT.held;
  });
}

async function show(place: string, flags: Flags, words: readonly string[]): Promise<ExitCode> {
  return withHistory(place, { create: false }, async (history) => {
    const found = await seriesOf(history, flags, words);
    const [{ trendOf }, { seriesTitle, trendText }, { jsonFileText }] = await Promise.all([
      import("../reports/history/trend.ts"),
      import("../reports/history/trend-text.ts"),
      import("../reports/json.ts"),
    ]);
    if (words.length === 0 && !flags.json && !flags["bisect-hint"]) {
      await writeText(found.map((series) => `${seriesTitle(series)}\n`).join(""));
      return EXIT.held;
    }
    const trends = [];
    for (const series of found) {
      const nights = flags["false-alarm-nights"];
      const options = { together: found.length, bisectHint: flags["bisect-hint"] };
      trends.push(
        await trendOf(history, series, nights === undefined ? options : { ...options, falseAlarmNights: nights }),
      );
    }
    await writeText(flags.json ? jsonFileText(trends) : `${trends.map(trendText).join("\n\n")}\n`);
    return trends.some(({ drift }) => drift.kind === "loss") ? EXIT.regressed : EXIT.held;
  });
}

async function accept(place: string, flags: Flags, words: readonly string[]): Promise<ExitCode> {
  if (words.length === 0) throw new UserError("name the series whose level is accepted: fusecheck history accept NAME");
  const since = flags.since === undefined ? undefined : new Date(flags.since);
  if (since === undefined || Number.isNaN(since.getTime()))
    throw new UserError(
      "--since takes the first night of the new level: a day such as 2026-11-25, or a time in ISO 8601",
    );
  return withHistory(place, { create: false }, async (history) => {
    const found = await seriesOf(history, flags, words);
    const { seriesTitle } = await import("../reports/history/trend-text.ts");
    await history.acceptLevel(found, since.toISOString());
    await writeText(found.map((series) => `${seriesTitle(series)}: level from ${since.toISOString()} on\n`).join(""));
    return EXIT.held;
  });
}

async function seriesOf(
  history: History,
  flags: Flags,
  [name, ...more]: readonly string[],
): Promise<readonly Series[]> {
  if (more.length > 0) throw new UserError(`unexpected argument "${more[0]}"; one name at a time`);
  const asked = [["name", name] as const, ...NARROWING.map((key) => [key, flags[key]] as const)];
  const query = Object.fromEntries(asked.filter(([, value]) => value !== undefined));
  const found = await history.series(query);
  if (found.length > 0) return found;
  const all = await history.series();
  if (all.length === 0) throw new UserError("the history is empty: fusecheck history add RUN adds a run");
  const wanted = Object.entries(query).map(([key, value]) => `${key} "${value}"`);
  const names = [...new Set(all.map((series) => series.name))];
  throw new UserError(
    `the history has nothing of ${wanted.join(", ")}${name === undefined ? "" : didYouMean(name, names)}; its series: ${names.slice(0, 20).join(", ")}`,
  );
}

async function withHistory<T>(
  place: string,
  options: { readonly create?: boolean },
  work: (history: History) => Promise<T>,
): Promise<T> {
  const { openHistory } = await import("../reports/history/history.ts");
  const history = await openHistory(place, options);
  try {
    return await work(history);
  } finally {
    await history.close();
  }
}
