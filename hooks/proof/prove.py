"""Proves fusecheck_tap on a GPU: python hooks/proof/prove.py --out FOLDER [--device cpu] (some two minutes, one GPU).

1. Routing data by a chain of torch operations, tapped.
2. The same by a fused counting sort in Triton, tapped, eagerly and inside of CUDA graphs; and variants with a fault.
3. Transformers' MoE layers with models/abacus-8m in float32, tapped: a padded batch; token by token with a cache,
   several docs taking turns; inside of CUDA graphs.
4. What the tap costs.

Leaves in FOLDER: dump.safetensors (small), dump-large.safetensors, dump-faulty.safetensors,
capture-one-shot.safetensors, capture-three-shot.safetensors and results.json. README.md says what fusecheck must find.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
if "cpu" in sys.argv:
    os.environ["TRITON_INTERPRET"] = "1"

import torch  # noqa: E402 (Triton reads the variable when it is imported)
import transformers  # noqa: E402
import triton  # noqa: E402
from fusecheck_tap import Call, RoutingDump, SelectionTap, TapError, read_safetensors  # noqa: E402
from routing_kernels import FAULTS, broken_invariants, fused_routing, routing_reference  # noqa: E402
from torch import Tensor  # noqa: E402

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}

# (N, K, E, dtype): a few for a fixture; a sweep of the field's shapes, checked here; and large ones that travel.
SMALL = [(1, 8, 384, "f32"), (3, 2, 8, "f32"), (64, 6, 256, "bf16"), (40, 9, 64, "f16")]
SWEEP = [
    (n, k, e, dtype)
    for n in (1, 2, 7, 16, 64, 255, 512, 513, 682, 683, 1023, 4096, 8192, 65536)
    for k, e in ((1, 8), (2, 8), (4, 16), (6, 256), (8, 384), (8, 256), (9, 264), (16, 512))
    for dtype in ("f32", "bf16")
]
LARGE = [(65536, 1, 8, "f32"), (65536, 2, 128, "bf16"), (8192, 8, 256, "f32"), (16384, 6, 512, "bf16")]


class Proof:
    """Where, with what random numbers, and what came out."""

    def __init__(self, device: str, out: Path) -> None:
        self.device = torch.device(device)
        self.gpu = self.device.type == "cuda"
        self.out = out
        self.scratch = Path(tempfile.mkdtemp())
        self.random = torch.Generator(device="cpu").manual_seed(1234)
        self.results: dict[str, Any] = {}

    def metadata(self, **more: str) -> dict[str, str]:
        """What every file says of itself."""
        where = torch.cuda.get_device_name() if self.gpu else f"CPU ({platform.machine()})"
        return {"device": where, "torch": torch.__version__, "triton": triton.__version__, **more}

    def inputs(self, n: int, k: int, e: int, dtype: str, load: str = "even") -> dict[str, Tensor]:
        """A selection: softmax over random logits; or ill-balanced, with repeats, or with an expert map with holes."""
        logits = torch.randn(n, e, generator=self.random).to(self.device)
        if load == "one set":
            logits[:] = logits[:1]
        if load == "half empty":
            logits[:, e // 2 :] -= 100
        weights, ids = logits.softmax(1).topk(min(k, e // 2 if load == "half empty" else e), dim=1)
        if load == "repeats":
            ids[:, -1] = ids[:, 0]
        inputs = {"topk_ids": ids.int(), "topk_weights": (weights / weights.sum(1, keepdim=True)).to(DTYPES[dtype])}
        if load == "expert map":
            holes = torch.rand(e, generator=self.random) < 0.5
            inputs["expert_map"] = torch.where(holes, -1, torch.arange(e)).int()
            inputs["topk_ids"][0, 0] = -1
        return {name: part.to(self.device).contiguous() for name, part in inputs.items()}

    def keep(self, path: Path, name: str) -> None:
        """Moves a finished file to where it is left."""
        shutil.move(str(path), self.out / name)


def case_of(n: int, k: int, e: int, dtype: str, load: str = "even") -> str:
    """The name of a case in a dump."""
    return f"n{n}_k{k}_e{e}_{dtype}" + ("" if load == "even" else "_" + load.replace(" ", "_"))


def replayed(proof: Proof, tap: RoutingDump | SelectionTap, run: Callable[[], Any]) -> torch.cuda.CUDAGraph:
    """A CUDA graph of `run`, after a warm-up that is not recorded."""
    tap.recording = False
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    tap.recording = True
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph


def arguments(inputs: dict[str, Tensor], e: int) -> dict[str, Any]:
    """The inputs as the routing functions take them."""
    return {**inputs, "n_expts_tot": e}


def prove_dumps(proof: Proof) -> None:
    """Both implementations, tapped; graphs; faults; the sweep."""
    outputs = ("hist", "topk_indx", "gate_indx", "gate_scal")
    loads = ("even", "one set", "half empty", "repeats", "expert map")
    for name, cases in (("dump", SMALL), ("dump-large", LARGE if proof.gpu else [])):
        if not cases:
            continue
        dump = RoutingDump(
            proof.scratch / name, metadata=proof.metadata(proves="reference chain and fused kernel, eager")
        )
        for at, (n, k, e, dtype) in enumerate(cases):
            load = "even" if name == "dump-large" else loads[(at + 1) % len(loads)]
            inputs = proof.inputs(n, k, e, dtype, load)
            # Small blocks, so that small cases, too, are of several.
            made = {"fused": fused_routing(**arguments(inputs, e), block=128 if name == "dump" else 1024)}
            if name == "dump":
                made["ref"] = routing_reference(**arguments(inputs, e))
            dump.record(case_of(n, k, e, dtype, load), inputs, {by: dict(zip(outputs, o)) for by, o in made.items()})
        if name == "dump":
            record_wrapped(proof, dump)
        dump.close()
        proof.keep(dump.path, f"{name}.safetensors")

    faulty = RoutingDump(proof.scratch / "faulty", metadata=proof.metadata(proves="fused kernel with a fault"))
    for fault in FAULTS:
        if fault != "none":
            inputs = proof.inputs(40, 6, 64, "f32")
            made = fused_routing(**arguments(inputs, 64), fault=fault)
            faulty.record(fault.replace(" ", "_").replace(",", ""), inputs, {"fused": dict(zip(outputs, made))})
    faulty.close()
    proof.keep(faulty.path, "dump-faulty.safetensors")
    sweep(proof, loads)


def record_wrapped(proof: Proof, dump: RoutingDump) -> None:
    """The wrapped functions as an engine calls them: eagerly, and replayed with new inputs in the same places."""
    reference = dump.wrap(routing_reference, implementation="ref")
    fused = dump.wrap(fused_routing)
    for function in (reference, fused):
        function(**arguments(proof.inputs(33, 4, 16, "f32"), 16))
    if not proof.gpu:
        return
    dump.preallocate(8 << 20, slots=4)
    graphs = []
    for n, k, e in ((8, 8, 256), (72, 8, 32)):
        static = proof.inputs(n, k, e, "f32")
        graphs.append(
            (static, (n, k, e), replayed(proof, dump, lambda s=static, e=e: fused(**arguments(s, e), block=256)))
        )
    for _ in range(2):
        for static, (n, k, e), graph in graphs:
            for name, part in proof.inputs(n, k, e, "f32").items():
                static[name].copy_(part)
            graph.replay()
    dump.drain()


def sweep(proof: Proof, loads: tuple[str, ...]) -> None:
    """The field's shapes, eager and replayed, checked on the device; and whether each fault is seen."""
    shapes = SWEEP if proof.gpu else [shape for shape in SWEEP if shape[0] <= 683][::9]
    counted, broken, missed = 0, [], []
    for at, (n, k, e, dtype) in enumerate(shapes):
        load = loads[at % len(loads)]
        inputs = proof.inputs(n, k, e, dtype, load)
        found = broken_invariants(inputs, fused_routing(**arguments(inputs, e)), e)
        hist = routing_reference(**arguments(inputs, e))[0]
        if not torch.equal(hist, fused_routing(**arguments(inputs, e))[0]):
            found.append("reference hist")
        counted += 1
        if found:
            broken.append([case_of(n, k, e, dtype, load), found])
    for fault in FAULTS:
        inputs = proof.inputs(683, 6, 256, "f32")
        found = broken_invariants(inputs, fused_routing(**arguments(inputs, 256), fault=fault), 256)
        if (fault == "none") != (found == []):
            missed.append(fault)
    proof.results["sweep"] = {"cases": counted, "broken": broken, "faults": len(FAULTS) - 1, "missed": missed}


