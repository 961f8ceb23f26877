/** The built `fusecheck serve` in processes of its own, what stands between it and its clients, and what is left of it. */
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll } from "vitest";
import { start, until } from "./program.ts";

/** Hooks can be registered while a file is read only, so that what starts in a hook or a test is kept here. */
const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Waits until it is ready; ends after the file's tests. */
export async function serve(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { child, ended } = start(["serve", "--port", "0", ...args], { env });
  let stdout = "";
  child.stdout?.on("data", (text: string) => (stdout += text));
  ends.push(() => {
    child.kill("SIGKILL");
    return ended;
  });
  await until(() => stdout.includes("\n") || child.exitCode !== null);
  const [, url] = /^ready (http:\/\/\S+\/v1) /.exec(stdout) ?? [];
  if (url === undefined) throw new Error(`serve did not start: ${(await ended).stderr}`);
  return url;
}

/**
 * A proxy on loopback that changes what the server answers to prompts. Ends after the file's tests.
 *
 * @param ask - changes what is asked, or gives the status with which it is refused
 */
export async function proxy(
  target: string,
  change: (body: AnswerBody, n: number) => void,
  ask: (body: Record<string, unknown>) => number | void = () => {},
): Promise<string> {
  const { origin } = new URL(target);
  let n = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "GET", url = "/", headers } = request;
      const type = headers["content-type"];
      const asked = method === "POST" ? (JSON.parse(String(Buffer.concat(chunks))) as Record<string, unknown>) : {};
      const refused = method === "POST" && ask(asked);
      if (typeof refused === "number") {
        const error = { message: "this server does not do that", type: "invalid_request_error" };
        response.writeHead(refused, { "content-type": "application/json" }).end(JSON.stringify({ error }));
        return;
      }
      const init = method === "POST" ? { body: JSON.stringify(asked) } : {};
      fetch(`${origin}${url}`, { method, ...init, headers: type === undefined ? {} : { "content-type": type } })
        .then(async (answer) => {
          const body = (await answer.json()) as AnswerBody;
          if (method === "POST") change(body, n++);
          response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(body));
        })
        .catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

export interface AnswerBody {
  readonly choices: readonly { routed_experts?: string; readonly [name: string]: unknown }[];
  sglext?: { routed_experts: string };
}

/** Every expert's id becomes 0, in a payload that is otherwise as it was. */
export function zeroed(payload: string, form: "vllm" | "sglang"): string {
  const bytes = Buffer.from(payload, "base64");
  return bytes.fill(0, form === "vllm" ? 10 + bytes.readUInt16LE(8) : 0).toString("base64");
}

/** Command lines of all processes that are not zombies, with their ids. */
export function processes(): { readonly pid: number; readonly command: string }[] {
  const lines = execFileSync("ps", ["-A", "-ww", "-o", "pid=,stat=,args="], { encoding: "utf8" }).split("\n");
  return lines.flatMap((line) => {
    const [, pid, state = "", command = ""] = /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    return pid === undefined || state.startsWith("Z") ? [] : [{ pid: Number(pid), command }];
  });
}

/** Servers that were launched under this name. */
export function launched(name: string): number[] {
  const servers = processes().filter(({ command }) => command.includes(name) && /serve --port \d+/.test(command));
  return servers.map(({ pid }) => pid);
}
