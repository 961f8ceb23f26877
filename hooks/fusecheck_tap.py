"""Records what a torch engine's MoE routing chose and made of it, for fusecheck to judge. One file; needs torch alone.

Two taps, both beside the engine and never in its way:

- `SelectionTap` wraps a function that chooses experts and writes a capture (which experts, with which weights, each
  token used in each layer), for `fusecheck parity captures`.
- `RoutingDump` wraps a function that makes routing data (hist, topk_indx, gate_indx, gate_scal) and writes a dump, for
  `fusecheck parity routing --dump`.

    tap = SelectionTap("captures", n_expts_tot=256, metadata={"engine": "ATOM", "variant": "fused"})
    for i, layer in enumerate(model.layers):
        tap.patch(layer.mlp.experts, "select_experts", layer=i)
    with tap.forward(input_ids, position=positions, doc_index=requests):
        model(...)
    tap.close()  # writes captures/capture-rank0.safetensors

Observing must not switch the fused path off. The wrapped function is called once, as it was called, and its result is
handed on as it came; only what goes in and what comes out is copied. No tensor is asked for that the function does not
give anyway: asking for one from the middle of a fusion is what makes engines fall back to the unfused path.

What is recorded goes to `<folder>/<kind>-rank<r>.parts` as it comes, and becomes a safetensors file in `close()`, at
exit, or, where the process was killed, with `python fusecheck_tap.py finalize FOLDER`.

CUDA graphs: copying to the host is illegal while a graph is captured, so a call that is being captured writes into
device memory set aside by `preallocate()`, on every replay, and `forward()` or `drain()` fetches it after the replay.
Without that memory the call is refused. torch.compile: recording is a graph break right after the wrapped function (an
error under `fullgraph=True`); wrap inside of the engine's custom op, where there is one. docs/captures.md says more.
"""

from __future__ import annotations

import argparse
import atexit
import ctypes
import functools
import inspect
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
    cast,
)

import torch
from torch import Tensor

__all__ = ["Call", "RoutingDump", "SelectionTap", "TapError", "finalize", "read_safetensors", "write_safetensors"]


class TapError(RuntimeError):
    """What was to be recorded cannot be, or would be wrong. The engine's own results were not touched."""


# --- safetensors: 8 bytes of header length, the header as JSON, the tensors' bytes back to back, all little-endian

_NAMES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "float16": "F16", "bfloat16": "BF16",
    "uint32": "U32", "int32": "I32", "float32": "F32", "uint64": "U64", "int64": "I64", "float64": "F64",
}  # fmt: skip
# Old versions of torch lack some of the unsigned types.
_DTYPE_NAMES = {getattr(torch, name): code for name, code in _NAMES.items() if hasattr(torch, name)}
_DTYPES = {code: dtype for dtype, code in _DTYPE_NAMES.items()}

Metadata = Mapping[str, str]
Function = TypeVar("Function", bound=Callable[..., Any])


def _eager(function: Function) -> Function:
    """Keeps torch.compile out of a function, which becomes a graph break; nothing else is kept from being compiled."""
    return cast(Function, torch.compiler.disable(function))


def _raw(tensor: Tensor) -> bytes:
    """The bytes of a tensor; neither numpy, which torch can be without, nor a loop over elements."""
    tensor = tensor.detach().cpu().contiguous()
    return ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size()) if tensor.numel() > 0 else b""


def _header(shapes: Mapping[str, Tuple[torch.dtype, Sequence[int]]], metadata: Metadata) -> bytes:
    header: Dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, (dtype, shape) in shapes.items():
        begin, end = end, end + torch.Size(shape).numel() * torch.empty(0, dtype=dtype).element_size()
        header[name] = {"dtype": _DTYPE_NAMES[dtype], "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def write_safetensors(
    path: Union[str, Path],
    shapes: Mapping[str, Tuple[torch.dtype, Sequence[int]]],
    data: Iterator[Tensor],
    metadata: Metadata,
) -> None:
    """Writes tensors that come one by one, in the order of `shapes`. The file is there whole, or not at all."""
    temporary = Path(f"{path}.tmp")
    with open(temporary, "wb") as file:
        file.write(_header(shapes, metadata))
        for (name, (dtype, shape)), tensor in zip(shapes.items(), data):
            if tensor.dtype != dtype or list(tensor.shape) != list(shape):
                raise TapError(f"{name} came as {tensor.dtype} {list(tensor.shape)}, not {dtype} {list(shape)}")
            file.write(_raw(tensor))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


