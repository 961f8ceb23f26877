/** What a server is started with where its user does not say. A light file: the command line's help shows them. */
export const DEFAULT_HOST = "127.0.0.1";
/** As vLLM's. */
export const DEFAULT_PORT = 8000;
export const DEFAULT_CONCURRENCY = 32;
export const DEFAULT_MAX_QUEUE = 512;
