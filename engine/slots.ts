/** The caches of a lane's sequences, as many as may run at a time, and what of them can be shared. */
import type { ModelConfig } from "./config.ts";
import { KvCache } from "./kv-cache.ts";
import { MIN_SHARED_PREFIX, sharedPrefix } from "./prompt-stretches.ts";

export interface Slot {
  readonly cache: KvCache;
  /** What the cache begins with and may be shared: tokens that were not computed one by one. */
  prompt: readonly number[];
  busy: boolean;
  lastUse: number;
}

export class Slots {
  readonly #config: ModelConfig;
  readonly #most: number;
  readonly #slots: Slot[] = [];
  #clock = 0;

  constructor(config: ModelConfig, most: number) {
    this.#config = config;
    this.#most = most;
  }

  /** A free slot whose cache holds as much of the prompt as any slot's does, or none of it where it may not `share`. */
  claim(prompt: readonly number[], share: boolean): { slot: Slot; shared: number } {
    const prefixes = this.#slots.map((slot) => ({ slot, length: sharedPrefix(slot.prompt, prompt) }));
    const best = prefixes.reduce((a, b) => (b.length > a.length ? b : a), {
      slot: undefined as Slot | undefined,
      length: 0,
    });
    const shared = share && best.length >= MIN_SHARED_PREFIX ? best.length : 0;
    const own = best.slot !== undefined && !best.slot.busy && shared > 0 ? best.slot : undefined;
    const slot = own ?? this.#free();
    if (shared > 0 && slot !== best.slot) slot.cache.copyPrefix((best.slot as Slot).cache, shared);
    slot.cache.length = shared;
    slot.prompt = prompt.slice(0, shared);
    slot.busy = true;
    this.#clock += 1;
    slot.lastUse = this.#clock;
    return { slot, shared };
  }

  #free(): Slot {
    const free = this.#slots.filter((slot) => !slot.busy);
    if (this.#slots.length < this.#most) {
      const cache = new KvCache(this.#config, this.#config.contextLength);
      const slot = { cache, prompt: [], busy: false, lastUse: 0 };
      this.#slots.push(slot);
      return slot;
    }
    return free.reduce((a, b) => (b.lastUse < a.lastUse ? b : a));
  }
}