class _Record(NamedTuple):
    """One safetensors block in a file of them; the tensors were not read yet."""

    metadata: Dict[str, str]
    tensors: Dict[str, Tuple[torch.dtype, List[int], int]]  # dtype, shape, place of the first byte in the file


def _records(path: Path) -> Tuple[List[_Record], int]:
    """The whole records of a file, and how many bytes of a last one, cut off in mid-write, stand after them."""
    found: List[_Record] = []
    size = path.stat().st_size
    position = 0
    with open(path, "rb") as file:
        while size - position >= 8:
            file.seek(position)
            length = int.from_bytes(file.read(8), "little")
            if position + 8 + length > size:
                break
            header = json.loads(file.read(length))
            start = position + 8 + length
            metadata = header.pop("__metadata__", {})
            end = start + max((entry["data_offsets"][1] for entry in header.values()), default=0)
            if end > size:
                break
            tensors = {k: (_DTYPES[e["dtype"]], e["shape"], start + e["data_offsets"][0]) for k, e in header.items()}
            found.append(_Record(metadata, tensors))
            position = end
    return found, size - position


def _read(file: Any, dtype: torch.dtype, shape: Sequence[int], begin: int) -> Tensor:
    count = torch.Size(shape).numel()
    if count == 0:
        return torch.empty(list(shape), dtype=dtype)
    file.seek(begin)
    data = bytearray(file.read(count * torch.empty(0, dtype=dtype).element_size()))
    return torch.frombuffer(data, dtype=dtype, count=count).reshape(list(shape))


def read_safetensors(path: Union[str, Path]) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
    """All of a file that this module wrote: tensors and metadata."""
    (record, *_), _ = _records(Path(path))
    with open(path, "rb") as file:
        return {name: _read(file, *where) for name, where in record.tensors.items()}, record.metadata


# --- device memory that captured graphs write into

_KEPT: List[Tensor] = []
"""Memory that graphs write into for as long as the process lives, whatever becomes of the tap."""

