/** `fusecheck parity captures A B`: are two captures of the same tokens the same routing? */
import type { InferredOptionTypes, Options } from "yargs";
import { UserError } from "../errors.ts";
import type { ModelFacts } from "../runners/captures/model-facts.ts";
import type { TokenDecoder } from "../runners/token-decoder.ts";
import { EXIT } from "./exit-code.ts";
import type { ExitCode } from "./exit-code.ts";
import { integerFlag, textFlag, toleranceFlag } from "./flags.ts";
import type { TextFlag } from "./flags.ts";
import { writeText } from "./write-lines.ts";

type NumberFlag = ReturnType<typeof integerFlag>;

const group = "captures:";

export const PARITY_CAPTURES_FLAGS: {
  readonly "weight-tolerance": NumberFlag;
  readonly "near-tie-margin": NumberFlag;
  readonly "model-config": TextFlag;
  readonly "n-expts-tot": NumberFlag;
  readonly "n-expts-act": NumberFlag;
  readonly "dense-layers": TextFlag;
  readonly report: TextFlag;
  readonly json: Options & { readonly type: "boolean"; readonly default: false };
} = {
  "weight-tolerance": toleranceFlag("weight-tolerance", {
    group,
    describe: "largest difference of one expert's weight on one token",
    defaultDescription: "by dtype: 3e-5 of F32, 2^-9 of F16, 2^-6 of BF16",
  }),
  "near-tie-margin": toleranceFlag("near-tie-margin", {
    group,
    describe: "router margins up to this make a swapped expert a near-tie",
    defaultDescription: "by dtype: 1e-5 of F32, 2^-9 of F16, 2^-6 of BF16",
  }),
  "model-config": textFlag("model-config", {
    group,
    describe: "the model's config.json or its folder, for captures that do not say E, K and their layers",
  }),
  "n-expts-tot": integerFlag("n-expts-tot", { group, min: 1, max: 65_535, describe: "E, where there is no config" }),
  "n-expts-act": integerFlag("n-expts-act", { group, min: 1, max: 65_535, describe: "K, where there is no config" }),
  "dense-layers": textFlag("dense-layers", {
    group,
    describe: "layers without experts, such as 0,1, where there is no config",
    defaultDescription: "none",
  }),
  report: textFlag("report", {
    group,
    describe: "also write routing.md, comparison.json and charts (router margins, expert load) into this folder",
    defaultDescription: "nothing is written",
  }),
  json: {
    type: "boolean",
    default: false,
    describe: "print what was found as JSON instead of text (routing, captures)",
  },
};

type ParityCapturesFlags = InferredOptionTypes<typeof PARITY_CAPTURES_FLAGS>;

/** @throws UserError where the two cannot be compared */
export async function runParityCaptures(a: string, b: string, flags: ParityCapturesFlags): Promise<ExitCode> {
  const [
    { compareCaptures },
    { openCapture },
    { readMoeLayout },
    { renderCaptures },
    { jsonFileText },
    { progressOn },
    { writeCaptureReport },
  ] = await Promise.all([
    import("../comparison/compare-captures.ts"),
    import("../runners/captures/open-capture.ts"),
    import("../runners/routed-experts/index.ts"),
    import("../reports/capture-text.ts"),
    import("../reports/json.ts"),
    import("./progress.ts"),
    import("../comparison/write-capture-report.ts"),
  ]);
  const { "model-config": config, "n-expts-tot": nExpertsTot, "n-expts-act": nExpertsAct } = flags;
  const model: ModelFacts = {
    layout: config === undefined ? undefined : readMoeLayout(config),
    nExpertsTot,
    nExpertsAct,
    denseLayers: denseLayers(flags["dense-layers"]),
  };
  if (config !== undefined) refuseBoth(flags);
  const one = await openCapture(a, model);
  try {
    const two = await openCapture(b, model);
    try {
      const progress = progressOn(process.stderr);
      const update = progress.start("comparing captures");
      const comparison = await compareCaptures(one, two, {
        weightTolerance: flags["weight-tolerance"],
        nearTieMargin: flags["near-tie-margin"],
        picture: flags.report !== undefined,
        decoder: flags.report === undefined ? undefined : await decoderOf(config),
        progress: (done) => update({ done, total: one.nTokens, facts: [] }),
      }).finally(() => progress.end());
      if (flags.report !== undefined) await writeCaptureReport(flags.report, comparison);
      await writeText(flags.json ? jsonFileText(comparison) : renderCaptures(comparison));
      return comparison.verdict.held ? EXIT.held : EXIT.regressed;
    } finally {
      two.close();
    }
  } finally {
    one.close();
  }
}

/** The library that knows tokenizers takes longer to load than most captures to compare. */
async function decoderOf(modelConfig: string | undefined): Promise<TokenDecoder | undefined> {
  if (modelConfig === undefined) return undefined;
  const { openTokenDecoder } = await import("../runners/token-decoder.ts");
  return openTokenDecoder(modelConfig);
}

const INSTEAD_OF_CONFIG = ["n-expts-tot", "n-expts-act", "dense-layers"] as const;

function refuseBoth(flags: ParityCapturesFlags): void {
  const given = INSTEAD_OF_CONFIG.find((name) => flags[name] !== undefined);
  if (given !== undefined) throw new UserError(`--${given} says what --model-config says already; give one of them`);
}

function denseLayers(text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,4}(,\d{1,4})*$/.test(text))
    throw new UserError(`--dense-layers takes layer numbers with commas between, such as 0,1, not "${text}"`);
  return text.split(",").map(Number);
}
