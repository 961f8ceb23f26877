/** What servers say when something went wrong, in each of the shapes they have for it. */
import { isRecord, member, textMember } from "../json-read.ts";

/**
 * The error that a body carries: `{"error": {"message"}}` (OpenAI, vLLM, llama.cpp), `{"error": text}` (TGI, Ollama),
 * `{"detail": text or list}` (FastAPI), `{"object": "error", "message"}` (SGLang).
 *
 * @returns undefined where the body carries none
 */
export function serverError(body: unknown): string | undefined {
  const error = member(body, "error");
  if (error !== undefined && error !== null) return typeof error === "string" ? error : messageOf(error);
  if (member(body, "object") === "error") return messageOf(body);
  const detail = member(body, "detail");
  if (detail === undefined || detail === null || member(body, "choices") !== undefined) return undefined;
  return typeof detail === "string" ? detail : JSON.stringify(detail);
}

function messageOf(error: unknown): string {
  return textMember(error, "message") ?? (isRecord(error) ? JSON.stringify(error) : String(error));
}
