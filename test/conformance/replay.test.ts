/** Every dialect, in the shapes that its server has been seen to send, over real HTTP. */
import { DIALECTS, openOpenAiRunner } from "../../runners/openai/index.ts";
import type { DialectName } from "../../runners/openai/index.ts";
import { startReplayServer } from "../runners/openai/replay-server.ts";
import type { ReplayServer } from "../runners/openai/replay-server.ts";
import { conforms } from "./suite.ts";
import type { Subject } from "./subject.ts";

const NO_SCORE = "recorded shapes have no model behind them that could be given tokens";
const NO_SEED = "ATOM draws without a seed, so none is sent";

/** Takes token ids back, as far as it is asked for them. */
const NO_IDS = "this server does not name its tokens";

const WAYS = (Object.keys(DIALECTS) as DialectName[]).flatMap((dialect) =>
  (["completions", "chat"] as const).flatMap((api) => [false, true].map((stream) => ({ dialect, api, stream }))),
);

for (const { dialect, api, stream } of WAYS) {
  let server: ReplayServer;
  const prompt: Subject["prompt"] = (text) =>
    api === "chat" ? { kind: "chat", messages: [{ role: "user", content: text }] } : { kind: "completion", text };
  const tokenIds = DIALECTS[dialect].tokenIdsField !== undefined;
  conforms({
    name: `${dialect}, ${api}${stream ? ", streamed" : ""}`,
    open: async () => {
      server = await startReplayServer({
        dialect,
        complete: (asked) => `The answer to ${asked.length} characters is ${asked.slice(0, 9)}, which is all there is.`,
        sample: (asked, draw) => `Of ${asked.length} characters, ${draw} is drawn at random.`,
        delayMs: (n) => (server.requests[n]?.body["max_tokens"] === 500 ? 10_000 : 0),
        fault: (n) => (JSON.stringify(server.requests[n]?.body).includes("TOO LONG") ? "status 400" : undefined),
      });
      return openOpenAiRunner({ env: {}, baseUrls: [server.baseUrl], dialect, api, stream, tokenIds });
    },
    close: () => server.close(),
    prompt,
    refused: { prompt: prompt("TOO LONG"), reason: /HTTP 400: status 400$/ },
    longTokens: 500,
    differs: {
      "is given a prompt and a completion, and says how likely each token was and where it was routed": NO_SCORE,
      ...(!tokenIds && { "names the tokens that it generated": NO_IDS }),
      ...(dialect === "atom" && { "samples the same for the same seed, and something else for another": NO_SEED }),
    },
  });
}
