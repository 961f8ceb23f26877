"""Routing data twice: as a chain of torch operations, and by a fused counting sort in Triton.

Both take topk_weights and topk_ids [N, K] (expert_map: local id of each global expert, negative where it lives on
another rank) and return hist [E], topk_indx, gate_indx and gate_scal [NK]. Entries of other ranks go to bucket 0 with
weight 0.
"""

from __future__ import annotations

from typing import Optional, Tuple

import torch
import triton
import triton.language as tl
from torch import Tensor

RoutingData = Tuple[Tensor, Tensor, Tensor, Tensor]

FAULTS = {
    "none": 0,
    "two weights swapped in the last tile": 1,
    "the last entry is not counted": 2,
    "gather right, scatter wrong": 3,
}


def routing_reference(
    topk_weights: Tensor, topk_ids: Tensor, n_expts_tot: int, expert_map: Optional[Tensor] = None
) -> RoutingData:
    """Sort each row by expert, then two stable argsorts and a histogram: flat indices are those of the sorted rows."""
    if expert_map is not None:
        inside = (topk_ids >= 0) & (topk_ids < expert_map.numel())
        local = torch.where(inside, expert_map[topk_ids.clamp(0, expert_map.numel() - 1).long()], -1)
        topk_weights = topk_weights.masked_fill(local < 0, 0)
        topk_ids = local.clamp(min=0)
    ids, slots = torch.sort(topk_ids, dim=1, stable=True)
    flat = ids.reshape(-1)
    topk_indx = torch.argsort(flat, stable=True)
    gate_indx = torch.argsort(topk_indx, stable=True)
    gate_scal = topk_weights.gather(1, slots).reshape(-1)[topk_indx]
    hist = torch.histc(flat.float(), bins=n_expts_tot, min=0, max=n_expts_tot - 1)
    return hist.to(torch.int32), topk_indx.to(torch.int32), gate_indx.to(torch.int32), gate_scal


@triton.jit
def _experts(topk_ids, expert_map, n_map, index, mask, MAPPED: tl.constexpr):
    """The bucket of each entry, and whether its expert lives here."""
    ids = tl.load(topk_ids + index, mask=mask, other=0).to(tl.int32)
    valid = mask
    if MAPPED:
        valid = mask & (ids >= 0) & (ids < n_map)
        local = tl.load(expert_map + ids, mask=valid, other=-1)
        valid = local >= 0
        ids = tl.where(valid, local, 0)
    return ids, valid


@triton.jit
def _count(
    topk_ids,
    expert_map,
    hist,
    nk,
    n_map,
    n_expts_tot,
    MAPPED: tl.constexpr,
    BLOCK: tl.constexpr,
    BINS: tl.constexpr,
    ALONE: tl.constexpr,
    FAULT: tl.constexpr,
):
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = index < nk
    if FAULT == 2:
        mask = index < nk - 1
    experts, _ = _experts(topk_ids, expert_map, n_map, index, mask, MAPPED)
    counts = tl.histogram(experts, BINS, mask=mask)
    bins = tl.arange(0, BINS)
    if ALONE:
        tl.store(hist + bins, counts, mask=bins < n_expts_tot)
    else:
        tl.atomic_add(hist + bins, counts, mask=(bins < n_expts_tot) & (counts > 0))


@triton.jit
def _offsets(hist, cursor, n_expts_tot, BINS: tl.constexpr):
    bins = tl.arange(0, BINS)
    counts = tl.load(hist + bins, mask=bins < n_expts_tot, other=0)
    tl.store(cursor + bins, tl.cumsum(counts, 0) - counts, mask=bins < n_expts_tot)


