/** Keeps keys out of everything that is shown or kept. */

export type Redact = (text: string) => string;

/** A key longer than this is refused, so that a text cut anywhere can be cleaned by dropping so much of its end. */
export const MAX_SECRET_LENGTH = 4096;

const REDACTED = "[redacted]";

/**
 * Replaces the secrets in text that a server sent or that may quote one: as they are, and as JSON, a URL and base64
 * would write them.
 */
export function redactor(secrets: readonly string[]): Redact {
  const forms = [...new Set(secrets.filter((secret) => secret !== "").flatMap(writings))];
  // The longest first: one writing may begin with another.
  forms.sort((a, b) => b.length - a.length);
  return (text) => forms.reduce((redacted, form) => redacted.replaceAll(form, REDACTED), text);
}

function writings(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const base64 = Buffer.from(secret).toString("base64");
  return [secret, json, json.replaceAll("/", String.raw`\/`), encodeURIComponent(secret), base64];
}
