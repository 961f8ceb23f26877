/** What captures are asked with. */
import { UserError } from "../../errors.ts";
import { FORMS, getForm } from "../routed-experts/forms.ts";
import type { RoutedExpertsForm, RoutedExpertsFormRow } from "../routed-experts/forms.ts";
import type { MoeLayout } from "../routed-experts/moe-layout.ts";
import type { Dialect } from "./dialects.ts";

export interface CaptureSettings {
  /** Of the model that is served; from its `config.json` by `readMoeLayout`. */
  readonly layout: MoeLayout;
  /** Default: the dialect's. */
  readonly form?: RoutedExpertsForm;
  /** Default: 128 MiB, which holds 32,000 tokens of the largest models there are. */
  readonly maxResponseBytes?: number;
}

export interface CaptureSetup {
  readonly layout: MoeLayout;
  readonly form: RoutedExpertsForm;
  readonly fields: RoutedExpertsFormRow["fields"];
  readonly maxResponseBytes: number;
}

/** @throws UserError where the engine gives no routed experts */
export function resolveCaptures(settings: CaptureSettings, dialect: Dialect): CaptureSetup {
  const form = settings.form ?? dialect.routedExperts;
  if (form === undefined) {
    const forms = Object.keys(FORMS).join(", ");
    throw new UserError(
      `this engine's dialect gives no routed experts; leave captures out, or name the form they come in: ${forms}`,
    );
  }
  const { layout, maxResponseBytes = 128 * 1024 ** 2 } = settings;
  return { layout, form, fields: getForm(form).fields, maxResponseBytes };
}
