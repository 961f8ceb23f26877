/** The hashes of lm-eval's samples files: SHA-256 of UTF-8 text, in lower-case hexadecimal. */
import { createHash } from "node:crypto";
import type { Doc } from "./doc.ts";

export function sha256OfText(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

/** Over all of the doc's columns in their order, as JSON with an indent of two. */
export function hashDoc(doc: Doc): string {
  return sha256OfText(JSON.stringify(doc, null, 2));
}
