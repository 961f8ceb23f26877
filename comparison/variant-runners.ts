/** The engines of a run, one per variant, opened when first needed and closed together. */
import { openEmbeddedRunner } from "../runners/embedded.ts";
import type { Runner } from "../runners/runner.ts";
import type { ResolvedSettings, VariantName } from "./settings.ts";

export class VariantRunners {
  readonly #settings: ResolvedSettings;
  readonly #runners = new Map<VariantName, Promise<Runner>>();

  constructor(settings: ResolvedSettings) {
    this.#settings = settings;
  }

  /** @throws UserError when the engine's checkpoint is missing, damaged or of another kind */
  get(variant: VariantName): Promise<Runner> {
    const { concurrency, chat, modelDir } = this.#settings;
    const opening =
      this.#runners.get(variant) ??
      openEmbeddedRunner({
        routing: variant === "fused" ? "fused" : "reference",
        concurrency,
        chat,
        ...(modelDir === undefined ? {} : { modelDir }),
      });
    this.#runners.set(variant, opening);
    return opening;
  }

  async close(): Promise<void> {
    for (const opening of this.#runners.values()) {
      const runner = await opening.catch(() => undefined);
      await runner?.close();
    }
  }
}