def load_model(proof: Proof, folder: Path, experts: str = "eager") -> Any:
    """abacus-8m in float32."""
    torch.backends.cuda.matmul.allow_tf32 = False
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", experts_implementation=experts
    )
    return model.to(proof.device).eval()


def tap_routers(proof: Proof, model: Any, name: str) -> SelectionTap:
    """The five lines that a developer adds, for a model whose router gives its logits, too."""
    config = model.config
    tap = SelectionTap(
        proof.scratch / name,
        n_expts_tot=config.n_routed_experts,
        metadata=proof.metadata(engine="transformers", transformers=transformers.__version__, model="abacus-8m"),
    )
    for layer, block in enumerate(model.model.layers):
        gate = getattr(block.mlp, "gate", None)
        if gate is None:
            continue

        def biased_scores(call: Call, gate: Any = gate) -> Tensor:
            return call.result[0].sigmoid() + gate.e_score_correction_bias

        tap.patch(gate, "forward", layer=layer, scores=biased_scores)
    return tap


def prove_captures(proof: Proof, folder: Path) -> None:
    """Transformers' routers, tapped."""
    docs = json.loads((HERE / "tokens.json").read_text())
    model = load_model(proof, folder)
    with torch.inference_mode():
        tap = tap_routers(proof, model, "one-shot")
        run_padded(proof, model, tap, docs["one-shot"])
        tap.close()
        proof.keep(tap.path, "capture-one-shot.safetensors")
        tap = tap_routers(proof, model, "three-shot")
        steps = run_with_cache(proof, model, tap, docs["three-shot"])
        tap.close()
        proof.keep(tap.path, "capture-three-shot.safetensors")
        proof.results["forwards of one token"] = steps
        if proof.gpu:
            graphs_of_routers(proof, model)


