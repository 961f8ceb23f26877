/** Two variants of one engine, as users describe them. */
export { refuseLiteralSecrets } from "./literal-secrets.ts";
export { loadConfig } from "./load-config.ts";
export { parseConfig } from "./parse-config.ts";
export { resolveBaseline, resolveVariants } from "./resolve-variants.ts";
export type { ResolvedShared, ResolvedVariants, VariantSpec } from "./resolve-variants.ts";
export type { UserConfig } from "./user-config.ts";
export { configFromFlags } from "./flags.ts";
export type { VariantFlags } from "./flags.ts";
