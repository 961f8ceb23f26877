import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { UserError } from "../../../errors.ts";
import { LaunchError, launchServer } from "../../../runners/launch/index.ts";
import type { LaunchProgress, ServerSpec } from "../../../runners/launch/index.ts";
import { EngineLostError } from "../../../runners/runner.ts";
import { fakeServer, isAlive, launch, rejection, temporaryFolder, until } from "./launching.ts";

describe("a server that comes up", () => {
  it("has a free port, a process of its own, a log, and says what it is", async () => {
    const identify = [
      { path: "/version", fields: ["version", "absent"] },
      { path: "/no-such-page", fields: ["version"] },
    ];
    const { launching, logFile, pids } = launch([], { identify });
    const server = await launching;
    expect(server.baseUrl).toBe(`http://127.0.0.1:${server.port}/v1`);
    expect(server.pid).toBe(pids()[0]);
    expect(server.facts).toEqual({ version: "1.2.3" });
    expect(server.argv).toContain(String(server.port));
    expect(readFileSync(logFile, "utf8")).toContain(`listening on ${server.port}`);
    expect(statSync(logFile).mode & 0o077).toBe(0);
    const models = (await (await fetch(`${server.baseUrl}/models`)).json()) as { data: unknown[] };
    expect(models.data).toHaveLength(1);
  });

  it("is gone after stop, which can be called again", async () => {
    const { launching, pids } = launch(["--grandchildren", "2"]);
    const server = await launching;
    expect(pids().map(isAlive)).toEqual([true, true, true]);
    const [first, second] = await Promise.all([server.stop(), server.stop()]);
    expect(first).toBe(second);
    expect(first.left).toEqual([]);
    expect(new Set(first.pids)).toEqual(new Set(pids()));
    expect(pids().map(isAlive)).toEqual([false, false, false]);
    expect(await server.stop()).toBe(first);
  });

  it("is waited for until it completes a token, not only until its health is good", async () => {
    const seen: LaunchProgress[] = [];
    const onProgress = (progress: LaunchProgress): void => void seen.push(progress);
    await launch(["--start-ms", "600", "--ready-ms", "1200"], {}, { onProgress }).launching;
    const phases = seen.map(({ phase }) => phase);
    expect([...new Set(phases)]).toEqual(["starting", "health", "first-token", "ready"]);
    expect(seen.find(({ phase }) => phase === "health")?.detail).toBe("/health: no connection (ECONNREFUSED)");
    expect(seen.map(({ detail }) => detail).join("\n")).toContain("HTTP 503: still compiling");
    expect(seen.at(-1)?.logLine).toMatch(/^listening on \d+$/);
  });

  it("gets its words, environment and folder as they are written", async () => {
    const cwd = join(temporaryFolder(), "a check-out");
    mkdirSync(cwd);
    const env = { FUSED: "1 'quoted' {port}", HOME: null };
    const line = `"${process.execPath}" '${fakeServer()[1]}' --port={port} --model "{model}"`;
    const { launching, logFile } = launch([], { command: line, env, cwd, model: "an org/a model" });
    const server = await launching;
    expect(server.argv.slice(2)).toEqual([`--port=${server.port}`, "--model", "an org/a model"]);
    expect(readFileSync(logFile, "utf8")).toContain(`env FUSED=1 'quoted' ${server.port} cwd=`);
    expect(readFileSync(logFile, "utf8")).toContain("a check-out");
  });

  it("can be started by a shell, where the user says so", async () => {
    const command = `A=7; FUSED=$A$((1+1)) "${process.execPath}" ${fakeServer()[1]} --port {port} --model {model} 2>&1 | cat`;
    const { launching, logFile } = launch([], { command, shell: true, model: "it's $A model" });
    await (await launching).stop();
    expect(readFileSync(logFile, "utf8")).toContain("env FUSED=72 ");
  });

  it("runs beside another of its kind", async () => {
    const servers = await Promise.all([launch([]).launching, launch([]).launching, launch([]).launching]);
    expect(new Set(servers.map(({ port }) => port)).size).toBe(3);
    expect(new Set(servers.map(({ pid }) => pid)).size).toBe(3);
  });
});

describe("a server that does not come up", () => {
  it("is known to have died at once, with the last lines of its log", async () => {
    const { launching, logFile } = launch(["--die", "\u001B[31mRuntimeError: out of memory\u001B[0m"]);
    const error = await rejection(launching);
    expect(error).toBeInstanceOf(LaunchError);
    expect(error.message).toBe(
      `the server died while it started (exit code 7); the last lines of its log (${logFile}):\n` +
        `  env FUSED=unset cwd=${process.cwd()}\n  RuntimeError: out of memory`,
    );
  });

  it("shows no secret that its log holds", async () => {
    const key = "hf_abcdefghijklmnop";
    const { launching } = launch(["--die", `login with ${key} failed`], { env: { HF_TOKEN: key } });
    const { message } = await rejection(launching);
    expect(message).toContain("login with [redacted] failed");
    expect(message).not.toContain(key);
  });

  it("is ended with all its children when it is not ready in time", async () => {
    const { launching, pids } = launch(["--ready-ms", "600000", "--grandchildren", "1"], { startupMs: 4000 });
    const { message } = await rejection(launching);
    expect(message).toMatch(/^the server was not ready within 4 s \(.+\); the last lines of its log /);
    expect(pids().map(isAlive)).toEqual([false, false]);
  });

  it("is ended when it refuses to complete", async () => {
    const { launching, pids } = launch(["--refuse"]);
    const { message } = await rejection(launching);
    expect(message).toMatch(/^the server is up but completes nothing: .*HTTP 400: this model cannot complete; /);
    expect(pids().map(isAlive)).toEqual([false]);
  });

  it("is ended when its model is another than the one that was asked for", async () => {
    const { launching } = launch([], {}, { ask: { env: {}, model: "org/model-9m" } });
    const { message } = await rejection(launching);
    expect(message).toContain('has no model "org/model-9m" (did you mean "org/model-8m"?); it has: org/model-8m');
  });

  it("is ended when the run is interrupted", async () => {
    const controller = new AbortController();
    const { launching, pids } = launch(
      ["--ready-ms", "600000", "--grandchildren", "1"],
      {},
      { signal: controller.signal },
    );
    await until(() => pids().length === 2);
    controller.abort(new Error("interrupted"));
    expect(await rejection(launching)).toBe(controller.signal.reason);
    expect(pids().map(isAlive)).toEqual([false, false]);
  });

  it("says so when its command leaves it in the background", async () => {
    const { message } = await rejection(launch([], { command: "sleep 60 & echo {port}", shell: true }).launching);
    expect(message).toContain("(exit code 0): its command has to stay in the foreground");
  });
});

