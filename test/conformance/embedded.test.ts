import { openEmbeddedRunner } from "../../runners/embedded.ts";
import { conforms } from "./suite.ts";
import type { Subject } from "./subject.ts";

/** Longer than the context. */
const TOO_LONG = "pens and ".repeat(5000);

const SUBJECTS = [
  { routing: "reference", kind: "completion", prompt: (text) => ({ kind: "completion", text }) },
  { routing: "fused", kind: "chat", prompt: (content) => ({ kind: "chat", messages: [{ role: "user", content }] }) },
] as const satisfies readonly { routing: string; kind: string; prompt: Subject["prompt"] }[];

for (const { routing, kind, prompt } of SUBJECTS) {
  conforms({
    name: `embedded, ${routing}, ${kind}`,
    open: () => openEmbeddedRunner({ routing, concurrency: 4, chat: kind === "chat" }),
    close: async () => {},
    prompt,
    refused: { prompt: prompt(TOO_LONG), reason: /^the prompt has \d+ tokens, and the model's context of \d+ / },
    longTokens: 1500,
    differs: {},
  });
}
