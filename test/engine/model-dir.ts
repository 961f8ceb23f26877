/** The checkpoint that comes with fusecheck, and what Transformers says of it. */
import { fileURLToPath } from "node:url";

export const MODEL_DIR: string = fileURLToPath(new URL("../../models/abacus-8m", import.meta.url));
export const FIXTURES: URL = new URL("../fixtures/abacus-8m/", import.meta.url);