def batch_of(proof: Proof, docs: list[dict[str, Any]]) -> tuple[Tensor, Tensor, Tensor]:
    """input_ids, positions and docs [B, T], padded at the end with doc -1."""
    longest = max(len(doc["input_ids"]) for doc in docs)
    ids = torch.zeros(len(docs), longest, dtype=torch.long)
    owner = torch.full((len(docs), longest), -1)
    for row, doc in enumerate(docs):
        ids[row, : len(doc["input_ids"])] = torch.tensor(doc["input_ids"])
        owner[row, : len(doc["input_ids"])] = doc["doc_index"]
    position = torch.arange(longest).expand(len(docs), -1)
    return ids.to(proof.device), position, owner


def run_padded(proof: Proof, model: Any, tap: SelectionTap, docs: list[dict[str, Any]]) -> None:
    """All docs in one batch."""
    ids, position, owner = batch_of(proof, docs)
    with tap.forward(ids, position=position, doc_index=owner):
        model(input_ids=ids, use_cache=False)


def run_with_cache(proof: Proof, model: Any, tap: SelectionTap, docs: list[dict[str, Any]]) -> int:
    """Each prompt at once, then its completion token by token, the docs taking turns as in an engine."""
    caches: list[Any] = []
    for doc in docs:
        prompt = doc["input_ids"][: doc["prompt_tokens"]]
        with tap.forward(prompt, position=range(len(prompt)), doc_index=[doc["doc_index"]] * len(prompt)):
            output = model(input_ids=torch.tensor([prompt], device=proof.device), use_cache=True)
        caches.append(output.past_key_values)
    steps = 0
    for step in range(max(len(doc["input_ids"]) - doc["prompt_tokens"] for doc in docs)):
        for doc, cache in zip(docs, caches):
            at = doc["prompt_tokens"] + step
            if at < len(doc["input_ids"]):
                token = [doc["input_ids"][at]]
                with tap.forward(token, position=[at], doc_index=[doc["doc_index"]]):
                    model(input_ids=torch.tensor([token], device=proof.device), past_key_values=cache, use_cache=True)
                steps += 1
    return steps


