/** The servers that fusecheck is run against for real, where environment variables say that they are there. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const MODEL_DIR = fileURLToPath(new URL("../../models/abacus-8m", import.meta.url));

export interface Peer {
  readonly name: string;
  /** Said where it is not there. */
  readonly install: string;
  /** Variables that must all be set. */
  readonly variables: readonly string[];
  readonly engine: string;
  readonly model: () => string;
  /** As for `--launch`. */
  readonly launch: () => string;
  /** Answers once it is up, with whatever status. */
  readonly path: string;
  /** How many are asked: some servers are slow. */
  readonly docs: number;
  /** Whether it can be asked for streams. */
  readonly streams: boolean;
  /** How it gives log-probabilities, which none of these says of itself. */
  readonly logprobs: "given text" | "generated" | "none";
}

const GGUF = "a GGUF of models/abacus-8m (test/live/to_gguf.py) in FUSECHECK_LIVE_GGUF";

function variable(name: string): string {
  return process.env[name] ?? "";
}

export const PEERS: readonly Peer[] = [
  {
    name: "llama.cpp, llama-server",
    install: `llama-server in FUSECHECK_LIVE_LLAMA_SERVER (cmake --build . --target llama-server), and ${GGUF}`,
    variables: ["FUSECHECK_LIVE_LLAMA_SERVER", "FUSECHECK_LIVE_GGUF"],
    engine: "llama-cpp",
    model: () => variable("FUSECHECK_LIVE_GGUF"),
    // The arithmetic of the embedded engine: no flash attention, a cache of 32 bits. More threads would wait for one another.
    launch: () =>
      `${variable("FUSECHECK_LIVE_LLAMA_SERVER")} -m {model} --host {host} --port {port} -fa off -ctk f32 -ctv f32 -np 4 -c 8192 -t 1`,
    path: "/health",
    docs: 50,
    streams: true,
    // It has no echo.
    logprobs: "generated",
  },
  {
    name: "llama.cpp, llama-cpp-python's server",
    install: `a Python with llama-cpp-python[server] in FUSECHECK_LIVE_LLAMA_PYTHON, and ${GGUF}`,
    variables: ["FUSECHECK_LIVE_LLAMA_PYTHON", "FUSECHECK_LIVE_GGUF"],
    engine: "llama-cpp",
    model: () => variable("FUSECHECK_LIVE_GGUF"),
    launch: () =>
      `${variable("FUSECHECK_LIVE_LLAMA_PYTHON")} -m llama_cpp.server --model {model} --host {host} --port {port} --n_ctx 2048 --type_k 0 --type_v 0 --n_threads 1 --n_threads_batch 1`,
    path: "/v1/models",
    docs: 50,
    // Its streams do not say how many tokens they took, and end as soon as another request arrives.
    streams: false,
    // Its echo stands one place off where a model has no start token, as this one.
    logprobs: "generated",
  },
  {
    name: "Transformers, transformers serve",
    install: "a Python with torch and transformers[serving] in FUSECHECK_LIVE_TRANSFORMERS",
    variables: ["FUSECHECK_LIVE_TRANSFORMERS"],
    engine: "transformers",
    model: () => MODEL_DIR,
    launch: () =>
      `${join(dirname(variable("FUSECHECK_LIVE_TRANSFORMERS")), "transformers")} serve --host {host} --port {port} --dtype float32`,
    path: "/health",
    docs: 20,
    streams: true,
    // It refuses to be asked for them.
    logprobs: "none",
  },
];

/** A title that says how to have what is missing. */
export function titleOf(peer: Pick<Peer, "name" | "install" | "variables">): string {
  return isThere(peer) ? peer.name : `${peer.name}: not there; needs ${peer.install}`;
}

export function isThere({ variables }: Pick<Peer, "variables">): boolean {
  return variables.every((name) => variable(name) !== "");
}
