import { describe, expect, it } from "vitest";
import { configFromFlags, parseConfig, resolveBaseline, resolveVariants } from "../../../runners/config/index.ts";
import type { ResolvedVariants, UserConfig, VariantFlags, VariantSpec } from "../../../runners/config/index.ts";
import type { ServerSpec } from "../../../runners/launch/index.ts";

function specOf(variant: VariantSpec): ServerSpec {
  if (variant.kind !== "launch") throw new Error("it is not started");
  return variant.spec;
}

describe("two variants", () => {
  it("of servers that run already are their URLs", () => {
    const text =
      "variants:\n  baseline: {base_url: http://a:8000}\n  fused:\n    base_url: [http://b:8000, http://c:8000]\n";
    const resolved: ResolvedVariants = resolveVariants(parseConfig(text, "f"));
    expect(resolved).toMatchObject({
      engine: "openai",
      baseline: { kind: "running", baseUrls: ["http://a:8000"] },
      fused: { kind: "running", baseUrls: ["http://b:8000", "http://c:8000"] },
      parallel: false,
    });
  });

  it("one of which runs and the other is started", () => {
    const { baseline, fused } = resolveVariants({
      engine: "vllm",
      model: "m",
      variants: { baseline: { base_url: "http://a:8000" } },
    });
    expect([baseline.kind, fused.kind]).toEqual(["running", "launch"]);
  });

  it("have what is shared, then the switch, then what is their own", () => {
    const config: UserConfig = {
      engine: "vllm",
      model: "m",
      switch: "grouped-topk",
      deterministic: true,
      prefix_caching: false,
      launch: { args: "--dtype 'half'", env: { A: 1, B: "shared" }, devices: "0,1", cwd: "/work" },
      variants: { fused: { args: ["--seed", 7], env: { B: null, VLLM_USE_FUSED_MOE_GROUPED_TOPK: "on" }, devices: 2 } },
    };
    const { baseline, fused } = resolveVariants(config);
    const args = ["--dtype", "half", "--no-enable-prefix-caching", "--generation-config", "vllm"];
    const env = { VLLM_MOE_ROUTING_SIMULATION_STRATEGY: null, A: "1", VLLM_BATCH_INVARIANT: "1" };
    expect(specOf(baseline)).toMatchObject({ args, cwd: "/work", model: "m" });
    expect(specOf(baseline).env).toEqual({
      ...env,
      B: "shared",
      CUDA_VISIBLE_DEVICES: "0,1",
      HIP_VISIBLE_DEVICES: "0,1",
      VLLM_USE_FUSED_MOE_GROUPED_TOPK: "0",
    });
    expect(specOf(fused).args).toEqual([...args, "--seed", "7"]);
    expect(specOf(fused).env).toEqual({
      ...env,
      B: null,
      CUDA_VISIBLE_DEVICES: "2",
      HIP_VISIBLE_DEVICES: "2",
      VLLM_USE_FUSED_MOE_GROUPED_TOPK: "on",
    });
  });

  it("may be two check-outs, or two commands", () => {
    const checkouts = { baseline: { cwd: "/atom-before" }, fused: { cwd: "/atom-after" } };
    const { baseline, fused } = resolveVariants({ engine: "atom", model: "m", variants: checkouts });
    expect([specOf(baseline).cwd, specOf(fused).cwd]).toEqual(["/atom-before", "/atom-after"]);
    const commands = { baseline: { command: "old {port}" }, fused: { command: ["new", "{port}", 1] } };
    const two = resolveVariants({ variants: commands });
    expect([specOf(two.baseline).command, specOf(two.fused).command]).toEqual(["old {port}", ["new", "{port}", "1"]]);
  });

  it("wait as long as the engine needs, unless the user says how long", () => {
    const fused = { env: { A: 1 } };
    const preset = resolveVariants({ engine: "atom", model: "m", variants: { fused } });
    expect(specOf(preset.fused)).toMatchObject({ startupMs: 2_700_000, graceMs: 30_000, healthPath: "/health" });
    expect(preset.hangMs).toBe(600_000);
    const text = "engine: atom\nvariants: {fused: {env: {A: 1}}}\ntimeouts: {startup: 1.5h, stop: 500ms, hang: 90}\n";
    const own = resolveVariants(parseConfig(text, "f"));
    expect(specOf(own.fused)).toMatchObject({ startupMs: 5_400_000, graceMs: 500 });
    expect(own.hangMs).toBe(90_000);
  });

  it("say what the user should know of the switch and of shared devices", () => {
    const { notes } = resolveVariants({ engine: "vllm", model: "m", switch: "moe-backend-aiter", parallel: true });
    expect(notes).toEqual([
      "moe-backend-aiter: which backends there are depends on the version",
      "both servers run at the same time on the same devices: their speeds mean nothing",
    ]);
    const devices = { baseline: { devices: 0 }, fused: { devices: 1 } };
    const apart = resolveVariants({ engine: "vllm", switch: "aiter-moe", parallel: true, variants: devices });
    expect(apart.notes).toEqual([]);
  });
});

