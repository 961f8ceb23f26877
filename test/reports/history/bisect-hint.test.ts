import { describe, expect, it } from "vitest";
import { changedFacts } from "../../../reports/history/bisect-hint.ts";

describe("what changed between two runs", () => {
  const facts = {
    fusecheck: "0.1.0",
    engine: { name: "vllm", launch: { fused: { args: ["--a", "1"], env: { VLLM_X: "0" } } } },
    variants: { fused: { server: { version: "0.9.1" }, argv: ["vllm", "--port", "40123"], startup_s: 61.2 } },
    environment: { git_commit: "aaa", packages: { x: "1" } },
  };

  it("is named from the outside in, with what it was and what it is", () => {
    const now = structuredClone(facts);
    now.variants.fused.server.version = "0.9.2";
    now.engine.launch.fused.env.VLLM_X = "1";
    now.environment.git_commit = "bbb";
    expect(changedFacts(facts, now)).toEqual([
      { name: "engine.launch.fused.env.VLLM_X", before: '"0"', now: '"1"' },
      { name: "environment.git_commit", before: '"aaa"', now: '"bbb"' },
      { name: "variants.fused.server.version", before: '"0.9.1"', now: '"0.9.2"' },
    ]);
  });

  it("is not the port, nor how long the start took", () => {
    const now = structuredClone(facts);
    now.variants.fused.argv[2] = "51234";
    now.variants.fused.startup_s = 70;
    expect(changedFacts(facts, now)).toEqual([]);
  });

  it("takes a list for one fact, and says what is new or gone", () => {
    const now = { ...facts, engine: { name: "vllm", launch: { fused: { args: ["--b", "--a", "1"] } } } };
    expect(changedFacts(facts, now)).toEqual([
      { name: "engine.launch.fused.args", before: '["--a","1"]', now: '["--b","--a","1"]' },
      { name: "engine.launch.fused.env.VLLM_X", before: '"0"', now: "not set" },
    ]);
    expect(changedFacts({}, { stated: { image: "a:2" } })).toEqual([
      { name: "stated.image", before: "not set", now: '"a:2"' },
    ]);
  });
});
