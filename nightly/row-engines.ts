/** The engines of a row. */
import type { ResolvedSettings } from "../comparison/settings.ts";
import { resolveBaseline, resolveVariants } from "../runners/config/index.ts";
import { EmbeddedVariants } from "../runners/embedded-variants.ts";
import { readMoeLayout } from "../runners/routed-experts/index.ts";
import { ServerVariants } from "../runners/server-variants.ts";
import type { VariantEngines } from "../runners/variant-engines.ts";
import type { NightlyRow } from "./config.ts";

/** @throws UserError for engines that cannot be asked so */
export function enginesOf(row: NightlyRow): (settings: ResolvedSettings) => VariantEngines {
  if (row.embedded) {
    return ({ concurrency, chat }) => new EmbeddedVariants({ modelDir: row.model, concurrency, chat });
  }
  const { baseline, ...rest } = row.fused ? resolveVariants(row) : resolveBaseline(row);
  const ask = {
    stream: row.stream ?? false,
    ignoreEos: row.ignore_eos ?? false,
    extraBody: row.extra_body ?? {},
    ...(row.capture !== undefined && { tokenIds: true, captures: { layout: readMoeLayout(row.capture) } }),
  };
  return () =>
    new ServerVariants({ shared: rest, ...rest, baseline, ask, allowDifferences: row.allow_differences ?? false });
}