describe("what cannot be meant", () => {
  it.each<[UserConfig, string]>([
    [{}, "nothing says where baseline is: give it a base URL, or a launch command (any server"],
    [{ variants: { baseline: { base_url: "http://a" } } }, "nothing says where fused is: "],
    [
      { engine: "vllm", model: "m" },
      "baseline and fused are started the same way: nothing would be compared; name a switch (vLLM has: grouped-topk, ",
    ],
    [
      { variants: { baseline: { base_url: "http://a" }, fused: { base_url: "http://a" } } },
      "baseline and fused have the same base URL: nothing would be compared; give each its own",
    ],
    [
      { variants: { baseline: { base_url: "http://a", env: { A: 1 } } } },
      "baseline has a base_url, so it is not started; take its env away, or the base_url",
    ],
    [
      { engine: "vllm", switch: "aiter-moe", parallel: true, launch: { port: 8000 } },
      "both variants have port 8000, so they cannot run at the same time; give them two",
    ],
    [{ engine: "vllm", switch: "fusion" }, 'vLLM has no switch "fusion"'],
    [{ engine: "ollama", switch: "fusion" }, "Ollama has no routing switch by name"],
    [{ engine: "nope" }, 'no engine "nope"'],
    [{ engine: "vllm", variants: { fused: { args: "--a 'b" } } }, "these args have a quote that is never closed"],
  ])("%j", (config, message) => {
    expect(() => resolveVariants(config)).toThrow(message);
  });

  it("needs no second variant where nothing is compared", () => {
    expect(resolveBaseline({ engine: "vllm", model: "m" }).baseline.kind).toBe("launch");
    expect(resolveBaseline({ variants: { baseline: { base_url: "http://a" } } }).baseline.kind).toBe("running");
  });
});

describe("flags", () => {
  it("say the same as the file", () => {
    const flags: VariantFlags = {
      engine: "vllm",
      model: "m",
      launch: "vllm serve {model} --port {port}",
      baselineEnv: ["A=x=y", "B"],
      fusedArgs: "--moe-backend aiter",
      parallelVariants: true,
    };
    expect(configFromFlags(flags)).toEqual({
      engine: "vllm",
      model: "m",
      launch: { command: "vllm serve {model} --port {port}" },
      variants: { baseline: { env: { A: "x=y", B: null } }, fused: { args: "--moe-backend aiter" } },
      parallel: true,
    });
  });

  it("win over the file, one by one", () => {
    const file = parseConfig("engine: vllm\nmodel: a\nvariants: {fused: {env: {A: 1, B: 2}, cwd: /c}}\n", "f");
    const config = configFromFlags({ model: "b", fusedEnv: ["B=3"], launch: "" }, file);
    expect(config).toEqual({
      engine: "vllm",
      model: "b",
      variants: { fused: { env: { A: 1, B: "3" }, cwd: "/c" } },
    });
  });

  it("give base URLs", () => {
    const config = configFromFlags({ baseUrl: ["http://a", "http://b"], fusedBaseUrl: ["http://c"] });
    expect(resolveVariants(config)).toMatchObject({
      baseline: { baseUrls: ["http://a", "http://b"] },
      fused: { baseUrls: ["http://c"] },
    });
  });

  it("never quote what may be a secret", () => {
    expect(() => configFromFlags({ fusedEnv: ["=sk-secret"] })).toThrow(
      /^an environment variable is given as NAME=value, or NAME to unset it$/,
    );
  });
});