describe("a port", () => {
  it("that another process was quicker to take is replaced by another", async () => {
    const { launching, logFile } = launch(["--take-port-first", join(temporaryFolder(), "taken")]);
    const server = await launching;
    const ports = [...readFileSync(logFile, "utf8").matchAll(/starting on port (\d+)/g)].map(([, port]) => port);
    expect(ports).toHaveLength(2);
    expect(ports[0]).not.toBe(ports[1]);
    expect(ports[1]).toBe(String(server.port));
  });

  it("that is always taken ends the launch in the end", async () => {
    const { launching, logFile } = launch(["--die", "bind: address already in use"]);
    expect((await rejection(launching)).message).toMatch(/^another process took port \d+ before the server did; /);
    expect(readFileSync(logFile, "utf8").match(/starting on port/g)).toHaveLength(3);
  });

  it("that the user chose is not left for another, nor shared", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const error = await rejection(launch([], { port }).launching);
    expect([error.name, error.message]).toEqual([
      "UserError",
      `port ${port} is in use; stop what listens there, or leave the port to fusecheck`,
    ]);
  });
});

describe("a server that will not end", () => {
  it("is killed after its grace, with its children", async () => {
    const { launching, pids, logFile } = launch(["--ignore-term", "--grandchildren", "2"], { graceMs: 300 });
    const server = await launching;
    const { left } = await server.stop();
    expect(left).toEqual([]);
    expect(pids().map(isAlive)).toEqual([false, false, false]);
    expect(readFileSync(logFile, "utf8")).toContain("SIGTERM? no");
  });

  it("is ended without any other process: not even one that it could be taken for", async () => {
    const bystander = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    onTestFinished(() => void bystander.kill("SIGKILL"));
    await (await launch(["--ignore-term"], { graceMs: 100 }).launching).stop();
    expect(isAlive(bystander.pid as number)).toBe(true);
  });
});

describe("a server that dies in the middle of a run", () => {
  it("is known to be lost, and takes its children with it", async () => {
    const { launching, pids } = launch(["--die-at", "2", "--grandchildren", "2"]);
    const { died, baseUrl } = await launching;
    await rejection(fetch(`${baseUrl}/completions`, { method: "POST" }));
    const error = await died;
    expect(error).toBeInstanceOf(EngineLostError);
    expect(error.message).toMatch(/^the server died \(exit code 9\); .*Memory access fault by GPU$/s);
    await until(() => !pids().some(isAlive));
    expect(pids()).toHaveLength(3);
  });

  it("by a signal too", async () => {
    const server = await launch([]).launching;
    process.kill(server.pid, "SIGKILL");
    expect((await server.died).message).toMatch(/^the server died \(SIGKILL\); /);
  });

  it("but one that was stopped has not died", async () => {
    const server = await launch([]).launching;
    await server.stop();
    const first = await Promise.race([server.died, new Promise((resolve) => setTimeout(resolve, 200, "stopped"))]);
    expect(first).toBe("stopped");
  });
});

describe("what cannot be started as asked", () => {
  const cases: readonly (readonly [ServerSpec, string])[] = [
    [
      { command: "no-such-engine serve --port {port}" },
      'cannot start "no-such-engine": there is no such program; install it, or correct the launch command',
    ],
    [
      { command: "vllm serve m" },
      "the launch command has no {port}; put {port} where the server's port goes, or give its port",
    ],
    [{ command: "serve {model} --port {port}" }, "the launch command asks for {model}; give --model"],
    [{ command: "true {port}", cwd: "/no/such" }, "the server's working directory is not a folder: /no/such"],
    [{ command: "", port: 1 }, "the launch command is empty"],
    [{ command: "A=1 serve --port {port}" }, "the launch command begins with a variable, A; put it under env instead"],
    [
      { command: "serve 'm --port {port}" },
      "the launch command has a quote that is never closed: serve 'm --port {port}",
    ],
  ];
  it.each(cases)("%j", async (spec, message) => {
    const error = await rejection(launchServer(spec, { logFile: join(temporaryFolder(), "log"), ask: { env: {} } }));
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toBe(message);
  });

  it.each([
    ["cd x && serve {port}", "&&"],
    ["serve {port} | tee log", "|"],
    ["serve {port}; true", "{port};"],
    ["serve $MODEL {port}", "$MODEL"],
    ["serve ~/model {port}", "~/model"],
    ["serve {port} > log", ">"],
    ["serve {port} 2>&1", "2>&1"],
  ])("%s, without a shell", async (command, word) => {
    const error = await rejection(launchServer({ command }, { logFile: join(temporaryFolder(), "log") }));
    expect(error.message).toBe(
      `the launch command has "${word}", which only a shell understands; set shell: true, or give the words as a list`,
    );
  });
});
