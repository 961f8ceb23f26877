/** The embedded engine in both variants: routing data by the reference chain, or by the fused one. */
import { defaultModelDir } from "../engine/default-model-dir.ts";
import { describeEmbedded, openEmbeddedRunner } from "./embedded.ts";
import type { Runner } from "./runner.ts";
import { openTokenDecoder } from "./token-decoder.ts";
import type { TokenDecoder } from "./token-decoder.ts";
import type { EngineIdentity, OpenedVariant, VariantEngines, VariantName } from "./variant-engines.ts";

export interface EmbeddedVariantsOptions {
  /** A checkpoint folder. Default: the model that comes with fusecheck. */
  readonly modelDir?: string | undefined;
  /** Sequences at a time. */
  readonly concurrency: number;
  readonly chat: boolean;
}

export class EmbeddedVariants implements VariantEngines {
  /** Each uses every processor. */
  readonly parallel = false;
  readonly routing = "own";
  readonly outputs = true;
  readonly #options: EmbeddedVariantsOptions;
  readonly #runners = new Map<VariantName, Promise<Runner>>();

  constructor(options: EmbeddedVariantsOptions) {
    this.#options = options;
  }

  identity(): Promise<EngineIdentity> {
    return describeEmbedded(this.#options.modelDir);
  }

  async check(): Promise<void> {
    await this.open("baseline");
  }

  /** @throws UserError when the checkpoint is missing, damaged or of another kind */
  async open(variant: VariantName): Promise<OpenedVariant> {
    const { concurrency, chat, modelDir } = this.#options;
    const opening =
      this.#runners.get(variant) ??
      openEmbeddedRunner({
        routing: variant === "fused" ? "fused" : "reference",
        concurrency,
        chat,
        ...(modelDir === undefined ? {} : { modelDir }),
      });
    this.#runners.set(variant, opening);
    return { runner: await opening, facts: {} };
  }

  /** Both are one checkpoint on one engine. */
  differences(): readonly string[] {
    return [];
  }

  /** What it is made of is part of the run's settings. */
  changes(): readonly string[] {
    return [];
  }

  tokenDecoder(): TokenDecoder | undefined {
    return openTokenDecoder(this.#options.modelDir ?? defaultModelDir());
  }

  async release(variant: VariantName): Promise<void> {
    const opening = this.#runners.get(variant);
    this.#runners.delete(variant);
    const runner = await opening?.catch(() => undefined);
    await runner?.close();
  }

  async close(): Promise<void> {
    for (const variant of this.#runners.keys()) await this.release(variant);
  }
}
