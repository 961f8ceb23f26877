/**
 * Model output and error messages are hostile text: they may hold Markdown, HTML, table pipes, mentions, line breaks,
 * terminal escapes and characters that turn the reading direction. Nothing of it reaches a report as it is.
 */

/** Characters with no shape of their own: controls, format characters (bidi marks among them), lone surrogates, line ends. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

const SHORT: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

/** The text on one line, invisible characters as escapes (`\n`, `\u{202e}`), cut to `limit` characters with an ellipsis. */
export function visible(text: string, limit = 80): string {
  // Only as many characters as are shown are looked at: a completion may be a megabyte.
  const start = Array.from(text.slice(0, 2 * limit + 2));
  const shown = start
    .slice(0, limit)
    .join("")
    .replace(INVISIBLE, (character) => SHORT.get(character) ?? `\\u{${character.codePointAt(0)!.toString(16)}}`);
  return start.length > limit ? `${shown}…` : shown;
}

/**
 * The text as a Markdown code span, which shows HTML, mentions and links as they are written; its fence is longer than any
 * run of backticks inside. Not for table cells.
 */
export function codeSpan(text: string, limit?: number): string {
  const shown = visible(text, limit);
  if (shown.trim() === "") return shown === "" ? "(empty)" : "(blank)";
  const longest = Math.max(0, ...(shown.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  const padding = shown.startsWith("`") || shown.endsWith("`") ? " " : "";
  return fence + padding + shown + padding + fence;
}

/** A code span for a table cell: there a pipe ends the cell even inside a code span, unless it is escaped. */
export function codeCell(text: string, limit?: number): string {
  return codeSpan(text, limit).replaceAll("|", "\\|");
}

/** The text as Markdown prose: shown as it is written, on one line (an underscore inside a word is no markup). */
export function prose(text: string, limit = 400): string {
  return visible(text, limit).replaceAll(/[\\`*[\]<>|~#@&$]|(?<!\w)_|_(?!\w)/g, String.raw`\$&`);
}