def graphs_of_routers(proof: Proof, model: Any) -> None:
    """All routers of the model in one CUDA graph, replayed on changing hidden states: to the bit as eagerly."""
    tap = tap_routers(proof, model, "router-graph")
    tap.preallocate(64 << 20, slots=2)
    gates = [block.mlp.gate for block in model.model.layers if hasattr(block.mlp, "gate")]
    width = model.config.hidden_size
    static = torch.randn(64, width, device=proof.device)
    tap.recording = False
    plain = torch.cuda.CUDAGraph()
    with torch.cuda.graph(plain):
        for gate in gates:
            gate(static)
    graph = replayed(proof, tap, lambda: [gate(static) for gate in gates])
    expected = []
    for step in range(6):
        static.copy_(torch.randn(64, width, device=proof.device))
        # Rows from 60 on are padding.
        with tap.forward([step] * 60, position=range(60), doc_index=[step] * 60):
            graph.replay()
        tap.recording = False
        expected.append([gate(static)[1:] for gate in gates])
        tap.recording = True
    times = {"routers, graph": plain.replay, "routers and tap, graph": graph.replay}
    times_us = {name: microseconds(run, 200) for name, run in times.items()}
    with contextlib.suppress(TapError):  # so many replays were not meant to be kept
        tap.drain()
    tap.close()
    tensors, metadata = read_safetensors(tap.path)
    same = 0
    for index, layer in enumerate(metadata["moe_layers"].split(",")):
        ids = torch.cat([step[index][1][:60] for step in expected]).cpu()
        weights = torch.cat([step[index][0][:60] for step in expected]).cpu()
        same += int(torch.equal(tensors[f"layers.{layer}.topk_ids"].long(), ids))
        same += int(torch.equal(tensors[f"layers.{layer}.topk_weights"], weights))
    proof.results["router graph"] = {"tensors": 2 * len(gates), "equal": same, "replays": 6, "times": times_us}
    refused(proof, model)


def refused(proof: Proof, model: Any) -> None:
    """Without memory set aside, capturing is refused in one line, and the engine can go on."""
    tap = tap_routers(proof, model, "refused")
    gate = next(block.mlp.gate for block in model.model.layers if hasattr(block.mlp, "gate"))
    static = torch.randn(4, model.config.hidden_size, device=proof.device)
    try:
        replayed(proof, tap, lambda: gate(static))
        proof.results["refused"] = "not refused"
    except TapError as error:
        proof.results["refused"] = str(error)
    torch.cuda.synchronize()
    tap.close()


def graphs_of_model(proof: Proof, folder: Path, docs: list[dict[str, Any]]) -> None:
    """The whole model in one CUDA graph: the same capture as eagerly."""
    model = load_model(proof, folder, experts="batched_mm")
    ids, position, owner = batch_of(proof, docs[:1])
    position = position.to(proof.device)
    runs = {}
    for name in ("eager", "graph"):
        tap = tap_routers(proof, model, f"model-{name}")

        def run() -> Any:
            return model(input_ids=ids, position_ids=position, use_cache=False)

        if name == "graph":
            tap.preallocate(64 << 20, slots=2)
            run = replayed(proof, tap, run).replay
        with tap.forward(ids, position=position, doc_index=owner):
            run()
        tap.close()
        runs[name], _ = read_safetensors(tap.path)
    equal = {name: bool(torch.equal(part, runs["graph"][name])) for name, part in runs["eager"].items()}
    proof.results["model graph"] = {"tensors": len(equal), "equal": sum(equal.values())}


def microseconds(run: Callable[[], Any], calls: int, batches: int = 9) -> float:
    """Median over batches of the time of one call, by device events."""
    for _ in range(10):
        run()
    times = []
    for _ in range(batches):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(calls):
            run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) * 1000 / calls)
    return statistics.median(times)