_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class _Memory:
    """One allocation, handed out in pieces: nothing may be allocated for good while a graph is captured."""

    def __init__(self, nbytes: int, slots: int, device: Union[str, torch.device]) -> None:
        self.bytes = torch.zeros(nbytes, dtype=torch.uint8, device=device)
        self.slots = slots
        self.used = 0
        self.clock = self.take([1], torch.int64)
        """Forwards of all graphs so far: their order is known on the device only."""

    def take(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        size = torch.Size(shape).numel() * torch.empty(0, dtype=dtype).element_size()
        begin, self.used = self.used, self.used + size + (-size % 16)
        if self.used > self.bytes.numel():
            raise TapError(
                f"fusecheck_tap: {self.bytes.numel()} bytes of device memory do not hold all captured graphs; "
                "give preallocate() more bytes, or fewer slots"
            )
        return self.bytes[begin : begin + size].view(dtype).view(list(shape))


class _Channel:
    """What one captured graph writes: a ring of slots, one per replay. Device operations alone; none allocates."""

    def __init__(self, memory: _Memory) -> None:
        self.memory = memory
        self.rings: Dict[Any, Tensor] = {}
        self.seen = 0
        self.count = memory.take([1], torch.int64)
        self.slot = memory.take([1], torch.int64)
        self.order = memory.take([memory.slots], torch.int64)
        memory.clock.add_(1)
        torch.remainder(self.count, memory.slots, out=self.slot)
        self.count.add_(1)
        self.order.index_copy_(0, self.slot, memory.clock)

    def put(self, key: Any, value: Tensor) -> None:
        ring = self.memory.take([self.memory.slots, *value.shape], value.dtype)
        self.rings[key] = ring
        # As bits: not every operation knows every dtype.
        bits = _BITS[value.element_size()]
        ring.view(bits).index_copy_(0, self.slot, value.detach().view(bits).unsqueeze(0))

    def drain(self, count: int) -> Tuple[List[Tuple[int, Dict[Any, Tensor]]], int]:
        """What was written since the last time, oldest first, as (order, values), and how much was overwritten."""
        first = max(self.seen, count - self.memory.slots)
        lost, self.seen = first - self.seen, count
        if first == count:
            return [], lost
        order = self.order.tolist()
        slots = [n % self.memory.slots for n in range(first, count)]
        host = {key: ring.cpu() for key, ring in self.rings.items()}
        return [(order[slot], {key: ring[slot] for key, ring in host.items()}) for slot in slots], lost


# --- what a tap is, whatever it records


class Call:
    """A call of a wrapped function, for the functions that say where in it the tensors are."""

    def __init__(
        self,
        signature: Optional[inspect.Signature],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        result: Any = None,
    ) -> None:
        self.args = args
        self.kwargs = kwargs
        self.result = result
        self._signature = signature
        self._bound: Optional[Mapping[str, Any]] = None

    def argument(self, name: str) -> Any:
        """The argument of this name, however it was given; None where there is none."""
        if name in self.kwargs or self._signature is None:
            return self.kwargs.get(name)
        if self._bound is None:
            self._bound = self._signature.bind_partial(*self.args, **self.kwargs).arguments
        return self._bound.get(name)


def _signature(function: Callable[..., Any]) -> Optional[inspect.Signature]:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # of some built-in functions
        return None


def _rank() -> int:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return int(torch.distributed.get_rank())
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")))


class _Tap:
    """A file of records, the memory for graphs, and the functions that were patched."""

    kind = ""
    wrap: Callable[..., Callable[..., Any]]

    def __init__(
        self,
        folder: Union[str, Path],
        metadata: Optional[Metadata],
        rank: Optional[int],
        all_ranks: bool,
    ) -> None:
        if sys.byteorder != "little":
            raise TapError("fusecheck_tap: safetensors are little-endian, this machine is not")
        rank = _rank() if rank is None else rank
        self.metadata = {"captured_by": "fusecheck_tap", "rank": str(rank), **(metadata or {})}
        self.recording = rank == 0 or all_ranks
        """Set to False to let calls pass without being recorded, as in an engine's warm-up."""
        self._active = self.recording
        self._stem = Path(folder) / f"{self.kind}-rank{rank}"
        self._undo: List[Callable[[], None]] = []
        self._memory: Optional[_Memory] = None
        self._channels: List[_Channel] = []
        self._pid = os.getpid()
        self._size = 0
        if not self._active:
            return
        self._stem.parent.mkdir(parents=True, exist_ok=True)
        parts = self._stem.with_suffix(".parts")
        if parts.exists() or self._stem.with_suffix(".safetensors").exists():
            raise TapError(f"fusecheck_tap: {self._stem.parent} already holds {self._stem.name}; take another folder")
        self._file = open(parts, "xb", buffering=0)
        atexit.register(self.close)

    @property
    def path(self) -> Path:
        """The file that `close()` writes."""
        return self._stem.with_suffix(".safetensors")

    def preallocate(
        self, nbytes: int = 256 << 20, *, slots: int = 4, device: Union[str, torch.device] = "cuda"
    ) -> None:
        """Sets device memory aside for graphs that will be captured; call it before the engine captures them.

        `slots`: replays of one graph that are kept until they are drained; more are counted, and `drain()` raises.
        A graph needs slots * layers * N * (K * (bytes of an id + of a weight) + 4, where there are margins).
        """
        if self._memory is not None:
            raise TapError("fusecheck_tap: preallocate() was called before")
        # Made under inference mode, it could not be written to outside of it.
        with torch.inference_mode(False):
            self._memory = _Memory(nbytes, slots, device) if self._active else None

    def patch(self, owner: Any, name: str, **options: Any) -> None:
        """Puts a wrapped function in the place of `owner.name`: of a module, a class or an object. `close()` undoes it.

        Patch the name that the engine calls: `from m import f` has made a name of its own, which patching m misses.
        """
        if not self._active:
            return
        own = name in vars(owner)
        raw = vars(owner).get(name)
        wrapped: Any = self.wrap(getattr(owner, name), **options)
        if isinstance(inspect.getattr_static(owner, name), staticmethod) and inspect.isclass(owner):
            wrapped = staticmethod(wrapped)
        setattr(owner, name, wrapped)
        self._undo.append(lambda: setattr(owner, name, raw) if own else delattr(owner, name))

    def close(self) -> None:
        """Takes the patches back, fetches what is left and writes the file. Nothing happens the second time."""
        # A forked child must not end its parent's recording.
        if not self._active or os.getpid() != self._pid:
            return
        for undo in reversed(self._undo):
            undo()
        try:
            self.drain()
        finally:
            self._active = self.recording = False
            atexit.unregister(self.close)
            self._file.close()
        _finalize_file(self._stem.with_suffix(".parts"), keep=False)

    def drain(self) -> None:
        """Fetches what replayed graphs wrote: call it after a replay, outside of any capture."""
        for values in self._fetch():
            self._replayed(values)

    def _replayed(self, values: Dict[Any, Tensor]) -> None:
        raise NotImplementedError

    def _fetch(self) -> List[Dict[Any, Tensor]]:
        if not self._channels or self._memory is None:
            return []
        _synchronize(self._memory.bytes)
        counts: List[int] = torch.cat([channel.count for channel in self._channels]).tolist()
        drained = [channel.drain(count) for channel, count in zip(self._channels, counts)]
        lost = sum(part for _, part in drained)
        if lost > 0:
            raise TapError(
                f"fusecheck_tap: {lost} replays were overwritten before they were drained, and all since the last "
                "drain are left out; drain after every replay, or give preallocate() more slots"
            )
        return [values for _, values in sorted((row for rows, _ in drained for row in rows), key=lambda row: row[0])]

    def _is_capturing(self) -> bool:
        return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()

    def _new_channel(self) -> _Channel:
        if self._memory is None:
            raise TapError(
                "fusecheck_tap: this call is being captured into a CUDA graph, where no copy to the host can be; "
                "call preallocate() before the engine captures its graphs"
            )
        if not self._channels:
            _KEPT.append(self._memory.bytes)
        channel = _Channel(self._memory)
        self._channels.append(channel)
        return channel

    def _append(self, tensors: Mapping[str, Tensor], metadata: Metadata) -> None:
        shapes = {name: (tensor.dtype, list(tensor.shape)) for name, tensor in tensors.items()}
        header = _header(shapes, {"kind": self.kind, **self.metadata, **metadata})
        block = memoryview(b"".join([header, *(_raw(tensor) for tensor in tensors.values())]))
        try:
            written = 0
            while written < len(block):
                written += self._file.write(block[written:]) or 0
        except OSError:
            # What follows half a record could not be read.
            os.ftruncate(self._file.fileno(), self._size)
            self._file.seek(self._size)
            raise
        self._size += len(block)


def _synchronize(tensor: Tensor) -> None:
    """Waits for all streams: engines run experts beside attention, on streams of their own."""
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)


