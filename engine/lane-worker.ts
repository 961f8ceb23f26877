/** Thread entry: one model, one lane, driven by messages. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { UserError } from "../errors.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { AbortedError, Lane } from "./lane.ts";
import type { FromLane, LaneOptions, ToLane } from "./lane-messages.ts";
import { Model } from "./model.ts";
import type { CompletionProgress } from "./requests.ts";
import { ROUTING } from "./routing/routing.ts";
import { tokenBytes } from "./token-bytes.ts";

if (parentPort === null) throw new Error("this file is the entry of a worker thread");
const port = parentPort;
const send = (message: FromLane, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

async function load({ modelDir, routing, maxSequences }: LaneOptions): Promise<{ lane: Lane; model: Model }> {
  const checkpoint = openCheckpoint(modelDir);
  try {
    const model = await Model.load(checkpoint, ROUTING[routing]);
    const tokenizerPath = join(modelDir, "tokenizer.json");
    const bytes = tokenBytes(readFileSync(tokenizerPath, "utf8"), tokenizerPath);
    const flatIndex = routing === "fused" ? "slot" : "row-sorted";
    return { lane: new Lane(model, bytes, { maxSequences, flatIndex }), model };
  } finally {
    checkpoint.close();
  }
}

function serve(lane: Lane, model: Model): void {
  const inFlight = new Map<number, Promise<void>>();
  const track = (id: number, work: Promise<void>): void => {
    inFlight.set(id, work);
    void work.finally(() => inFlight.delete(id));
  };
  const close = async (): Promise<void> => {
    for (const id of inFlight.keys()) lane.abort(id);
    await Promise.all(inFlight.values());
    await model.close();
    port.close();
  };
  const failed = (id: number, error: unknown): void => {
    const message = error instanceof Error ? error.message : String(error);
    send({ type: "failed", id, message, aborted: error instanceof AbortedError });
  };
  port.on("message", (message: ToLane) => {
    switch (message.type) {
      case "complete": {
        const { id } = message;
        const report = (progress: CompletionProgress): void => send({ type: "progress", id, progress });
        const work = lane.complete(id, message.request, message.progress ? report : undefined).then(
          (completion) => send({ type: "completed", id, completion }),
          (error: unknown) => failed(id, error),
        );
        track(id, work);
        break;
      }
      case "score": {
        const { id } = message;
        const work = lane.score(id, message.request).then(
          (score) => {
            const { topkIds, topkWeights, margins, close: kept } = score.routing;
            const arrays = [score.logprobs, topkIds, topkWeights, margins, kept.rows, kept.scores];
            const buffers = arrays.map(({ buffer }) => buffer as ArrayBuffer);
            send({ type: "scored", id, score }, buffers);
          },
          (error: unknown) => failed(id, error),
        );
        track(id, work);
        break;
      }
      case "ping":
        send({ type: "pong", id: message.id });
        break;
      case "abort":
        lane.abort(message.id);
        break;
      case "close":
        void close();
    }
  });
}

try {
  const { lane, model } = await load(workerData as LaneOptions);
  serve(lane, model);
  send({ type: "ready" });
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  send({ type: "cannot load", message, userError: error instanceof UserError });
  port.close();
}
