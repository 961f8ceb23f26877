/**
 * Reads routing data that some kernel dumped: a safetensors file with, per case, `<case>.topk_ids` and
 * `<case>.topk_weights` [N, K], where it has one `<case>.expert_map`, and per implementation `<case>.<impl>_hist` [E],
 * `_topk_indx`, `_gate_indx` and `_gate_scal` [NK], and optionally `_token_offs_raw` [E + 1],
 * `_token_offs_pad_<block>` [E + 1] and `_block_pid_map_<block>`.
 *
 * The file is untrusted. Whatever is not such a dump is refused before its data are read; what is judged is bounded in
 * memory (one implementation of one case at a time, of at most `MAX_ENTRIES`) and in time.
 */
import { UserError } from "../errors.ts";
import type { HalfFormat } from "../engine/half-floats.ts";
import type { ExpertData } from "../engine/routing/expert-tiles.ts";
import type { RoutingInput, WeightArray } from "../engine/routing/routing-data.ts";
import { quote, type TensorInfo } from "../engine/safetensors-header.ts";
import type { SafetensorsFile } from "../engine/safetensors.ts";
import type { Routed } from "./check-routed.ts";

/** Entries (NK) of a case: a prefill of a million tokens with eight experts each. Some 600 MB while it is checked. */
const MAX_ENTRIES = 2 ** 23;

/** Experts per token; entries of a token are searched one by one. The field's largest, shared experts included, is below 32. */
const MAX_EXPERTS_ACT = 128;

/** Tiles have 16 bits for the expert. */
const MAX_EXPERTS_TOT = 2 ** 16;

/** Block sizes that kernels are compiled for. */
const BLOCKS = "16|32|64|128|256";

const INPUTS = ["topk_ids", "topk_weights", "expert_map"] as const;
const ARRAYS = ["hist", "topk_indx", "gate_indx", "gate_scal"] as const;
const OUTPUT = new RegExp(
  `^(.+)_(${ARRAYS.join("|")}|token_offs_raw|token_offs_pad_(?:${BLOCKS})|block_pid_map_(?:${BLOCKS}))$`,
  "s",
);

/** What the header says of a case; nothing of it was read yet. */
export interface DumpCase {
  readonly name: string;
  readonly nTokens: number;
  readonly nExpertsAct: number;
  readonly nExpertsTot: number;
  readonly weightDtype: "F32" | "F64" | "F16" | "BF16";
  readonly hasExpertMap: boolean;
  readonly implementations: readonly DumpedImplementation[];
}

export interface DumpedImplementation {
  readonly name: string;
  readonly weightDtype: DumpCase["weightDtype"];
  /** Of its tiles, ascending. */
  readonly blockMs: readonly number[];
  readonly hasOffsets: boolean;
}

/**
 * The cases of a dump, by its header.
 * @throws UserError, with file, tensor and reason, where it is not a dump of routing data
 */
export function readDumpCases(file: SafetensorsFile): DumpCase[] {
  const cases = new Map<string, Map<string, Set<string>>>();
  for (const name of file.tensors.keys()) {
    const dot = name.lastIndexOf(".");
    const [of, array] = [name.slice(0, dot), name.slice(dot + 1)];
    const [, implementation, suffix] = OUTPUT.exec(array) ?? [];
    const isInput = INPUTS.some((input) => input === array);
    if (dot < 1 || (!isInput && implementation === undefined)) {
      throw notADump(
        file,
        name,
        "its name is none that a dump of routing data has (<case>.topk_ids, <case>.<impl>_hist)",
      );
    }
    const arrays = cases.get(of) ?? new Map<string, Set<string>>();
    cases.set(of, arrays);
    if (implementation === undefined || suffix === undefined) continue;
    arrays.set(implementation, (arrays.get(implementation) ?? new Set()).add(suffix));
  }
  if (cases.size === 0) throw new UserError(`${file.path} is not a dump of routing data: it has no tensors.`);
  return [...cases].map(([name, arrays]) => caseOf(file, name, arrays));
}

function caseOf(file: SafetensorsFile, name: string, arrays: ReadonlyMap<string, ReadonlySet<string>>): DumpCase {
  const ids = tensor(file, `${name}.topk_ids`);
  const [nTokens = 0, nExpertsAct = 0] = ids.shape;
  if (ids.shape.length !== 2)
    throw notADump(file, ids.name, `its shape is ${shapeOf(ids)}, not [n_tokens, n_expts_act]`);
  if (ids.size === 0) throw notADump(file, ids.name, `its shape is ${shapeOf(ids)}: there is nothing to check`);
  if (ids.size > MAX_ENTRIES || nExpertsAct > MAX_EXPERTS_ACT) {
    const most = `at most ${MAX_ENTRIES} entries and ${MAX_EXPERTS_ACT} experts per token are checked`;
    throw notADump(file, ids.name, `its shape is ${shapeOf(ids)}, but ${most}`);
  }
  requireIntegers(file, ids);
  const weights = shaped(file, `${name}.topk_weights`, ids.shape);
  const map = file.tensors.get(`${name}.expert_map`);
  if (map !== undefined) requireVector(file, map);
  if (arrays.size === 0) {
    throw notADump(file, ids.name, `no implementation's arrays stand beside it (${name}.<impl>_hist and so on)`);
  }
  const [first = ""] = arrays.keys();
  const nExpertsTot = tensor(file, `${name}.${first}_hist`).size;
  if (nExpertsTot < 1 || nExpertsTot > MAX_EXPERTS_TOT) {
    throw notADump(file, `${name}.${first}_hist`, `it has ${nExpertsTot} experts, not 1 to ${MAX_EXPERTS_TOT}`);
  }
  return {
    name,
    nTokens,
    nExpertsAct,
    nExpertsTot,
    weightDtype: weightDtype(file, weights),
    hasExpertMap: map !== undefined,
    implementations: [...arrays].map(([implementation, given]) =>
      implementationOf(file, `${name}.${implementation}`, implementation, given, ids.size, nExpertsTot),
    ),
  };
}

