/**
 * Guards for every test file: a stray console call, or a connection that leaves this machine, is an error.
 * Tests that run the CLI do so in a child process, which these guards do not reach.
 */
import { beforeAll } from "vitest";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

beforeAll(() => {
  for (const method of ["log", "info", "warn", "error", "debug"] as const) {
    console[method] = (...args: unknown[]) => {
      throw new Error(`console.${method} was called in a test: ${args.map(String).join(" ")}`);
    };
  }
  const realFetch = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (!LOOPBACK.has(url.hostname)) throw new Error(`a test tried to reach ${url.hostname}`);
    return realFetch(input, init);
  };
});
