/** Free ports on this machine. */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { UserError } from "../../errors.ts";

/**
 * Below what systems give to outgoing connections (from 32768 on Linux, from 49152 on macOS): some engines load a model for
 * minutes before they take their port, and by then one from that range may be some client's.
 */
const FIRST = 20_000;
const LAST = 32_000;
const TRIES = 50;

/** Ports that were given out: a server needs a while to take its own, and two may start side by side. */
const given = new Set<number>();

/** A port that nothing listens on. Another process may take it before the server does. */
export async function freePort(host: string): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(FIRST, LAST);
    if (given.has(port) || !(await isFree(host, port))) continue;
    given.add(port);
    return port;
  }
  throw new UserError(`none of ${TRIES} ports on ${host} is free; give a host of this machine, or a port`);
}

export function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