def _tensors(value: Any) -> List[Tensor]:
    return [part for part in value if isinstance(part, Tensor)] if isinstance(value, (tuple, list)) else []


# --- (a) the experts that were chosen

Selection = Tuple[Tensor, Optional[Tensor]]


def pick_selection(call: Call) -> Selection:
    """Finds topk_ids and topk_weights [N, K] of a call.

    In this order: attributes of these names of the result; in a tuple, the two-dimensional integers, and the floats of
    the same shape; arguments of these names, which functions that return nothing write into.
    """
    if hasattr(call.result, "topk_ids"):
        return call.result.topk_ids, getattr(call.result, "topk_weights", None)
    parts = [part for part in _tensors(call.result) if part.dim() == 2]
    ids = next((part for part in parts if not part.is_floating_point()), None)
    if ids is None and call.argument("topk_ids") is not None:
        return call.argument("topk_ids"), call.argument("topk_weights")
    if ids is None:
        raise TapError("fusecheck_tap: found no topk_ids in the call's result or arguments; say where with pick=")
    return ids, next((part for part in parts if part.is_floating_point() and part.shape == ids.shape), None)


def router_margin(scores: Tensor, topk_ids: Tensor) -> Tensor:
    """How far the worst expert chosen scored above the best one left out. [N]

    `scores` [N, E] are those that were chosen by, correction bias included, -inf where an expert could not be chosen.
    """
    scores = scores.detach().float()
    ids = topk_ids.long().clamp(0, scores.shape[1] - 1)
    return scores.gather(1, ids).amin(1) - scores.scatter(1, ids, float("-inf")).amax(1)


class _Forward:
    """One run of the model: what each layer chose. Keys are (layer, call of that layer, name)."""

    def __init__(self, tokens: Optional[Dict[str, Tensor]], explicit: bool) -> None:
        self.tokens = tokens
        self.explicit = explicit
        self.values: Dict[Tuple[int, int, str], Tensor] = {}
        self.channel: Optional[_Channel] = None
        self.calls: Dict[int, int] = {}
        self.unnumbered = 0