def time_kernels(proof: Proof, n: int, k: int, e: int) -> dict[str, float]:
    """Routing data of one shape: reference and fused, eager and replayed, with and without the tap. Microseconds."""
    name = f"time-{n}"
    inputs = arguments(proof.inputs(n, k, e, "f32"), e)
    recorded = 50 if n <= 512 else 5
    dump = RoutingDump(proof.scratch / name, limit=10_000)
    dump.preallocate(256 << 20, slots=4)
    tapped = dump.wrap(fused_routing)
    idle = RoutingDump(proof.scratch / f"{name}-idle")
    graphs = {
        "fused": replayed(proof, idle, lambda: fused_routing(**inputs)),
        "tapped": replayed(proof, dump, lambda: tapped(**inputs)),
    }

    def replay_and_drain() -> None:
        graphs["tapped"].replay()
        dump.drain()

    times = {
        "reference, eager": microseconds(lambda: routing_reference(**inputs), 50),
        "fused, eager": microseconds(lambda: fused_routing(**inputs), 50),
        "fused, eager, again": microseconds(lambda: fused_routing(**inputs), 50),
        "fused and tap, eager": microseconds(lambda: tapped(**inputs), recorded),
        "fused, graph": microseconds(graphs["fused"].replay, 200),
        "fused, graph, again": microseconds(graphs["fused"].replay, 200),
        "fused and tap, graph": microseconds(graphs["tapped"].replay, 200),
    }
    try:
        dump.drain()
    except TapError as error:  # so many replays were not meant to be kept
        proof.results["overwritten"] = str(error)
    times["fused and tap, graph, drained each time"] = microseconds(replay_and_drain, recorded)
    dump.close()
    reference = replayed(proof, idle, lambda: routing_reference(**inputs))
    times["reference, graph"] = microseconds(reference.replay, 200)
    idle.close()
    return times


def time_model(proof: Proof, folder: Path) -> dict[str, float]:
    """A forward of the whole model, with and without the tap. Microseconds."""
    model = load_model(proof, folder)
    times = {}
    for n in (1, 512):
        ids = torch.randint(0, 2000, (1, n), generator=torch.Generator().manual_seed(n)).to(proof.device)

        def run(ids: Tensor = ids) -> None:
            model(input_ids=ids, use_cache=False)

        times[f"model, N={n}"] = microseconds(run, 10, batches=5)
        tap = tap_routers(proof, model, f"time-model-{n}")

        def run_tapped(ids: Tensor = ids, tap: SelectionTap = tap) -> None:
            with tap.forward(ids, position=range(ids.numel()), doc_index=[0] * ids.numel()):
                run(ids)

        times[f"model and tap, N={n}"] = microseconds(run_tapped, 10, batches=5)
        tap.close()
    return times


def main() -> int:
    """Runs all parts; a part that fails does not keep the others from being run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", type=Path, default=HERE.parent.parent / "models" / "abacus-8m")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    proof = Proof(flags.device, flags.out)
    proof.results["ran on"] = {**proof.metadata(), "transformers": transformers.__version__, "python": sys.version}
    parts: dict[str, Callable[[], Any]] = {
        "dumps": lambda: prove_dumps(proof),
        "captures": lambda: prove_captures(proof, flags.model),
    }
    if proof.gpu:
        shapes = ((8, 8, 256), (512, 8, 256), (8192, 8, 256), (65536, 8, 256))
        for n, k, e in shapes:
            parts[f"times of N={n}, K={k}, E={e}"] = lambda n=n, k=k, e=e: time_kernels(proof, n, k, e)
        parts["times of the model"] = lambda: no_grad(time_model, proof, flags.model)
        # Last: whether Transformers' model can be captured as a whole is not this proof's to say.
        docs = json.loads((HERE / "tokens.json").read_text())["one-shot"]
        parts["model in a graph"] = lambda: no_grad(graphs_of_model, proof, flags.model, docs)
    failed = []
    for name, part in parts.items():
        start = time.perf_counter()
        try:
            made = part()
            if made is not None:
                proof.results[name] = made
        except Exception:
            failed.append(name)
            traceback.print_exc()
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)
    proof.results["failed"] = failed
    (flags.out / "results.json").write_text(json.dumps(proof.results, indent=2) + "\n")
    print(json.dumps(proof.results, indent=2))
    shutil.rmtree(proof.scratch)
    return 1 if failed else 0


def no_grad(function: Callable[..., Any], *args: Any) -> Any:
    """Runs a function without recording gradients."""
    with torch.inference_mode():
        return function(*args)


if __name__ == "__main__":
    sys.exit(main())
