/** Free ports on this machine. */
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { EngineError } from "../../errors.ts";

/** Ports that were given out: a server needs a while to take its own, and two may start side by side. */
const given = new Set<number>();

/** A port that nothing listens on. Another process may take it before the server does. */
export async function freePort(host: string): Promise<number> {
  // The system gives them out in some order of its own, and seldom the same twice.
  for (let tries = 0; tries < 20; tries++) {
    const port = await listenOnce(host, 0);
    if (port === undefined || given.has(port)) continue;
    given.add(port);
    return port;
  }
  throw new EngineError(`no free port on ${host}`);
}

export async function isFree(host: string, port: number): Promise<boolean> {
  return (await listenOnce(host, port)) !== undefined;
}

function listenOnce(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ host, port, exclusive: true }, () => {
      const { port: taken } = server.address() as AddressInfo;
      server.close(() => resolve(taken));
    });
  });
}
