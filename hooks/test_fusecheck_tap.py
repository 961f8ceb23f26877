"""Tests of fusecheck_tap on a CPU: `python -m unittest` in this folder, with torch installed (2.1 or later).

CUDA graphs are imitated here: the operations of a "captured" call are remembered and run again at each replay, into the
same tensors. The real thing is proven on a GPU, by proof/.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

import fusecheck_tap
from fusecheck_tap import Call, RoutingDump, SelectionTap, TapError, finalize, read_safetensors, router_margin

HERE = Path(__file__).parent


def select(scores: Tensor, k: int = 2) -> Tuple[Tensor, Tensor]:
    """A router as engines write it: weights first, ids as int32."""
    weights, ids = scores.topk(k, dim=1)
    return weights, ids.to(torch.int32)


def routing_data(topk_weights: Tensor, topk_ids: Tensor, n_expts_tot: int) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    """A counting sort's routing data, by slots."""
    flat = topk_ids.reshape(-1).long()
    order = torch.argsort(flat, stable=True)
    hist = torch.bincount(flat, minlength=n_expts_tot).to(torch.int32)
    return hist, order.to(torch.int32), torch.argsort(order).to(torch.int32), topk_weights.reshape(-1)[order]


class Graph(TorchDispatchMode):
    """Runs what it sees and remembers it."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: List[Tuple[Callable[..., Any], Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Optional[Dict[str, Any]] = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, result))
        return result

    def replay(self) -> None:
        for func, args, kwargs, result in self.operations:
            again, _ = tree_flatten(func(*args, **kwargs))
            for old, new in zip(tree_flatten(result)[0], again):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class Folder(unittest.TestCase):
    """Gives each test a folder."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name) / "captures"

    @contextlib.contextmanager
    def capturing(self, tap: Any) -> Iterator[Graph]:
        graph = Graph()
        tap._is_capturing = lambda: True
        captured = len(tap._channels)
        try:
            with graph:
                yield graph
        finally:
            tap._is_capturing = lambda: False
            # What is captured is not run.
            for channel in tap._channels[captured:]:
                channel.count.zero_()


