import { describe, expect, it } from "vitest";
import { captureLaunch } from "../../runners/capture-launch.ts";
import { ENGINE_NAMES, getEngine } from "../../runners/engines/index.ts";

const SWITCH = "--enable-return-routed-experts";
const capture = { form: "vllm-base64-npy", args: [SWITCH], about: "" } as const;

describe("how a server is started for captures", () => {
  it("is as for answers, with the engine's switch behind all else", () => {
    const spec = { command: "vllm serve {model} --port {port}", args: ["--seed", "1"], env: { A: "1" } };
    const launch = captureLaunch(spec, capture);
    expect(launch).toEqual({
      kind: "anew",
      spec: { ...spec, args: ["--seed", "1", SWITCH], env: { A: "1" } },
      added: SWITCH,
    });
  });

  it("has the engine's variables, too, where there are such", () => {
    const launch = captureLaunch({ command: ["run"] }, { ...capture, env: { V2: "1" } });
    expect(launch).toMatchObject({ kind: "anew", spec: { env: { V2: "1" } }, added: `V2=1 ${SWITCH}` });
  });

  it.each([
    ["in a line", { command: `vllm serve m ${SWITCH} --port {port}` }],
    ["quoted, for a shell", { command: `exec vllm serve "m" '${SWITCH}'`, shell: true }],
    ["in a list", { command: ["vllm", SWITCH] }],
    ["with a value", { command: "serve", args: [`${SWITCH}=vllm`] }],
  ])("is the same where the user's launch has it %s", (_, spec) => {
    expect(captureLaunch(spec, capture)).toEqual({ kind: "same" });
  });

  it("is not taken for one that begins alike", () => {
    expect(captureLaunch({ command: `serve ${SWITCH}-not` }, capture).kind).toBe("anew");
  });

  it.each(ENGINE_NAMES)("%s: something is added exactly where experts are given", (name) => {
    const { capture: own } = getEngine(name);
    const { kind } = captureLaunch({ command: "serve" }, own);
    expect(kind === "anew").toBe(own.form !== "none");
  });
});
