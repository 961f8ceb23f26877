import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { ENGINES } from "../../../runners/engines/index.ts";
import type { EngineName } from "../../../runners/engines/index.ts";
import { openGetter } from "../../../runners/launch/http-get.ts";
import { readFacts } from "../../../runners/launch/identity.ts";
import type { Facts } from "../../../runners/launch/identity.ts";

/** What an engine's preset reads from a server that has these pages. */
async function factsOf(engine: EngineName, pages: Readonly<Record<string, string>>): Promise<Facts> {
  const server = createServer((request, response) => {
    const page = pages[request.url ?? ""];
    response.writeHead(page === undefined ? 404 : 200).end(page ?? '{"version": "of an error"}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const getter = openGetter();
  onTestFinished(async () => {
    await getter.close();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return readFacts(origin, ENGINES[engine].identify, getter, new AbortController().signal, {});
}

const METRICS = `# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="16",cache_dtype="auto",enable_prefix_caching="True",engine="0"} 1.0
vllm:num_requests_running{engine="0"} 0.0
`;

it("vLLM says its version, and in its metrics how it caches", async () => {
  const facts = await factsOf("vllm", { "/version": '{"version": "0.22.0"}', "/metrics": METRICS });
  expect(facts).toEqual({ version: "0.22.0", block_size: "16", cache_dtype: "auto", enable_prefix_caching: "True" });
  expect(ENGINES.vllm.prefixCaching.read?.(facts)).toBe(true);
});

it.each(["/get_server_info", "/server_info"])(
  "SGLang says what it was started with at %s, of which its key is not kept",
  async (path) => {
    const info = { version: "0.5.9", tp_size: 2, disable_radix_cache: true, api_key: "sk-secret", quantization: null };
    const facts = await factsOf("sglang", {
      [path]: JSON.stringify({ ...info, internal_states: [{ version: "no" }] }),
    });
    expect(facts).toEqual({ version: "0.5.9", tp_size: 2, disable_radix_cache: true });
    expect(ENGINES.sglang.prefixCaching.read?.(facts)).toBe(false);
  },
);

it.each<[EngineName, string, Facts]>([
  ["atom", "/server_info", { model_id: "org/m", tp_size: 8 }],
  ["llama-cpp", "/props", { build_info: "b9999-abcdef", total_slots: 4 }],
  ["trtllm", "/version", { version: "1.2.0" }],
  ["tgi", "/info", { version: "3.3.0", sha: "abc", model_dtype: "bfloat16" }],
  ["ollama", "/api/version", { version: "0.20.3" }],
])("%s says what it is at %s", async (engine, path, facts) => {
  expect(await factsOf(engine, { [path]: JSON.stringify(facts) })).toEqual(facts);
});

it.each([
  ["none of its pages", {}],
  ["a page that is not JSON", { "/version": "<html>" }],
  ["another kind of value", { "/version": '{"version": {"major": 1}}' }],
  ["a list", { "/version": '["version"]' }],
  ["a page without end", { "/version": `{"version": "${"x".repeat(5 * 1024 ** 2)}"}` }],
])("a server with %s says nothing", async (_, pages) => {
  expect(await factsOf("vllm", pages)).toEqual({});
});

it("a long value is cut", async () => {
  const { version } = await factsOf("vllm", { "/version": JSON.stringify({ version: "x".repeat(10_000) }) });
  expect(version).toHaveLength(500);
});
