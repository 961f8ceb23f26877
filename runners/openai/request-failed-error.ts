import { EngineError } from "../../errors.ts";
import type { Failure, FailureKind } from "./failure.ts";

/** A request that ended without an answer, after all the attempts it was allowed. */
export class RequestFailedError extends EngineError {
  override name = "RequestFailedError";
  readonly kind: FailureKind;
  /** Of the last response, where there was one with an error status. */
  readonly status: number | undefined;
  readonly attempts: number;

  /** @param note - what else the user should know */
  constructor(failure: Failure, attempts: number, note?: string) {
    const count = attempts === 1 ? "" : `, after ${attempts} attempts`;
    super(`${failure.message}${count}${note === undefined ? "" : `; ${note}`}`);
    this.kind = failure.kind;
    this.status = failure.status;
    this.attempts = attempts;
  }
}
