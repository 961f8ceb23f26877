/** Quotes the start of what a server sent. */
import { MAX_SECRET_LENGTH } from "./secrets.ts";
import type { Redact } from "./secrets.ts";
import { serverError } from "./server-errors.ts";

const QUOTED_CHARACTERS = 300;

/** What is read of an error's body. */
export const READ_CHARACTERS = 65_536;

/**
 * The error that the text states, else its start, on one line and without secrets.
 *
 * @param text - when it is as long as `READ_CHARACTERS` or longer, it may end inside a secret, so its end is dropped
 */
export function excerpt(text: string, redact: Redact): string {
  const whole = text.length < READ_CHARACTERS ? text : text.slice(0, READ_CHARACTERS - 4 * MAX_SECRET_LENGTH);
  const clean = redact(statedError(whole) ?? whole)
    .replaceAll(/\s+/g, " ")
    .trim();
  if (clean === "") return "(empty body)";
  return clean.length <= QUOTED_CHARACTERS ? clean : `${clean.slice(0, QUOTED_CHARACTERS)}...`;
}

function statedError(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text);
    // Written anew, so that no escape hides a secret.
    return serverError(body) ?? JSON.stringify(body);
  } catch {
    return undefined;
  }
}