@triton.jit
def _place(
    topk_ids,
    topk_weights,
    expert_map,
    cursor,
    topk_indx,
    gate_indx,
    gate_scal,
    nk,
    n_map,
    MAPPED: tl.constexpr,
    BLOCK: tl.constexpr,
    FAULT: tl.constexpr,
):
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = index < nk
    experts, valid = _experts(topk_ids, expert_map, n_map, index, mask, MAPPED)
    position = tl.atomic_add(cursor + experts, 1, mask=mask)
    neighbour = tl.minimum(index ^ 1, nk - 1)
    source = index
    if FAULT == 1:
        source = tl.where((index // BLOCK == tl.num_programs(0) - 1) & (index < 2 * (nk // 2)), neighbour, index)
    weights = tl.load(topk_weights + source, mask=valid, other=0)
    written = index
    if FAULT == 3:
        written = neighbour
    tl.store(gate_indx + index, position, mask=mask)
    tl.store(topk_indx + position, written, mask=mask)
    tl.store(gate_scal + position, weights, mask=mask)


def fused_routing(
    topk_weights: Tensor,
    topk_ids: Tensor,
    n_expts_tot: int,
    expert_map: Optional[Tensor] = None,
    *,
    fault: str = "none",
    block: int = 1024,
) -> RoutingData:
    """Three kernels: count, exclusive sum, place. Flat indices are token * K + slot; order inside an expert is free."""
    nk = topk_ids.numel()
    device = topk_ids.device
    hist = torch.empty(n_expts_tot, dtype=torch.int32, device=device)
    cursor = torch.empty(n_expts_tot, dtype=torch.int32, device=device)
    topk_indx = torch.empty(nk, dtype=torch.int32, device=device)
    gate_indx = torch.empty(nk, dtype=torch.int32, device=device)
    gate_scal = torch.empty(nk, dtype=topk_weights.dtype, device=device)
    blocks = triton.cdiv(nk, block)
    if blocks > 1:
        hist.zero_()
    bins = max(32, triton.next_power_of_2(n_expts_tot))
    mapped = expert_map is not None
    the_map, n_map = (expert_map, expert_map.numel()) if expert_map is not None else (topk_ids, 0)
    code = FAULTS[fault]
    _count[(blocks,)](
        topk_ids,
        the_map,
        hist,
        nk,
        n_map,
        n_expts_tot,
        MAPPED=mapped,
        BLOCK=block,
        BINS=bins,
        ALONE=blocks == 1,
        FAULT=code,
    )
    _offsets[(1,)](hist, cursor, n_expts_tot, BINS=bins)
    _place[(blocks,)](
        topk_ids,
        topk_weights,
        the_map,
        cursor,
        topk_indx,
        gate_indx,
        gate_scal,
        nk,
        n_map,
        MAPPED=mapped,
        BLOCK=block,
        FAULT=code,
    )
    return hist, topk_indx, gate_indx, gate_scal


def broken_invariants(inputs: dict[str, Tensor], outputs: RoutingData, n_expts_tot: int) -> list[str]:
    """What fusecheck checks of slot-indexed routing data, in torch: for cases too large to be carried home."""
    hist, topk_indx, gate_indx, gate_scal = outputs
    ids, weights = inputs["topk_ids"].reshape(-1).long(), inputs["topk_weights"].reshape(-1)
    if "expert_map" in inputs:
        expert_map = inputs["expert_map"]
        inside = (ids >= 0) & (ids < expert_map.numel())
        ids = torch.where(inside, expert_map[ids.clamp(0, expert_map.numel() - 1)].long(), -1)
        weights = weights.masked_fill(ids < 0, 0)
        ids = ids.clamp(min=0)
    place, flat = topk_indx.long(), torch.arange(ids.numel(), device=ids.device)
    counts = torch.bincount(ids, minlength=n_expts_tot)
    if not torch.equal(torch.sort(place).values, flat):
        return ["permutation"]
    bucket = torch.repeat_interleave(torch.arange(n_expts_tot, device=ids.device), counts)
    sound = {
        "hist": torch.equal(hist.long(), counts),
        "inverse": torch.equal(gate_indx.long()[place], flat),
        "bucket": torch.equal(ids[place], bucket),
        "gate_scal": torch.equal(gate_scal, weights[place]),
        "finite": bool(torch.isfinite(gate_scal).all()),
    }
    return [name for name, held in sound.items() if not held]