function implementationOf(
  file: SafetensorsFile,
  prefix: string,
  name: string,
  given: ReadonlySet<string>,
  nk: number,
  nExpertsTot: number,
): DumpedImplementation {
  requireIntegers(file, shaped(file, `${prefix}_hist`, [nExpertsTot]));
  requireIntegers(file, shaped(file, `${prefix}_topk_indx`, [nk]));
  requireIntegers(file, shaped(file, `${prefix}_gate_indx`, [nk]));
  const scal = shaped(file, `${prefix}_gate_scal`, [nk]);
  const hasOffsets = given.has("token_offs_raw");
  if (hasOffsets) requireIntegers(file, shaped(file, `${prefix}_token_offs_raw`, [nExpertsTot + 1]));
  const blocks = [...given].flatMap((suffix) => /_(\d+)$/.exec(suffix)?.[1] ?? []).map(Number);
  const blockMs = [...new Set(blocks)].toSorted((a, b) => a - b);
  for (const block of blockMs) {
    requireIntegers(file, shaped(file, `${prefix}_token_offs_pad_${block}`, [nExpertsTot + 1]));
    requireVector(file, tensor(file, `${prefix}_block_pid_map_${block}`));
    if (!hasOffsets) tensor(file, `${prefix}_token_offs_raw`);
  }
  return { name, weightDtype: weightDtype(file, scal), blockMs, hasOffsets };
}

/** Reads a case's selection. @throws UserError where an expert map names an expert that the rank does not have */
export function readDumpInput(file: SafetensorsFile, of: DumpCase): RoutingInput<WeightArray> {
  const { name, nTokens, nExpertsAct, nExpertsTot } = of;
  const topkIds = file.readInt32(`${name}.topk_ids`);
  const topkWeights = file.read(`${name}.topk_weights`) as WeightArray;
  const input = { topkIds, topkWeights, nTokens, nExpertsAct, nExpertsTot };
  if (!of.hasExpertMap) return input;
  const expertMap = file.readInt32(`${name}.expert_map`);
  const stray = expertMap.findIndex((local) => local >= nExpertsTot);
  if (stray >= 0) {
    const reason = `expert ${stray} is mapped to local expert ${expertMap[stray]}, but the rank has ${nExpertsTot}`;
    throw notADump(file, `${name}.expert_map`, reason);
  }
  return { ...input, expertMap };
}

/** Reads what one implementation made of a case. */
export function readDumpRouted(file: SafetensorsFile, of: DumpCase, implementation: DumpedImplementation): Routed {
  const prefix = `${of.name}.${implementation.name}`;
  const data = {
    hist: file.readInt32(`${prefix}_hist`),
    topkIndx: file.readInt32(`${prefix}_topk_indx`),
    gateIndx: file.readInt32(`${prefix}_gate_indx`),
    gateScal: file.read(`${prefix}_gate_scal`) as WeightArray,
  };
  if (!implementation.hasOffsets) return { data };
  const experts: ExpertData = {
    tokenOffsRaw: file.readInt32(`${prefix}_token_offs_raw`),
    tiles: implementation.blockMs.map((blockM) => ({
      blockM,
      tokenOffsPad: file.readInt32(`${prefix}_token_offs_pad_${blockM}`),
      blockPidMap: file.readInt32(`${prefix}_block_pid_map_${blockM}`),
    })),
  };
  return { data, experts };
}

/** What a case's 16-bit weights are. */
export function halfFormatOf({ weightDtype: dtype }: DumpCase): HalfFormat {
  return dtype === "F16" ? "f16" : "bf16";
}

function tensor(file: SafetensorsFile, name: string): TensorInfo {
  const found = file.tensors.get(name);
  if (found === undefined) throw new UserError(`${file.path} is not a whole dump: tensor ${quote(name)} is missing.`);
  return found;
}

function shaped(file: SafetensorsFile, name: string, shape: readonly number[]): TensorInfo {
  const found = tensor(file, name);
  if (found.shape.length === shape.length && found.shape.every((size, axis) => size === shape[axis])) return found;
  throw notADump(file, name, `its shape is ${shapeOf(found)}, not [${shape.join(", ")}]`);
}

function requireVector(file: SafetensorsFile, of: TensorInfo): void {
  requireIntegers(file, of);
  if (of.shape.length !== 1) throw notADump(file, of.name, `its shape is ${shapeOf(of)}, not one dimension`);
  if (of.size > MAX_ENTRIES)
    throw notADump(file, of.name, `it has ${of.size} elements; at most ${MAX_ENTRIES} are read`);
}

function requireIntegers(file: SafetensorsFile, { name, dtype }: TensorInfo): void {
  if (/^[IU]\d+$/.test(dtype)) return;
  throw notADump(file, name, `it is ${dtype}, but integers are needed`);
}

function weightDtype(file: SafetensorsFile, { name, dtype }: TensorInfo): DumpCase["weightDtype"] {
  if (dtype === "F32" || dtype === "F64" || dtype === "F16" || dtype === "BF16") return dtype;
  throw notADump(file, name, `it is ${dtype}, but weights are F32, F64, F16 or BF16`);
}

function shapeOf({ shape }: TensorInfo): string {
  return shape.length > 8 ? `of ${shape.length} dimensions` : `[${shape.join(", ")}]`;
}

function notADump({ path }: SafetensorsFile, name: string, reason: string): UserError {
  return new UserError(`${path} is not a dump of routing data that can be read: tensor ${quote(name)}: ${reason}.`);
}
