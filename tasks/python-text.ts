/** Where lm-eval's numbers hang on how Python treats text. */

/** What `str.strip()` takes off: JavaScript's `trim` keeps U+001C to U+001F and U+0085, and takes off U+FEFF. */
const WHITESPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const LEADING = new RegExp(`^[${WHITESPACE}]+`);
const BLANK = new RegExp(`^[${WHITESPACE}]$`);

/** Python's `str.strip()`. */
export function strip(text: string): string {
  const started = text.replace(LEADING, "");
  // Searched for from the end: `[...]+$` would go back over every run of blanks inside the text.
  let end = started.length;
  while (end > 0 && BLANK.test(started[end - 1]!)) end--;
  return started.slice(0, end);
}

/** Python's `json.dumps(messages, ensure_ascii=False)`: a space after each colon and comma. */
export function dumpMessages(messages: readonly { readonly role: string; readonly content: string }[]): string {
  const objects = messages.map(
    ({ role, content }) => `{"role": ${JSON.stringify(role)}, "content": ${JSON.stringify(content)}}`,
  );
  return `[${objects.join(", ")}]`;
}
