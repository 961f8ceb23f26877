/** What every request is answered from. */
import type { EmbeddedEngine } from "../engine/embedded-engine.ts";
import type { ResolvedServerOptions } from "./options.ts";
import type { Vocabulary } from "./vocabulary.ts";

export interface ServerContext {
  readonly engine: EmbeddedEngine;
  readonly vocabulary: Vocabulary;
  readonly options: ResolvedServerOptions;
  /** The model has a chat template that works. */
  readonly canChat: boolean;
  /** Seconds since 1970 at which the model was loaded. */
  readonly created: number;
}
