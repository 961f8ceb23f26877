/** Watches the forward passes of one request: keeps what was routed where, and checks the routing data as it goes. */
import type { ModelConfig } from "./config.ts";
import type { RoutingObserver } from "./model.ts";
import type { InvariantCount, RoutingCapture } from "./requests.ts";
import { checkRoutingData } from "./routing/invariants.ts";
import type { FlatIndex } from "./routing/invariants.ts";

/** Violations kept in full; more of the same kind tell nothing new. */
const MAX_VIOLATIONS = 8;

export class RoutingRecorder {
  readonly #capture: RoutingCapture;
  readonly #firstMoeLayer: number;
  readonly #flatIndex: FlatIndex;
  readonly #violations: InvariantCount["violations"][number][] = [];
  #checked = 0;
  #broken = 0;

  constructor({ nLayers, moe }: ModelConfig, nTokens: number, flatIndex: FlatIndex) {
    this.#firstMoeLayer = moe.firstDenseLayers;
    this.#flatIndex = flatIndex;
    const layers = Array.from({ length: nLayers - moe.firstDenseLayers }, (_, i) => moe.firstDenseLayers + i);
    const entries = layers.length * nTokens * moe.nExpertsAct;
    this.#capture = {
      layers,
      nTokens,
      nExpertsAct: moe.nExpertsAct,
      nExpertsTot: moe.nExpertsTot,
      topkIds: new Uint16Array(entries),
      topkWeights: new Float32Array(entries),
      margins: new Float32Array(layers.length * nTokens),
    };
  }

  /** An observer for a forward pass whose first token is at `position`. */
  observe(position: number): RoutingObserver {
    return (layer, input, data) => {
      const { nTokens, nExpertsAct, topkIds, topkWeights, margins } = this.#capture;
      const row = (layer - this.#firstMoeLayer) * nTokens + position;
      topkIds.set(input.topkIds, row * nExpertsAct);
      topkWeights.set(input.topkWeights, row * nExpertsAct);
      if (input.margins !== undefined) margins.set(input.margins, row);
      const report = checkRoutingData(input, data, this.#flatIndex, { maxViolations: MAX_VIOLATIONS });
      this.#checked += report.checked;
      this.#broken += report.violationCount;
      const room = MAX_VIOLATIONS - this.#violations.length;
      this.#violations.push(
        ...report.violations.slice(0, room).map((violation) => Object.assign({ layer }, violation)),
      );
    };
  }

  result(): { routing: RoutingCapture; invariants: InvariantCount } {
    return {
      routing: this.#capture,
      invariants: { checked: this.#checked, broken: this.#broken, violations: this.#violations },
    };
  }
}
