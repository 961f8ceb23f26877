/**
 * llama.cpp's `moe-trace`: CSV of `layer,expert`, one line for each expert of each token, as the graph is evaluated: batch
 * by batch, in a batch layer by layer, in a layer token by token. It is read once and kept, layer by layer, in files
 * without a name.
 */
import { UserError } from "../../errors.ts";
import { MAX_EXPERTS, MAX_LAYERS } from "./capture-source.ts";
import type { CaptureSource } from "./capture-source.ts";
import { openScratch, readFully } from "./file-bytes.ts";
import type { OpenedFile } from "./file-bytes.ts";
import { LayerSpool } from "./layer-spool.ts";
import { expertsOf, expertsPerTokenOf } from "./model-facts.ts";
import type { ModelFacts } from "./model-facts.ts";
import { TraceBatches } from "./trace-batches.ts";

/** @throws UserError where a line is none, or the lines are not those of whole tokens */
export function openMoeTrace(path: string, file: OpenedFile, model: ModelFacts): CaptureSource {
  const [nExpertsTot, k] = [expertsOf(path, model), expertsPerTokenOf(path, model)];
  const batches = new TraceBatches(path, k);
  const spools = new Map<number, LayerSpool>();
  const close = (): void => {
    for (const spool of spools.values()) spool.close();
  };
  try {
    readRows(path, file, (layer, expert) => {
      batches.add(layer);
      let spool = spools.get(layer);
      if (spool === undefined) spools.set(layer, (spool = new LayerSpool(openScratch())));
      spool.push(expert);
    });
    const { layers, nTokens, shortLayer } = batches.end();
    checkLayers(path, layers, model, shortLayer);
    for (const spool of spools.values()) spool.flush();
    const notes =
      shortLayer === undefined
        ? []
        : [
            `${path}: layer ${shortLayer} is left out: as the model's last, llama.cpp runs it only for tokens whose logits ` +
              "are asked for.",
          ];
    return {
      path,
      format: "llama.cpp moe-trace",
      layers,
      nExpertsAct: k,
      nExpertsTot,
      nTokens,
      weights: undefined,
      margins: false,
      notes,
      tokens: () => ({}),
      ids: (index, from, to) => (spools.get(layers[index] as number) as LayerSpool).read(from * k, to * k),
      weightsOf: () => undefined,
      marginsOf: () => undefined,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function checkLayers(
  path: string,
  layers: readonly number[],
  { layout }: ModelFacts,
  shortLayer: number | undefined,
): void {
  if (layout === undefined || layout.moeLayers === "unknown") return;
  const expected = layout.moeLayers.filter((layer) => layer !== shortLayer);
  if (expected.join() === layers.join()) return;
  throw new UserError(
    `${path}: layers ${layers.slice(0, 100).join(", ")} have experts, but by the model's config ` +
      expected.slice(0, 100).join(", "),
  );
}

const CHUNK_BYTES = 2 ** 20;
const [NEWLINE, RETURN, COMMA, ZERO, NINE] = [0x0a, 0x0d, 0x2c, 0x30, 0x39];

/** Parses bytes, not text: a trace of a long run has billions of lines. */
function readRows(path: string, { fd, bytes }: OpenedFile, each: (layer: number, expert: number) => void): void {
  const fail = (line: number, reason: string): UserError =>
    new UserError(`${path}, line ${line}: ${reason}; "layer,expert" in whole numbers is expected (truncated?)`);
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, bytes));
  let line = 1;
  let [value, digits, layer] = [0, 0, -1];
  let skip = startsWithHeader(path, fd, bytes);
  for (let at = 0; at < bytes; at += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, bytes - at));
    readFully(fd, path, at, part);
    for (const byte of part) {
      if (skip) {
        skip = byte !== NEWLINE;
        if (!skip) line++;
      } else if (byte >= ZERO && byte <= NINE) {
        value = value * 10 + byte - ZERO;
        if (++digits > 5) throw fail(line, "a number beyond all models");
      } else if (byte === COMMA) {
        if (digits === 0 || layer >= 0) throw fail(line, "a number is missing, or there are too many");
        if (value >= MAX_LAYERS) throw fail(line, `layer ${value}`);
        [layer, value, digits] = [value, 0, 0];
      } else if (byte === NEWLINE) {
        if (digits === 0 || layer < 0) throw fail(line, "a number is missing");
        if (value > MAX_EXPERTS) throw fail(line, `expert ${value}`);
        each(layer, value);
        line++;
        [layer, value, digits] = [-1, 0, 0];
      } else if (byte !== RETURN) throw fail(line, "something else than a number");
    }
  }
  // Without its end a number may lack digits.
  if (digits > 0 || layer >= 0) throw fail(line, "the line has no end");
}

function startsWithHeader(path: string, fd: number, bytes: number): boolean {
  const start = new Uint8Array(Math.min(5, bytes));
  readFully(fd, path, 0, start);
  return Buffer.from(start).toString("latin1") === "layer";
}
