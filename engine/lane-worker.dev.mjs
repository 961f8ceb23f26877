// Thread entry when running from the sources: a new thread does not inherit the TypeScript loader of its parent.
import { register } from "tsx/esm/api";

register();
await import("./lane-worker.ts");
