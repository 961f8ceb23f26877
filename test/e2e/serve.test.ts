import { describe, expect, it } from "vitest";
import { run, start, until } from "./program.ts";
import type { RunningProgram } from "./program.ts";

const ARGS = ["serve", "--port", "0", "--concurrency", "2", "--max-queue", "2"];
/** Seconds of work. */
const LONG = { prompt: "Question:", max_tokens: 1900, temperature: 0, ignore_eos: true };

interface Serving extends RunningProgram {
  readonly url: string;
  readonly ready: string;
}

/** As a launcher would: waits for the first line. */
async function serve(args: readonly string[] = []): Promise<Serving> {
  const program = start([...ARGS, ...args]);
  let stdout = "";
  program.child.stdout?.on("data", (text: string) => (stdout += text));
  await until(() => stdout.includes("\n"));
  const [, url = ""] = /^ready (http:\/\/\S+\/v1) /.exec(stdout) ?? [];
  return { ...program, url, ready: stdout };
}

function post(url: string, body: object): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(`${url}/completions`, { method: "POST", headers, body: JSON.stringify(body) });
}

function isGone(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return false;
  } catch {
    return true;
  }
}

describe("serve", () => {
  it("says in one line where it is ready, answers, and ends with 0 at Ctrl-C", async () => {
    const { url, ready, child, ended } = await serve(["--fused", "--served-model-name", "m"]);
    expect(ready).toMatch(/^ready http:\/\/127\.0\.0\.1:\d+\/v1 model=m routing=fused\n$/);
    const response = await post(url, { prompt: "Question:", max_tokens: 3, model: "m" });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ usage: { completion_tokens: 3 } });
    child.kill("SIGINT");
    expect(await ended).toEqual({ code: 0, signal: null, stdout: ready, stderr: "" });
    expect(isGone(child.pid as number)).toBe(true);
  });

  it("finishes what runs after SIGTERM", async () => {
    const { url, child, ended } = await serve();
    const answer = post(url, { ...LONG, max_tokens: 200 });
    await expect.poll(() => busy(url), { timeout: 60_000 }).toBe(true);
    child.kill("SIGTERM");
    expect(await (await answer).json()).toMatchObject({ usage: { completion_tokens: 200 } });
    const { code, stderr } = await ended;
    expect([code, stderr]).toEqual([0, "fusecheck: stopping; 1 to finish (Ctrl-C again drops them)\n"]);
    expect(isGone(child.pid as number)).toBe(true);
  });

  it("drops what runs at the second Ctrl-C, and ends with 130", async () => {
    const { url, child, ended } = await serve();
    const answer = post(url, LONG).catch((error: unknown) => error);
    await expect.poll(() => busy(url), { timeout: 60_000 }).toBe(true);
    child.kill("SIGINT");
    let stderr = "";
    child.stderr?.on("data", (text: string) => (stderr += text));
    await until(() => stderr.includes("stopping"));
    child.kill("SIGINT");
    expect((await ended).code).toBe(130);
    expect(await answer).toMatchObject({ status: 503 });
    expect(isGone(child.pid as number)).toBe(true);
  });

  it.each([
    [["--port", "65536"], /^fusecheck: --port must be a whole number from 0 to 65535, not "65536"\n$/],
    [
      ["--enable-return-routed-experts", "atom"],
      /^fusecheck: --enable-return-routed-experts is sglang or vllm, not "atom"\n$/,
    ],
    [["--model", "/nowhere"], /^fusecheck: cannot read \/nowhere\/config\.json: [^\n]+\n$/],
    [["--host", "203.0.113.1"], /^fusecheck: cannot listen on 203\.0\.113\.1 port \d+: [^\n]+correct --host\n$/],
  ])("%j is the user's to change", async (args, message) => {
    const { code, stdout, stderr } = await run(["serve", ...args]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
  });
});

/** Something runs: a request for more than the queue holds besides is refused. */
async function busy(url: string): Promise<boolean> {
  const response = await post(url, { prompt: Array<string>(4).fill("a"), max_tokens: 1 });
  await response.text();
  return response.status === 503;
}
