import { createRequire } from "node:module";

/** As `package.json` has it, found by the package's own name: an import would put a copy into `dist`, a second package. */
const { version } = createRequire(import.meta.url)("fusecheck/package.json") as { readonly version: string };

/** fusecheck's own. */
export const VERSION: string = version;