class SelectionTap(_Tap):
    """Records topk_ids, topk_weights and, where scores can be had, router margins.

    `n_expts_tot` is E. `n_expts_act` cuts columns from K on off: shared experts that an engine appends. `moe_layers`
    are the model's layers with experts; needed where one function serves all layers. Rank 0 alone records, since in
    tensor parallelism every rank chooses the same; with `all_ranks` (expert and data parallelism) each rank does, into
    a file of its own.
    """

    kind = "capture"

    def __init__(
        self,
        folder: Union[str, Path],
        *,
        n_expts_tot: int,
        n_expts_act: Optional[int] = None,
        moe_layers: Optional[Sequence[int]] = None,
        metadata: Optional[Metadata] = None,
        rank: Optional[int] = None,
        all_ranks: bool = False,
    ) -> None:
        super().__init__(folder, metadata, rank, all_ranks)
        self.metadata["n_expts_tot"] = str(n_expts_tot)
        self._k = n_expts_act
        self._layers = moe_layers
        self._open: Optional[_Forward] = None
        self._late: List[_Forward] = []

    def wrap(
        self,
        function: Callable[..., Any],
        *,
        layer: Optional[int] = None,
        pick: Callable[[Call], Selection] = pick_selection,
        scores: Optional[Callable[[Call], Tensor]] = None,
    ) -> Callable[..., Any]:
        """The function, recorded. `layer` None: one function for all of `moe_layers`, told apart by the order of calls.

        `scores` gives what was chosen by, [N, E] with the correction bias, from the call's arguments and result.
        """
        if layer is None and self._layers is None:
            raise TapError("fusecheck_tap: say which layer this function serves, or give the tap moe_layers")
        if not self._active:
            return function
        signature = _signature(function)

        @functools.wraps(function)
        def tapped(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            if self.recording:
                self._see(layer, pick, scores, signature, args, kwargs, result)
            return result

        return tapped

    @contextmanager
    def forward(
        self,
        input_ids: Union[Tensor, Sequence[int], None] = None,
        *,
        position: Union[Tensor, Sequence[int], None] = None,
        doc_index: Union[Tensor, Sequence[int], None] = None,
    ) -> Iterator[None]:
        """Says which tokens a run of the model is of: their ids, positions in their docs, and docs (-1: padding).

        Around the run, whether it is eager or replays a graph; of a graph's rows, those after the tokens are padding.
        Ignored where a graph is captured.
        """
        given = {"input_ids": input_ids, "position": position, "doc_index": doc_index}
        if not self.recording or self._is_capturing():
            yield
            self._end()
            return
        self.drain()
        tokens = {
            name: torch.as_tensor(part).detach().reshape(-1).to("cpu", torch.int32, copy=True)
            for name, part in given.items()
            if part is not None
        }
        self._open = _Forward(tokens or None, explicit=True)
        try:
            yield
        except BaseException:
            self._open = None
            raise
        self._end()

    def drain(self) -> None:
        """Fetches what replayed graphs wrote: call it after a replay, outside of any capture and of `forward()`."""
        self._end()
        super().drain()

    @_eager
    def _see(
        self,
        layer: Optional[int],
        pick: Callable[[Call], Selection],
        scores: Optional[Callable[[Call], Tensor]],
        *called: Any,
    ) -> None:
        call = Call(*called)
        ids, weights = pick(call)
        if ids.shape[0] == 0:
            return
        capturing = self._is_capturing()
        forward = self._forward_of(layer, capturing)
        if layer is None:
            layers = self._layers or ()
            if forward.unnumbered >= len(layers):
                raise TapError(f"fusecheck_tap: more calls in one forward than the {len(layers)} moe_layers")
            layer = layers[forward.unnumbered]
            forward.unnumbered += 1
        nth = forward.calls.get(layer, 0)
        forward.calls[layer] = nth + 1
        values = {"topk_ids": ids[:, : self._k]}
        if weights is not None:
            values["topk_weights"] = weights[:, : self._k]
        if scores is not None:
            values["router_margin"] = router_margin(scores(call), values["topk_ids"])
        for name, value in values.items():
            if forward.channel is not None:
                forward.channel.put((layer, nth, name), value)
            else:
                # A clone, as engines use their buffers again; to the host only once per forward.
                forward.values[(layer, nth, name)] = value.detach().clone()

    def _forward_of(self, layer: Optional[int], capturing: bool) -> _Forward:
        """The run that a call belongs to. Where nobody says, a new one begins when a layer comes round again."""
        forward = self._open
        if forward is not None and not forward.explicit:
            again = layer in forward.calls if layer is not None else forward.unnumbered >= len(self._layers or ())
            if again or capturing != (forward.channel is not None):
                self._end()
                forward = None
        if forward is None:
            forward = self._open = _Forward(None, explicit=False)
        if capturing and forward.values:
            raise TapError("fusecheck_tap: one forward both captures a graph and runs eagerly")
        if capturing and forward.channel is None:
            forward.channel = self._new_channel()
        return forward

    def _end(self) -> None:
        """Ends the run in progress. What was recorded eagerly waits where a graph is being captured meanwhile."""
        forward, self._open = self._open, None
        if forward is not None and forward.channel is None:
            self._late.append(forward)
        if self._is_capturing():
            return
        ended, self._late = self._late, []
        for each in ended:
            if each.values:
                self._write(each.values, each.tokens, padded=False)
            elif each.tokens is not None:
                self._write_replay(each.tokens)

    def _write_replay(self, tokens: Dict[str, Tensor]) -> None:
        replays = self._fetch()
        if len(replays) > 1:
            raise TapError(f"fusecheck_tap: {len(replays)} graphs were replayed in one forward(); one is expected")
        for values in replays:
            self._write(values, tokens, padded=True)

    def _replayed(self, values: Dict[Any, Tensor]) -> None:
        self._write(values, None, padded=False)

    def _write(self, values: Dict[Any, Tensor], tokens: Optional[Dict[str, Tensor]], *, padded: bool) -> None:
        _synchronize(next(iter(values.values())))
        layers = sorted({layer for layer, _, _ in values})
        tensors: Dict[str, Tensor] = {}
        for name in ("topk_ids", "topk_weights", "router_margin"):
            rows = [[values[key] for key in sorted(values) if (key[0], key[2]) == (layer, name)] for layer in layers]
            if not any(rows):
                continue
            each = [torch.cat(parts) for parts in rows if parts]
            if len({(part.shape, part.dtype) for part in each}) != 1 or len(each) != len(layers):
                shapes = {layer: [list(p.shape) for p in parts] for layer, parts in zip(layers, rows)}
                raise TapError(
                    f"fusecheck_tap: {name} differ in shape or dtype between the layers of one forward: {shapes}"
                )
            tensors[name] = torch.stack(each).cpu()
        n_rows = tensors["topk_ids"].shape[1]
        for name, part in (tokens or {}).items():
            if part.numel() > n_rows or (part.numel() < n_rows and not padded):
                raise TapError(
                    f"fusecheck_tap: forward() was given {part.numel()} {name}, but {n_rows} rows were routed"
                )
            n_rows = part.numel()
        tensors = {name: part[:, :n_rows] for name, part in tensors.items()}
        tensors["topk_ids"] = tensors["topk_ids"].to(torch.int32)
        low, high = (int(bound) for bound in torch.aminmax(tensors["topk_ids"]))
        metadata = {"moe_layers": ",".join(map(str, layers)), "low": str(low), "high": str(high)}
        self._append({**tensors, **(tokens or {})}, metadata)


# --- (b) routing data

_OUTPUTS = ("hist", "topk_indx", "gate_indx", "gate_scal")


def pick_inputs(call: Call) -> Dict[str, Tensor]:
    """topk_ids, topk_weights and expert_map of a call: arguments of these names, else the first tensors that fit."""
    names = ("topk_ids", "topk_weights", "expert_map")
    found = {name: call.argument(name) for name in names if isinstance(call.argument(name), Tensor)}
    parts = [part for part in _tensors([*call.args, *call.kwargs.values()]) if part.dim() == 2]
    if "topk_ids" not in found:
        found.update([("topk_ids", part) for part in parts if not part.is_floating_point()][:1])
    if "topk_weights" not in found:
        found.update([("topk_weights", part) for part in parts if part.is_floating_point()][:1])
    if "topk_ids" not in found or "topk_weights" not in found:
        raise TapError("fusecheck_tap: found no topk_ids and topk_weights among the arguments; say where with pick_in=")
    return found


def pick_routing(call: Call) -> Dict[str, Tensor]:
    """hist, topk_indx, gate_indx, gate_scal of a result: four tensors, or triton_kernels' (data, gather, scatter)."""
    result = call.result
    if len(_tensors(result)) == 4:
        return dict(zip(_OUTPUTS, result))
    data: Any = result[0] if isinstance(result, (tuple, list)) and len(result) == 3 else None
    if not hasattr(data, "expt_hist"):
        raise TapError("fusecheck_tap: the result is none of the known forms of routing data; say where with pick_out=")
    _, gather, scatter = result
    indices = (getattr(gather, "src_indx", gather), getattr(scatter, "src_indx", scatter))
    return dict(zip(_OUTPUTS, (data.expt_hist, *indices, data.gate_scal)))


class RoutingDump(_Tap):
    """Records routing data together with what they were made from, a case per call, at most `limit` of them.

    Each eager call is copied to the host at once, which waits for the device.
    """

    kind = "dump"

    def __init__(
        self,
        folder: Union[str, Path],
        *,
        limit: int = 256,
        metadata: Optional[Metadata] = None,
        rank: Optional[int] = None,
        all_ranks: bool = False,
    ) -> None:
        super().__init__(folder, metadata, rank, all_ranks)
        self._limit = limit
        self._cases = 0

    def wrap(
        self,
        function: Callable[..., Any],
        *,
        implementation: str = "fused",
        pick_in: Callable[[Call], Dict[str, Tensor]] = pick_inputs,
        pick_out: Callable[[Call], Dict[str, Tensor]] = pick_routing,
    ) -> Callable[..., Any]:
        """The function, recorded as `implementation`. `ref`: flat indices of sorted rows; all others: of slots.

        `pick_out` may give token_offs_raw and the tiles of docs/parity.md, too.
        """
        if not self._active:
            return function
        signature = _signature(function)

        @functools.wraps(function)
        def tapped(*args: Any, **kwargs: Any) -> Any:
            if not self.recording:
                return function(*args, **kwargs)
            held = self._before(pick_in, signature, args, kwargs)
            result = function(*args, **kwargs)
            self._after(pick_out, implementation, held, signature, args, kwargs, result)
            return result

        return tapped

    def record(
        self, case: str, inputs: Mapping[str, Tensor], implementations: Mapping[str, Mapping[str, Tensor]]
    ) -> None:
        """Records one case by hand: several implementations of the same inputs, say."""
        if not self.recording or inputs["topk_ids"].numel() == 0:
            return
        tensors = {f"{case}.{name}": tensor for name, tensor in inputs.items()}
        for implementation, outputs in implementations.items():
            tensors.update({f"{case}.{implementation}_{name}": tensor for name, tensor in outputs.items()})
        for tensor in tensors.values():
            _synchronize(tensor)
        self._cases += 1
        self._append(tensors, {})

    @_eager
    def _before(self, pick_in: Callable[[Call], Dict[str, Tensor]], *called: Any) -> Any:
        """Copies the inputs: the function may write into them."""
        if self._cases >= self._limit:
            return None
        inputs = pick_in(Call(*called))
        if not self._is_capturing():
            return {name: tensor.detach().clone() for name, tensor in inputs.items()}
        channel = self._new_channel()
        for name, tensor in inputs.items():
            channel.put(name, tensor)
        return channel

    @_eager
    def _after(
        self, pick_out: Callable[[Call], Dict[str, Tensor]], implementation: str, held: Any, *called: Any
    ) -> None:
        if held is None:
            return
        outputs = {f"{implementation}_{name}": tensor for name, tensor in pick_out(Call(*called)).items()}
        if isinstance(held, _Channel):
            for name, tensor in outputs.items():
                held.put(name, tensor)
            return
        self._replayed({**held, **outputs}, "call")

    def _replayed(self, values: Dict[Any, Tensor], how: str = "replay") -> None:
        if self._cases >= self._limit or values["topk_ids"].numel() == 0:
            return
        n, k = values["topk_ids"].shape
        e = next(tensor.numel() for name, tensor in values.items() if name.endswith("_hist"))
        self.record(f"{how}{self._cases}_n{n}_k{k}_e{e}", values, {})


# --- from records to one file


def _capture_order(records: List[_Record], file: Any) -> Tuple[Optional[Tensor], Dict[str, Tensor], int]:
    """Which rows stand where: each doc's tokens together, in order, without padding; of a repeated token, the last."""
    names = [name for name in ("input_ids", "doc_index", "position") if all(name in r.tensors for r in records)]
    tokens = {name: torch.cat([_read(file, *record.tensors[name]) for record in records]) for name in names}
    if "doc_index" not in tokens:
        return None, tokens, 0
    docs = tokens["doc_index"].long()
    rows = torch.nonzero(docs >= 0).flatten()
    place = tokens["position"].long() if "position" in tokens else torch.zeros_like(docs)
    keys = (docs << 32) + place
    order = rows[torch.sort(keys[rows], stable=True).indices]
    repeated = 0
    if "position" in tokens and order.numel() > 0:
        last = torch.ones(order.numel(), dtype=torch.bool)
        last[:-1] = keys[order][1:] != keys[order][:-1]
        repeated = int((~last).sum())
        order = order[last]
    return order, {name: part[order] for name, part in tokens.items()}, repeated


def _finalize_capture(path: Path, records: List[_Record], notes: List[str]) -> None:
    named = [record for record in records if "input_ids" in record.tensors or "doc_index" in record.tensors]
    if named and len(named) < len(records):
        notes.append(f"{len(records) - len(named)} forwards that said no tokens are left out")
        records = named
    facts = {(r.metadata["moe_layers"], r.tensors["topk_ids"][1][2], *sorted(r.tensors)) for r in records}
    if len(facts) != 1:
        raise TapError(f"fusecheck_tap: {path}: forwards differ in layers, K or what was recorded: {sorted(facts)}")
    first = records[0]
    layers = first.metadata["moe_layers"].split(",")
    n_expts_tot = int(first.metadata["n_expts_tot"])
    n_expts_act = first.tensors["topk_ids"][1][2]
    low, high = min(int(r.metadata["low"]) for r in records), max(int(r.metadata["high"]) for r in records)
    # Ids that no expert has are kept as they are, for fusecheck to find.
    narrow = torch.uint8 if n_expts_tot <= 256 else getattr(torch, "uint16", torch.int32)
    ids_dtype = narrow if low >= 0 and high < n_expts_tot <= 65536 else torch.int32
    with open(path, "rb") as file:
        order, tokens, repeated = _capture_order(records, file)
        if repeated > 0:
            notes.append(f"{repeated} tokens were run again; the last run of each is kept")
        n_rows = sum(r.tensors["topk_ids"][1][1] for r in records) if order is None else order.numel()
        shapes: Dict[str, Tuple[torch.dtype, Sequence[int]]] = {n: (t.dtype, [n_rows]) for n, t in tokens.items()}
        wanted = [name for name in ("topk_ids", "topk_weights", "router_margin") if name in first.tensors]
        for layer in layers:
            for name in wanted:
                dtype, (_, _, *width), _ = first.tensors[name]
                shapes[f"layers.{layer}.{name}"] = (ids_dtype if name == "topk_ids" else dtype, [n_rows, *width])

        def data() -> Iterator[Tensor]:
            yield from tokens.values()
            for index in range(len(layers)):
                for name in wanted:
                    rows = []
                    for record in records:
                        dtype, (_, n, *width), begin = record.tensors[name]
                        size = n * torch.Size(width).numel() * torch.empty(0, dtype=dtype).element_size()
                        rows.append(_read(file, dtype, [n, *width], begin + index * size))
                    layer = torch.cat(rows)
                    layer = layer if order is None else layer[order]
                    yield layer.to(ids_dtype) if name == "topk_ids" else layer

        metadata = {key: v for key, v in first.metadata.items() if key not in ("kind", "low", "high")}
        write_safetensors(
            path.with_suffix(".safetensors"), shapes, data(), {**metadata, "n_expts_act": str(n_expts_act)}
        )


def _finalize_dump(path: Path, records: List[_Record]) -> None:
    shapes = {name: (dtype, shape) for r in records for name, (dtype, shape, _) in r.tensors.items()}
    metadata = {key: v for key, v in records[0].metadata.items() if key != "kind"}
    with open(path, "rb") as file:
        tensors = {name: where for record in records for name, where in record.tensors.items()}
        data = (_read(file, *where) for where in tensors.values())
        write_safetensors(path.with_suffix(".safetensors"), shapes, data, metadata)


def _finalize_file(path: Path, *, keep: bool) -> List[str]:
    records, torn = _records(path)
    notes = [f"the last record was cut off ({torn} bytes) and is left out"] if torn > 0 else []
    if not records:
        return [*notes, "nothing was recorded"]
    if records[0].metadata["kind"] == "capture":
        _finalize_capture(path, records, notes)
    else:
        _finalize_dump(path, records)
    if not keep:
        path.unlink()
    return notes


def finalize(folder: Union[str, Path], *, keep: bool = False) -> Dict[str, List[str]]:
    """Turns what a process left when it was killed into safetensors files; per file, what there is to say of it."""
    parts = sorted(Path(folder).glob("*.parts"))
    return {str(path): _finalize_file(path, keep=keep) for path in parts}


def _main() -> int:
    parser = argparse.ArgumentParser(description="fusecheck_tap: from records to safetensors files")
    parser.add_argument("command", choices=["finalize"])
    parser.add_argument("folder")
    parser.add_argument("--keep", action="store_true", help="keep the .parts files")
    flags = parser.parse_args()
    done = finalize(flags.folder, keep=flags.keep)
    if not done:
        print(f"{flags.folder} holds no .parts files", file=sys.stderr)
        return 2
    for path, notes in done.items():
        print("; ".join([path, *notes]))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
