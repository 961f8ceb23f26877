/**
 * Finds whole tokens in the rows of a trace. Rows of one layer that stand together are one batch's; a layer that is not
 * above the one before begins the next batch. All layers of a batch have the same number of tokens, but for the model's
 * last: there llama.cpp only goes on with those whose logits are asked for.
 */
import { UserError } from "../../errors.ts";

export interface TracedTokens {
  /** Ascending; without the short one. */
  readonly layers: readonly number[];
  readonly nTokens: number;
  /** The last layer, where it lacks tokens. */
  readonly shortLayer: number | undefined;
}

interface Group {
  readonly layer: number;
  rows: number;
}

export class TraceBatches {
  readonly #path: string;
  readonly #k: number;
  #layers: readonly number[] | undefined;
  #batch: Group[] = [];
  #batches = 0;
  #nTokens = 0;
  #short = false;

  constructor(path: string, k: number) {
    this.#path = path;
    this.#k = k;
  }

  /** One row. */
  add(layer: number): void {
    const last = this.#batch.at(-1);
    if (last?.layer === layer) last.rows++;
    else {
      if (last !== undefined && layer < last.layer) this.#endBatch();
      this.#batch.push({ layer, rows: 1 });
    }
  }

  /** @throws UserError where there are no whole tokens */
  end(): TracedTokens {
    this.#endBatch();
    const layers = this.#layers ?? [];
    const last = layers.at(-1);
    if (!this.#short) return { layers, nTokens: this.#nTokens, shortLayer: undefined };
    if (layers.length === 1) throw this.#fail("its only layer lacks tokens");
    return { layers: layers.slice(0, -1), nTokens: this.#nTokens, shortLayer: last };
  }

  #endBatch(): void {
    const batch = this.#batch;
    this.#batch = [];
    this.#batches++;
    const layers = batch.map(({ layer }) => layer);
    this.#layers ??= layers;
    if (layers.join() !== this.#layers.join())
      throw this.#fail(`batch ${this.#batches} has layers ${brief(layers)}, the first ${brief(this.#layers)}`);
    const rows = batch[0]?.rows ?? 0;
    for (const [index, group] of batch.entries()) {
      if (group.rows % this.#k !== 0)
        throw this.#fail(
          `batch ${this.#batches}, layer ${group.layer} has ${group.rows} rows, not a multiple of K = ${this.#k}`,
        );
      if (group.rows === rows) continue;
      if (index < batch.length - 1 || group.rows > rows)
        throw this.#fail(
          `batch ${this.#batches}, layer ${group.layer} has ${group.rows} rows, the layers before it ${rows}`,
        );
      this.#short = true;
    }
    this.#nTokens += rows / this.#k;
  }

  #fail(reason: string): UserError {
    return new UserError(`${this.#path} is no whole trace: ${reason} (truncated, or another model's K?)`);
  }
}

function brief(layers: readonly number[]): string {
  return layers.length <= 8 ? layers.join(", ") : `${layers.slice(0, 8).join(", ")}, ...`;
}
