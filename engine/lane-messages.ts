/** What the engine and its lanes say to each other across threads. */
import type { Completion, CompletionProgress, CompletionRequest, Score, ScoreRequest } from "./requests.ts";
import type { RoutingName } from "./routing/routing.ts";

export interface LaneOptions {
  readonly modelDir: string;
  readonly routing: RoutingName;
  readonly maxSequences: number;
}

export type ToLane =
  | { readonly type: "complete"; readonly id: number; readonly request: CompletionRequest; readonly progress: boolean }
  | { readonly type: "score"; readonly id: number; readonly request: ScoreRequest }
  | { readonly type: "abort"; readonly id: number }
  | { readonly type: "ping"; readonly id: number }
  | { readonly type: "close" };

export type FromLane =
  | { readonly type: "ready" }
  | { readonly type: "cannot load"; readonly message: string; readonly userError: boolean }
  | { readonly type: "progress"; readonly id: number; readonly progress: CompletionProgress }
  | { readonly type: "completed"; readonly id: number; readonly completion: Completion }
  | { readonly type: "scored"; readonly id: number; readonly score: Score }
  | { readonly type: "pong"; readonly id: number }
  | { readonly type: "failed"; readonly id: number; readonly message: string; readonly aborted: boolean };
