import { fileURLToPath } from "node:url";

/** The model that comes with fusecheck. It stands beside the sources in a checkout, and beside `dist` in the package. */
export function defaultModelDir(): string {
  const root = import.meta.url.endsWith(".ts") ? "../" : "../../";
  return fileURLToPath(new URL(`${root}models/abacus-8m`, import.meta.url));
}
