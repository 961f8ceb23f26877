/** Puts an answer together from a stream of server-sent events. */
import { createParser } from "eventsource-parser";
import type { EventSourceParser } from "eventsource-parser";
import { firstChoice, readPiece, readUsage } from "./completion.ts";
import type { Completion, Piece, Usage } from "./completion.ts";
import { transient } from "./failure.ts";
import type { AttemptError } from "./failure.ts";
import type { Redact } from "./secrets.ts";
import { excerpt } from "./excerpt.ts";
import { serverError } from "./server-errors.ts";

export class CompletionStream {
  readonly #parser: EventSourceParser;
  readonly #redact: Redact;
  #failure: AttemptError | undefined;
  #done = false;
  #events = 0;
  #work = 0;
  /** The first character of the line that is not at its end yet; empty between two lines. */
  #line = "";
  #choices = 0;
  #text: string | undefined;
  #reasoning: string | undefined;
  #finishReason: string | undefined;
  #tokenIds: number[] | undefined;
  #logprobs: number[] | undefined;
  #usage: Usage | undefined;

  /** @param maxCharacters - most that an event may have */
  constructor(maxCharacters: number, redact: Redact) {
    this.#redact = redact;
    this.#parser = createParser({
      maxBufferSize: maxCharacters,
      onEvent: ({ data }) => this.#take(data),
      onError: (error) => {
        if (error.type === "max-buffer-size-exceeded")
          this.#failure ??= transient("too-large", "an event of the stream is too large");
        // Older llama.cpp sends its errors as a field of their own.
        if (error.type === "unknown-field" && error.field === "error")
          this.#fail("server-error", `the stream carries an error: ${excerpt(error.value ?? "", redact)}`);
      },
    });
  }

  /** `[DONE]` has come. */
  get done(): boolean {
    return this.#done;
  }

  /**
   * Signs so far that the model works: events with a token, and pieces of an event that is still coming. Comments (pings)
   * and events without a token (a role, an empty text) are none.
   */
  get work(): number {
    return this.#work;
  }

  get hasText(): boolean {
    return (this.#text ?? "") !== "" || this.#reasoning !== undefined;
  }

  /** @throws AttemptError at the first thing that is wrong */
  feed(text: string): void {
    this.#parser.feed(text);
    if (this.#failure !== undefined) throw this.#failure;
    const end = Math.max(text.lastIndexOf("\n"), text.lastIndexOf("\r"));
    if (end >= 0) this.#line = "";
    if (this.#line === "") this.#line = text.charAt(end + 1);
    if (this.#line !== "" && this.#line !== COMMENT && end + 1 < text.length) this.#work++;
  }

  /** @throws AttemptError when the stream ended before the answer did */
  end(): Completion {
    // Ends a line that a lone carriage return ended.
    this.feed("\n");
    if (this.#finishReason === undefined && !this.#done)
      throw transient("cut", `the stream ended before the answer did, after ${this.#events} events`);
    if (this.#choices === 0) throw transient("no-choices", "the stream has no choice");
    return {
      text: this.#text,
      reasoning: this.#reasoning,
      finishReason: this.#finishReason,
      tokenIds: this.#tokenIds,
      logprobs: this.#logprobs,
      usage: this.#usage,
    };
  }

  #take(data: string): void {
    if (this.#failure !== undefined || this.#done) return;
    this.#events++;
    if (data.trim() === "[DONE]") {
      this.#done = true;
      return;
    }
    let body: unknown;
    try {
      body = JSON.parse(data);
    } catch {
      this.#fail("malformed", `the stream has an event that is not JSON: ${excerpt(data, this.#redact)}`);
      return;
    }
    const error = serverError(body);
    if (error !== undefined) {
      this.#fail("server-error", `the stream carries an error: ${excerpt(error, this.#redact)}`);
      return;
    }
    // The last usage is the whole answer's; it may come with a choice or after all of them.
    const usage = readUsage(body);
    const more = (usage?.completionTokens ?? 0) > (this.#usage?.completionTokens ?? 0);
    this.#usage = usage ?? this.#usage;
    if (more) this.#work++;
    const choice = firstChoice(body);
    if (choice === undefined) return;
    this.#choices++;
    const piece = readPiece(choice);
    if (hasToken(piece)) this.#work++;
    if (piece.text !== undefined) this.#text = (this.#text ?? "") + piece.text;
    if (piece.reasoning !== undefined) this.#reasoning = (this.#reasoning ?? "") + piece.reasoning;
    // The first: ATOM ends every stream with one more event, whose reason is "stop".
    this.#finishReason ??= piece.finishReason;
    for (const id of piece.tokenIds ?? []) (this.#tokenIds ??= []).push(id);
    for (const logprob of piece.logprobs ?? []) (this.#logprobs ??= []).push(logprob);
  }

  #fail(kind: "malformed" | "server-error", message: string): void {
    this.#failure ??= transient(kind, message);
  }
}

/** How a line that clients are to skip begins. */
const COMMENT = ":";

function hasToken({ text, reasoning, finishReason, tokenIds, logprobs }: Piece): boolean {
  const lists = (tokenIds?.length ?? 0) + (logprobs?.length ?? 0);
  return lists > 0 || finishReason !== undefined || reasoning !== undefined || (text ?? "") !== "";
}
