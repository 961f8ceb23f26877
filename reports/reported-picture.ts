/** What is shown of the routing (`metrics/routing-picture.ts`), with the worst tokens as text. Plain JSON of bounded size. */
import type { RoutingPicture } from "../metrics/routing-picture.ts";
import type { WorstToken } from "../metrics/worst-tokens.ts";

export interface ReportedPicture extends Omit<RoutingPicture, "worst"> {
  readonly worst: readonly ReportedToken[];
}

export interface ReportedToken extends WorstToken {
  /** Null where the captures do not say which token it is. */
  readonly token: TokenInContext | null;
}

/** A token, and what stands around it. Texts are model output or a dataset's: hostile. */
export interface TokenInContext {
  readonly id: number;
  /** The ids of a few tokens before and after it. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** The same as text, where the model's tokenizer is at hand. */
  readonly text?: { readonly before: string; readonly token: string; readonly after: string };
  /** Else, what stands at about this place of the text: by its share of the tokens, so some words off. */
  readonly near?: string;
  /** Where in the doc: token `index` (from 0) of `of`. */
  readonly part?: { readonly name: "prompt" | "answer"; readonly index: number; readonly of: number };
}
