/** Defaults that the command line shows in its help, which loads nothing heavier than this. */

/** lm-eval's default for tasks that state none; none of the GSM8K family does. */
export const DEFAULT_MAX_TOKENS: number = 256;

/** Enough that two lanes decode 32 sequences each: fewer leave each step's fixed cost on fewer tokens. */
export const DEFAULT_CONCURRENCY: number = 64;

/**
 * Routing is compared on a spot check of this many docs: some tens of thousands of routing decisions, which takes a
 * fraction of the time that the answers take.
 */
export const DEFAULT_PARITY_DOCS: number = 32;

/** The spot check: some thousands of tokens, in seconds. */
export const DEFAULT_CAPTURED_DOCS: number = 5;

/** The loss that is taken for none, in points: about what one pays attention to in a table of GSM8K. */
export const DEFAULT_MARGIN_POINTS: number = 1;
