/** Two variants of one engine, as users describe them. */
export { refuseLiteralSecrets } from "./literal-secrets.ts";
export { readCheckedYaml } from "./checked-yaml.ts";
export { loadConfig, readSettings, settleFolders } from "./load-config.ts";
export { checkNames, parseConfig } from "./parse-config.ts";
export { checkAgainst } from "./problem.ts";
export type { Checked } from "./problem.ts";
export { resolveBaseline, resolveVariants } from "./resolve-variants.ts";
export { CONFIG_SHAPE } from "./schema.ts";
export type { ResolvedShared, ResolvedVariants, VariantSpec } from "./resolve-variants.ts";
export type { UserConfig } from "./user-config.ts";
export { configFromFlags } from "./flags.ts";
export type { VariantFlags } from "./flags.ts";
