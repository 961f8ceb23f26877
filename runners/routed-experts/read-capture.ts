/** A server's response to a capture. */
import { CaptureError } from "./capture-result.ts";
import type { CaptureResult } from "./capture-result.ts";
import { checkCapture } from "./check-capture.ts";
import type { ExpectedTokens } from "./check-capture.ts";
import { getForm } from "./forms.ts";
import type { RoutedExpertsForm } from "./forms.ts";
import type { MoeLayout } from "./moe-layout.ts";

export interface ReadCaptureOptions extends ExpectedTokens {
  readonly form: RoutedExpertsForm;
  readonly layout: MoeLayout;
}

/**
 * Reads the routed experts of a response that was parsed from JSON, and decides whether they are a capture.
 *
 * @returns `absent` where the server gave none, `broken` where it gave what cannot be one; never a doubtful capture
 */
export function readCapture(body: unknown, options: ReadCaptureOptions): CaptureResult {
  const { form, layout, promptTokens, completionTokens } = options;
  const { decode } = getForm(form);
  try {
    return checkCapture(decode(body, { promptTokens, completionTokens, layout }), options, layout);
  } catch (error) {
    if (error instanceof CaptureError) return error.result;
    throw error;
  }
}