class SelectionTest(Folder):
    def tap(self, **options: Any) -> SelectionTap:
        tap = SelectionTap(self.folder, n_expts_tot=8, **options)
        self.addCleanup(tap.close)
        return tap

    def test_writes_what_was_chosen_and_hands_it_on_unchanged(self) -> None:
        torch.manual_seed(1)
        tap = self.tap(metadata={"engine": "test", "variant": "fused"})
        functions = {layer: tap.wrap(select, layer=layer, scores=lambda call: call.args[0]) for layer in (1, 3)}
        expected: Dict[int, List[Tuple[Tensor, Tensor]]] = {1: [], 3: []}
        with tap.forward([5, 6, 7], position=[0, 1, 2], doc_index=[4, 4, 4]):
            for layer, function in functions.items():
                scores = torch.rand(3, 8)
                result = function(scores)
                expected[layer].append(result)
                self.assertTrue(all(map(torch.equal, result, select(scores))))
                result[0].clone()
        tap.close()
        tensors, metadata = read_safetensors(tap.path)
        self.assertEqual(
            {key: metadata[key] for key in ("engine", "variant", "n_expts_tot", "n_expts_act", "moe_layers", "rank")},
            {
                "engine": "test",
                "variant": "fused",
                "n_expts_tot": "8",
                "n_expts_act": "2",
                "moe_layers": "1,3",
                "rank": "0",
            },
        )
        self.assertEqual(tensors["input_ids"].tolist(), [5, 6, 7])
        self.assertEqual(tensors["doc_index"].tolist(), [4, 4, 4])
        for layer, ((weights, ids),) in expected.items():
            self.assertEqual(tensors[f"layers.{layer}.topk_ids"].dtype, torch.uint8)
            self.assertEqual(tensors[f"layers.{layer}.topk_ids"].tolist(), ids.tolist())
            self.assertTrue(torch.equal(tensors[f"layers.{layer}.topk_weights"], weights))
            self.assertGreater(float(tensors[f"layers.{layer}.router_margin"].min()), 0)
        self.assertEqual(list(self.folder.glob("*.parts")), [])

    def test_copies_before_the_engine_uses_its_buffers_again(self) -> None:
        tap = self.tap()
        buffers = torch.zeros(2, 2), torch.zeros(2, 2, dtype=torch.int32)
        function = tap.wrap(lambda: buffers, layer=0)
        with tap.forward():
            buffers[1][:] = torch.tensor([[1, 2], [3, 4]])
            function()
            buffers[1].zero_()
        tap.close()
        self.assertEqual(read_safetensors(tap.path)[0]["layers.0.topk_ids"].tolist(), [[1, 2], [3, 4]])

    def test_puts_docs_together_drops_padding_and_keeps_the_last_run_of_a_token(self) -> None:
        tap = self.tap()
        function = tap.wrap(lambda ids: (torch.ones(len(ids), 1), torch.tensor(ids)[:, None]), layer=0)
        forwards = [([0, 1], [0, 1], [7, 7]), ([2, 0], [0, 0], [3, -1]), ([4, 5], [1, 2], [3, 7]), ([6], [2], [7])]
        for ids, position, docs in forwards:
            with tap.forward(ids, position=position, doc_index=docs):
                function(ids)
        tap.close()
        tensors, _ = read_safetensors(tap.path)
        self.assertEqual(tensors["doc_index"].tolist(), [3, 3, 7, 7, 7])
        self.assertEqual(tensors["position"].tolist(), [0, 1, 0, 1, 2])
        self.assertEqual(tensors["layers.0.topk_ids"].flatten().tolist(), [2, 4, 0, 1, 6])

    def test_tells_layers_of_one_function_by_the_order_of_calls(self) -> None:
        tap = self.tap(moe_layers=[3, 5])
        function = tap.wrap(select)
        scores = [torch.rand(n, 8) for n in (4, 4, 2, 2)]
        for part in scores:
            function(part)
        tap.close()
        tensors, metadata = read_safetensors(tap.path)
        self.assertEqual(metadata["moe_layers"], "3,5")
        expected = [select(scores[0])[1], select(scores[2])[1]]
        self.assertEqual(tensors["layers.3.topk_ids"].tolist(), torch.cat(expected).tolist())
        self.assertNotIn("input_ids", tensors)

    def test_patches_modules_and_static_methods_and_takes_it_back(self) -> None:
        class Router(torch.nn.Module):
            def forward(self, scores: Tensor) -> Tuple[Tensor, Tensor]:
                return select(scores)

        class Experts:
            @staticmethod
            def select_experts(hidden_states: Tensor, k: int) -> Tuple[Tensor, Tensor]:
                return select(hidden_states, k)

        router, before = Router(), vars(Experts)["select_experts"]
        tap = self.tap(moe_layers=[1])
        tap.patch(router, "forward", layer=0)
        tap.patch(Experts, "select_experts")
        with tap.forward():
            router(torch.rand(2, 8))
            Experts().select_experts(torch.rand(2, 8), k=2)
        tap.close()
        self.assertNotIn("forward", vars(router))
        self.assertIs(vars(Experts)["select_experts"], before)
        self.assertEqual(read_safetensors(tap.path)[1]["moe_layers"], "0,1")

    def test_finds_what_functions_write_into_their_arguments(self) -> None:
        def biased_grouped_topk(gating: Tensor, topk_weights: Tensor, topk_ids: Tensor) -> None:
            weights, ids = select(gating)
            topk_weights.copy_(weights)
            topk_ids.copy_(ids)

        tap = self.tap()
        scores = torch.rand(3, 8)
        tap.wrap(biased_grouped_topk, layer=0)(scores, torch.empty(3, 2), topk_ids=torch.empty(3, 2, dtype=torch.int32))
        tap.close()
        tensors, _ = read_safetensors(tap.path)
        self.assertEqual(tensors["layers.0.topk_ids"].tolist(), select(scores)[1].tolist())
        self.assertTrue(torch.equal(tensors["layers.0.topk_weights"], select(scores)[0]))

    def test_cuts_shared_experts_off_and_keeps_ids_that_no_expert_has(self) -> None:
        tap = self.tap(n_expts_act=2)
        tap.wrap(lambda: (torch.ones(1, 3), torch.tensor([[7, -1, 8]])), layer=0)()
        tap.close()
        ids = read_safetensors(tap.path)[0]["layers.0.topk_ids"]
        self.assertEqual((ids.tolist(), ids.dtype), ([[7, -1]], torch.int32))

    def test_joins_the_parts_of_a_layer_that_is_called_in_pieces(self) -> None:
        tap = self.tap()
        functions = [tap.wrap(select, layer=layer) for layer in (0, 1)]
        scores = torch.rand(5, 8)
        with tap.forward([1, 2, 3, 4, 5]):
            for function in functions:
                function(scores[:3])
                function(scores[3:])
        tap.close()
        tensors, _ = read_safetensors(tap.path)
        self.assertEqual(tensors["layers.1.topk_ids"].tolist(), select(scores)[1].tolist())

    def test_refuses_what_would_be_a_wrong_capture(self) -> None:
        tap = self.tap(moe_layers=[0])
        function = tap.wrap(select, layer=0)
        with self.assertRaisesRegex(TapError, "given 2 input_ids, but 3 rows"), tap.forward([1, 2]):
            function(torch.rand(3, 8))
        other = tap.wrap(select, layer=1)
        with self.assertRaisesRegex(TapError, "topk_ids differ in shape"), tap.forward([1, 2]):
            function(torch.rand(2, 8))
            other(torch.rand(1, 8))
        unnumbered = tap.wrap(select)
        with self.assertRaisesRegex(TapError, "more calls in one forward than the 1 moe_layers"), tap.forward():
            unnumbered(torch.rand(1, 8))
            unnumbered(torch.rand(1, 8))
        with self.assertRaisesRegex(TapError, "found no topk_ids"):
            tap.wrap(lambda: None, layer=0)()
        with self.assertRaisesRegex(TapError, "already holds capture-rank0"):
            self.tap()

    def test_records_nothing_while_it_is_told_not_to_and_on_other_ranks(self) -> None:
        tap = self.tap()
        function = tap.wrap(select, layer=0)
        tap.recording = False
        with tap.forward([1]):
            function(torch.rand(1, 8))
        tap.recording = True
        with tap.forward([2]):
            function(torch.rand(1, 8))
        tap.close()
        self.assertEqual(read_safetensors(tap.path)[0]["input_ids"].tolist(), [2])
        self.assertIs(self.tap(rank=1).wrap(select, layer=0), select)
        every = self.tap(rank=1, all_ranks=True)
        every.wrap(select, layer=0)(torch.rand(1, 8))
        every.close()
        self.assertEqual(every.path.name, "capture-rank1.safetensors")
        self.assertTrue(every.path.exists())

    def test_graphs_are_fetched_after_each_replay_in_order_with_their_tokens(self) -> None:
        tap = self.tap()
        tap.preallocate(1 << 16, slots=2, device="cpu")
        functions = [tap.wrap(select, layer=layer, scores=lambda call: call.args[0]) for layer in (0, 1)]
        static = torch.rand(4, 8)
        with self.capturing(tap) as graph, tap.forward([0, 0, 0, 0]):
            for function in functions:
                function(static)
        seen = []
        for step in range(5):
            static.copy_(torch.rand(4, 8))
            # Three rows of four: the last is padding.
            with tap.forward([step] * 3, position=[step] * 3, doc_index=[0, 1, 2]):
                graph.replay()
            seen.append(select(static)[1][:3])
            if step == 2:  # an eager prefill of another doc between
                with tap.forward([9], position=[0], doc_index=[9]):
                    for function in functions:
                        function(static[:1])
        tap.close()
        tensors, _ = read_safetensors(tap.path)
        self.assertEqual(tensors["doc_index"].tolist(), [0] * 5 + [1] * 5 + [2] * 5 + [9])
        ids = tensors["layers.1.topk_ids"][:15].reshape(3, 5, 2).transpose(0, 1)
        self.assertEqual(ids.tolist(), torch.stack(seen).tolist())

    def test_graphs_of_several_sizes_keep_their_order_and_count_what_is_lost(self) -> None:
        tap = self.tap()
        tap.preallocate(1 << 16, slots=2, device="cpu")
        function = tap.wrap(lambda ids: (ids.float(), ids), layer=0)
        one, two = torch.zeros(1, 1, dtype=torch.int32), torch.zeros(2, 1, dtype=torch.int32)
        with self.capturing(tap) as small:
            function(one)
        tap.drain()
        with self.capturing(tap) as large:
            function(two)
        for value, graph in enumerate([small, large, large, small], start=1):
            one.fill_(value)
            two.fill_(value)
            graph.replay()
        tap.drain()
        for _ in range(3):
            small.replay()
        with self.assertRaisesRegex(TapError, "1 replays were overwritten"):
            tap.drain()
        tap.close()
        self.assertEqual(read_safetensors(tap.path)[0]["layers.0.topk_ids"].flatten().tolist(), [1, 2, 2, 3, 3, 4])

    def test_capturing_needs_memory_set_aside(self) -> None:
        tap = self.tap()
        function = tap.wrap(select, layer=0)
        with self.assertRaisesRegex(TapError, "call preallocate.. before"), self.capturing(tap):
            function(torch.rand(1, 8))
        tap.preallocate(100, slots=1, device="cpu")
        with self.assertRaisesRegex(TapError, "100 bytes of device memory do not hold"), self.capturing(tap):
            function(torch.rand(9, 8))

    def test_under_torch_compile_the_function_stays_compiled_and_is_recorded(self) -> None:
        compiled: List[int] = []

        def backend(module: Any, _: Any) -> Any:
            compiled.append(sum(node.target is torch.topk or node.target == "topk" for node in module.graph.nodes))
            return module.forward

        tap = self.tap()
        function = tap.wrap(select, layer=0)

        def model(scores: Tensor) -> Tensor:
            weights, ids = function(scores.sigmoid())
            return weights.sum(1) + ids.sum(1)

        scores = torch.rand(3, 8)
        self.assertTrue(torch.equal(torch.compile(model, backend=backend)(scores), model(scores)))
        self.assertEqual(sum(compiled), 1)
        torch._dynamo.reset()
        with self.assertRaises(torch._dynamo.exc.Unsupported):
            torch.compile(model, backend=backend, fullgraph=True)(scores)
        tap.close()
        self.assertEqual(read_safetensors(tap.path)[0]["layers.0.topk_ids"].shape[0], 6)

    def test_margin(self) -> None:
        scores = torch.tensor([[0.1, 0.9, 0.5, 0.4], [0.1, 0.9, 0.5, 0.4], [0.5, float("-inf"), 0.5, float("-inf")]])
        margin = router_margin(scores, torch.tensor([[1, 2], [1, 3], [0, 2]]))
        self.assertEqual([round(x, 6) for x in margin.tolist()], [0.1, -0.1, float("inf")])


