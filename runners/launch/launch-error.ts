import { EngineError } from "../../errors.ts";

/** A server that was started did not come up: it died, or was not ready in time. The message ends with its log's last lines. */
export class LaunchError extends EngineError {
  override name = "LaunchError";
  /** Of the server. */
  readonly logFile: string;

  constructor(message: string, logFile: string, options?: ErrorOptions) {
    super(message, options);
    this.logFile = logFile;
  }
}
