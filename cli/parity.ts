import type { InferredOptionTypes } from "yargs";
import { UserError } from "../errors.ts";
import type { SpotCheck } from "../parity/spot-check.ts";
import { didYouMean } from "../nearest.ts";
import type { Command, FlagTable } from "./command.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import type { ExitCode } from "./exit-code.ts";
import { integerFlag, listFlag, textFlag } from "./flags.ts";
import { PARITY_CAPTURES_FLAGS, runParityCaptures } from "./parity-captures.ts";
import { writeLines, writeText } from "./write-lines.ts";

const DEFAULT_SEED = 1234;

const ROUTING = "routing:";
const SELF_TEST = "--self-test:";

const FLAGS = {
  seed: integerFlag("seed", {
    min: 0,
    describe: "seed of all inputs that are drawn",
    defaultDescription: String(DEFAULT_SEED),
  }),
  dump: textFlag("dump", {
    group: ROUTING,
    describe: "safetensors file with a kernel's routing data, to be checked in place of fusecheck's own fused chain",
  }),
  seconds: integerFlag("seconds", {
    group: ROUTING,
    min: 0,
    max: 1_000_000,
    describe: "go on drawing cases for so long after the fixed ones",
    defaultDescription: "the fixed cases alone",
  }),
  "write-inputs": textFlag("write-inputs", {
    group: ROUTING,
    describe: "write the fixed cases and the reference's answers, for a kernel to add its own, and check nothing",
  }),
  "self-test": { group: SELF_TEST, type: "boolean", default: false, describe: "inject faults: is each one caught?" },
  markdown: { group: SELF_TEST, type: "boolean", default: false, describe: "its table as Markdown" },
  answers: integerFlag("answers", {
    group: SELF_TEST,
    min: 1,
    max: 250,
    describe: "instead ask the embedded engine N problems under each routing-data fault: what do answers alone show?",
  }),
  fault: listFlag("fault", {
    group: SELF_TEST,
    describe: "with --answers: only the faults whose name begins so; may be repeated",
    defaultDescription: "all",
  }),
  ...PARITY_CAPTURES_FLAGS,
} as const satisfies FlagTable;

type Flags = InferredOptionTypes<typeof FLAGS>;

/** What can be compared: the first word behind `parity`, and the flags that go with it. */
const SUBJECTS: Readonly<Record<string, Subject>> = {
  routing: { flags: ["seed", "dump", "seconds", "write-inputs", "json"], run: runRouting },
  captures: { flags: Object.keys(PARITY_CAPTURES_FLAGS) as (keyof Flags)[], run: runCaptures },
};

interface Subject {
  readonly flags: readonly (keyof Flags)[];
  readonly run: (flags: Flags, files: readonly string[]) => Promise<ExitCode>;
}

const SELF_TEST_SUBJECT: Subject = {
  flags: ["seed", "self-test", "markdown", "answers", "fault"],
  run: (flags) => (flags.answers === undefined ? runSelfTest(flags) : runAnswers(flags.answers, flags)),
};

/** `fusecheck parity`: routing itself, without asking an engine for answers. */
export const parityCommand: Command = defineCommand({
  name: "parity",
  describe: "is the routing right: routing data, captures; and would it show if it were not?",
  words: [
    { name: "what", describe: `what to check: ${Object.keys(SUBJECTS).join(", ")}` },
    { name: "files..", describe: "the files to compare, where it compares files" },
  ],
  flags: FLAGS,
  examples: [
    ["$0 parity routing", "fusecheck's own fused chain on every kind of input, in seconds"],
    ["$0 parity routing --dump FILE", "routing data that a kernel wrote"],
    ["$0 parity captures baseline/routing.safetensors fused/routing.safetensors", "the two captures of a run"],
    ["$0 parity --self-test", "what the check catches, fault by fault"],
  ],
  handler: async (flags, [what, ...files]) => {
    const subject = subjectOf(what, flags);
    const command = ["fusecheck parity", what ?? "--self-test"].join(" ");
    const stray = Object.entries(flags).find(
      ([name, value]) =>
        Object.hasOwn(FLAGS, name) &&
        value !== undefined &&
        value !== false &&
        !subject.flags.includes(name as keyof Flags),
    );
    if (stray !== undefined) throw new UserError(`--${stray[0]} does not go with ${command}`);
    return subject.run(flags, files);
  },
});

function subjectOf(what: string | undefined, flags: Flags): Subject {
  const names = Object.keys(SUBJECTS);
  if (what === undefined) {
    if (flags["self-test"]) return SELF_TEST_SUBJECT;
    throw new UserError(`say what to check: ${names.join(", ")} or --self-test; see fusecheck parity --help`);
  }
  if (Object.hasOwn(SUBJECTS, what)) return SUBJECTS[what]!;
  throw new UserError(`cannot check "${what}"${didYouMean(what, names)}; there are: ${names.join(", ")}`);
}

