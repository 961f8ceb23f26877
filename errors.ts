/** The user asked for something that cannot be done as asked. Printed as one line without a stack; exit code 2. */
export class UserError extends Error {
  override name = "UserError";
}

/** An engine failed to do what it was asked: load, complete, answer. `cause` holds what it said. */
export class EngineError extends Error {
  override name = "EngineError";
}
