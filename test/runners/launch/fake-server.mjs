// A server that speaks as much of the OpenAI protocol as a launch needs, and misbehaves as its arguments say:
// --port N --model M --start-ms N --slow-ms N --ready-ms N --die MESSAGE --ignore-term --grandchildren N --hang-after N --refuse
// --take-port-first FILE --die-at N --pids FILE --ping-ms N (while it hangs) --drip-ms N (a stream, a letter at a time)
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string" },
    model: { type: "string", default: "org/model-8m" },
    "start-ms": { type: "string", default: "0" },
    "ready-ms": { type: "string", default: "0" },
    "slow-ms": { type: "string", default: "0" },
    die: { type: "string" },
    "die-at": { type: "string", default: "Infinity" },
    "ignore-term": { type: "boolean", default: false },
    grandchildren: { type: "string", default: "0" },
    "hang-after": { type: "string", default: "Infinity" },
    refuse: { type: "boolean", default: false },
    "take-port-first": { type: "string" },
    pids: { type: "string" },
    "ping-ms": { type: "string" },
    "drip-ms": { type: "string" },
  },
});

if (values["take-port-first"] && !existsSync(values["take-port-first"])) {
  writeFileSync(values["take-port-first"], "");
  console.error("[Errno 98] error while attempting to bind on address: address already in use");
  process.exit(1);
}
if (values["ignore-term"]) process.on("SIGTERM", () => console.log("SIGTERM? no"));
// Grandchildren do not end by themselves, nor by SIGTERM where their parent does not.
const program = `${values["ignore-term"] ? "process.on('SIGTERM', () => {});" : ""} setInterval(() => {}, 1000)`;
const children = Array.from({ length: Number(values.grandchildren) }, () =>
  spawn(process.execPath, ["-e", program], { stdio: "ignore" }),
);
if (values.pids) writeFileSync(values.pids, JSON.stringify([process.pid, ...children.map(({ pid }) => pid)]));
console.log(`env FUSED=${process.env.FUSED ?? "unset"} cwd=${process.cwd()}`);
await sleep(Number(values["start-ms"]));
if (values.die !== undefined) {
  console.error(values.die);
  process.exit(7);
}
const upAt = performance.now();
let completions = 0;

function json(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** The front end is well, what it waits for is not. */
function hang(response) {
  if (values["ping-ms"] === undefined) return;
  response.writeHead(200, { "content-type": "text/event-stream" });
  const timer = setInterval(() => response.write(": ping\n\n"), Number(values["ping-ms"]));
  response.on("close", () => clearInterval(timer));
}

const server = createServer(async (request, response) => {
  const ready = performance.now() - upAt >= Number(values["ready-ms"]);
  request.resume();
  if (request.url === "/health") return json(response, 200, { status: "ok" });
  if (request.url === "/version") return json(response, 200, { version: "1.2.3", api_key: "never" });
  if (request.url === "/v1/models") return json(response, 200, { data: [{ id: values.model, object: "model" }] });
  if (request.method !== "POST") return json(response, 404, { detail: "Not Found" });
  if (values.refuse) return json(response, 400, { error: { message: "this model cannot complete" } });
  if (!ready) return json(response, 503, { error: { message: "still compiling" } });
  completions++;
  if (completions >= Number(values["die-at"])) {
    console.error("Memory access fault by GPU");
    process.exit(9);
  }
  if (completions > Number(values["hang-after"])) return hang(response);
  await sleep(Number(values["slow-ms"]));
  const answer = {
    choices: [{ index: 0, text: "x", finish_reason: "length" }],
    usage: { prompt_tokens: 1, completion_tokens: 1 },
  };
  // The first is the launch's own, which asks whether it is ready.
  if (values["drip-ms"] === undefined || completions === 1) return json(response, 200, answer);
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const letter of `data: ${JSON.stringify(answer)}\n\n`) {
    response.write(letter);
    await sleep(Number(values["drip-ms"]));
  }
  return response.end();
});
server.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
server.listen(Number(values.port), values.host, () => console.log(`listening on ${values.port}`));
