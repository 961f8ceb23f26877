/** What the rest of the project may use of the server. */
export { startServer } from "./start-server.ts";
export type { Server } from "./start-server.ts";
export type { ServerOptions } from "./options.ts";