class DumpTest(Folder):
    def dump(self, **options: Any) -> RoutingDump:
        dump = RoutingDump(self.folder, **options)
        self.addCleanup(dump.close)
        return dump

    def inputs(self, n: int, dtype: torch.dtype = torch.float32) -> Tuple[Tensor, Tensor]:
        weights, ids = select(torch.rand(n, 8))
        return weights.to(dtype), ids

    def test_lays_cases_out_as_fusecheck_reads_them(self) -> None:
        dump = self.dump(metadata={"device": "CPU"})
        function = dump.wrap(routing_data, implementation="kernel")
        for n, dtype in ((3, torch.float32), (1, torch.bfloat16)):
            weights, ids = self.inputs(n, dtype)
            result = function(weights, topk_ids=ids, n_expts_tot=8)
            self.assertTrue(all(map(torch.equal, result, routing_data(weights, ids, 8))))
        dump.close()
        tensors, metadata = read_safetensors(dump.path)
        self.assertEqual(metadata["device"], "CPU")
        outputs = [f"kernel_{name}" for name in ("hist", "topk_indx", "gate_indx", "gate_scal")]
        names = ["topk_ids", "topk_weights", *outputs]
        self.assertEqual(
            sorted(tensors), sorted(f"{c}.{n}" for c in ("call0_n3_k2_e8", "call1_n1_k2_e8") for n in names)
        )
        self.assertTrue(torch.equal(tensors["call1_n1_k2_e8.kernel_gate_scal"], result[3]))
        self.assertEqual(tensors["call1_n1_k2_e8.topk_weights"].dtype, torch.bfloat16)

    def test_keeps_the_inputs_as_they_were_before_the_call(self) -> None:
        def in_place(topk_ids: Tensor, topk_weights: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
            result = routing_data(topk_weights.clone(), topk_ids.clone(), 8)
            topk_ids.zero_()
            return result

        dump = self.dump()
        weights, ids = self.inputs(4)
        before = ids.tolist()
        dump.wrap(in_place)(ids, weights)
        dump.close()
        self.assertEqual(read_safetensors(dump.path)[0]["call0_n4_k2_e8.topk_ids"].tolist(), before)

    def test_reads_what_triton_kernels_return_and_expert_maps(self) -> None:
        class Data:
            expt_hist = torch.zeros(8)
            gate_scal = torch.ones(2)

        class Index:
            def __init__(self, src: int) -> None:
                self.src_indx = torch.full((2,), src)

        for gather, scatter in ((Index(1), Index(2)), (torch.full((2,), 1), torch.full((2,), 2))):
            call = Call(None, (), {}, (Data(), gather, scatter))
            found = {name: part[0].item() for name, part in fusecheck_tap.pick_routing(call).items()}
            self.assertEqual(found, {"hist": 0, "topk_indx": 1, "gate_indx": 2, "gate_scal": 1})

        dump = self.dump()
        function = dump.wrap(lambda topk_ids, topk_weights, expert_map=None: routing_data(topk_weights, topk_ids, 8))
        weights, ids = self.inputs(2)
        function(ids, weights, expert_map=torch.arange(8))
        dump.close()
        self.assertEqual(read_safetensors(dump.path)[0]["call0_n2_k2_e8.expert_map"].tolist(), list(range(8)))

    def test_ends_at_its_limit(self) -> None:
        dump = self.dump(limit=2)
        function = dump.wrap(routing_data)
        for _ in range(3):
            function(*self.inputs(2), 8)
        dump.close()
        self.assertEqual(len(read_safetensors(dump.path)[0]), 12)

    def test_graphs(self) -> None:
        dump = self.dump()
        dump.preallocate(1 << 16, slots=2, device="cpu")
        function = dump.wrap(routing_data)
        weights, ids = self.inputs(4)
        with self.capturing(dump) as graph:
            function(weights, ids, 8)
        for _ in range(2):
            for old, new in zip((weights, ids), self.inputs(4)):
                old.copy_(new)
            graph.replay()
        dump.drain()
        dump.close()
        tensors, _ = read_safetensors(dump.path)
        self.assertEqual(len(tensors), 12)
        self.assertEqual(tensors["replay1_n4_k2_e8.topk_ids"].tolist(), ids.tolist())
        self.assertEqual(
            tensors["replay1_n4_k2_e8.fused_topk_indx"].tolist(), routing_data(weights, ids, 8)[1].tolist()
        )


class KilledTest(Folder):
    PROGRAM = """
        import os, sys, torch
        from fusecheck_tap import SelectionTap
        tap = SelectionTap(sys.argv[1], n_expts_tot=8)
        function = tap.wrap(lambda: (torch.ones(2, 1), torch.tensor([[1], [2]])), layer=0)
        for step in range(3):
            with tap.forward([1, 2], position=[2 * step, 2 * step + 1], doc_index=[0, 0]):
                function()
        if sys.argv[2] == "killed":
            os.kill(os.getpid(), 9)
    """

    def run_program(self, how: str) -> int:
        program = textwrap.dedent(self.PROGRAM)
        command = [sys.executable, "-c", program, str(self.folder), how]
        return subprocess.run(command, cwd=HERE, check=False).returncode

    def finalize(self) -> Tuple[int, str]:
        command = [sys.executable, str(HERE / "fusecheck_tap.py"), "finalize", str(self.folder)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_a_process_that_ends_without_close_leaves_a_whole_file(self) -> None:
        self.assertEqual(self.run_program("ends"), 0)
        tensors, _ = read_safetensors(self.folder / "capture-rank0.safetensors")
        self.assertEqual(tensors["position"].tolist(), list(range(6)))

    def test_what_a_killed_process_left_is_finalized_without_the_half_record_at_its_end(self) -> None:
        self.assertEqual(self.run_program("killed"), -signal.SIGKILL)
        parts = self.folder / "capture-rank0.parts"
        os.truncate(parts, parts.stat().st_size - 5)
        code, output = self.finalize()
        self.assertEqual(code, 0, output)
        self.assertRegex(output, r"capture-rank0.parts; the last record was cut off \(\d+ bytes\) and is left out\n")
        tensors, _ = read_safetensors(self.folder / "capture-rank0.safetensors")
        self.assertEqual(tensors["position"].tolist(), list(range(4)))
        self.assertEqual(self.finalize()[0], 2)

    def test_an_empty_recording_says_so(self) -> None:
        SelectionTap(self.folder, n_expts_tot=8).close()
        self.assertEqual([*finalize(self.folder).values()], [["nothing was recorded"]])


if __name__ == "__main__":
    unittest.main()