async function runRouting(flags: Flags, [stray]: readonly string[]): Promise<ExitCode> {
  if (stray !== undefined) throw new UserError(`unexpected argument "${stray}"; give a dump with --dump FILE`);
  const { dump, seconds, "write-inputs": inputs, seed = DEFAULT_SEED } = flags;
  const given = Object.entries({ dump, seconds, "write-inputs": inputs }).filter(([, value]) => value !== undefined);
  if (given.length > 1) throw new UserError(`${given.map(([name]) => `--${name}`).join(" and ")} exclude each other`);
  if (inputs !== undefined) {
    if (flags.json) throw new UserError("--json and --write-inputs exclude each other: nothing is checked");
    const { writeRoutingInputs } = await import("../parity/write-inputs.ts");
    await writeLines([`${writeRoutingInputs(inputs, seed)} cases, with the reference chain's answers, in ${inputs}`]);
    return EXIT.held;
  }
  const [{ dumpText, spotCheckText }, { dumpJson, spotCheckJson }, { jsonFileText }] = await Promise.all([
    import("../parity/report-text.ts"),
    import("../parity/report-json.ts"),
    import("../reports/json.ts"),
  ]);
  if (dump !== undefined) {
    if (flags.seed !== undefined) throw new UserError("--seed and --dump exclude each other: nothing is drawn");
    const { checkDump } = await import("../parity/check-dump.ts");
    const checked = checkDump(dump);
    if (flags.json) await writeText(jsonFileText(dumpJson(checked)));
    else await writeLines(dumpText(checked));
    return checked.results.some(({ report }) => report.violationCount > 0) ? EXIT.regressed : EXIT.held;
  }
  const checked = await runSpotCheck(seed, seconds ?? 0);
  const what = "fusecheck's fused chain";
  if (flags.json) await writeText(jsonFileText(spotCheckJson(what, seed, checked)));
  else await writeLines(spotCheckText(what, seed, checked));
  return checked.failed > 0 ? EXIT.regressed : EXIT.held;
}

/** With its progress: cases of the fixed ones, seconds of the drawn ones, whose number nobody knows. */
async function runSpotCheck(seed: number, seconds: number): Promise<SpotCheck> {
  const [{ embeddedFused, spotCheck }, { fixedCases }, { progressOn, SILENT }] = await Promise.all([
    import("../parity/spot-check.ts"),
    import("../parity/routing-cases.ts"),
    import("./progress.ts"),
  ]);
  // The fixed cases alone are seconds.
  const progress = seconds > 0 ? progressOn(process.stderr) : SILENT;
  const total = fixedCases().length;
  const fixed = progress.start("routing cases");
  let drawn: ReturnType<typeof progress.start> | undefined;
  return spotCheck(embeddedFused(), {
    seed,
    seconds,
    onProgress: ({ stretch, cases, failed, seconds: done }) => {
      const broken = failed === 0 ? [] : [`${failed} broken`];
      if (stretch === "fixed") return fixed({ done: cases, total, facts: broken });
      drawn ??= progress.start("seconds of drawn cases");
      return drawn({ done: Math.floor(done), total: seconds, facts: [`${cases} cases`, ...broken] });
    },
  }).finally(() => progress.end());
}

async function runCaptures(flags: Flags, [a, b, ...more]: readonly string[]): Promise<ExitCode> {
  if (a === undefined || b === undefined || more.length > 0)
    throw new UserError("parity captures takes two files: fusecheck parity captures A B");
  return runParityCaptures(a, b, flags);
}

async function runSelfTest({ seed = DEFAULT_SEED, markdown, fault }: Flags): Promise<ExitCode> {
  if (fault !== undefined) throw new UserError("--fault goes with --answers");
  const [{ selfTest }, { selfTestMarkdown, selfTestText }] = await Promise.all([
    import("../parity/self-test/self-test.ts"),
    import("../parity/self-test/table.ts"),
  ]);
  const result = selfTest(seed);
  await writeLines(markdown ? [selfTestMarkdown(result)] : selfTestText(result));
  return result.wrong.length > 0 ? EXIT.regressed : EXIT.held;
}

async function runAnswers(docs: number, { markdown, seed, fault }: Flags): Promise<ExitCode> {
  if (markdown) throw new UserError("--markdown and --answers exclude each other");
  if (seed !== undefined) throw new UserError("--seed and --answers exclude each other: nothing is drawn");
  const { answersText, answersUnderFaults, faultsNamed } = await import("../parity/self-test/answers.ts");
  await writeLines(answersText(answersUnderFaults(faultsNamed(fault), docs)));
  return EXIT.held;
}
