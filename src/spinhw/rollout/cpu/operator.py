"""The CPU engine as an operator of torch, for graphs: `torch.compile` and `torch.export` see one node and its gradient.

No tracer of torch can look into compiled kernels, so in a graph they stand behind `spinhw::integrate`. Outside of a
graph they are called without it, because its way through torch's dispatcher takes a third of a millisecond.
"""

import weakref
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spinhw.rollout.cpu.engine import Given, Wanted, integrate
from spinhw.rollout.cpu.pattern import pattern_of
from spinhw.rollout.steps import Steps

Ends = tuple[list[Tensor], list[Tensor]]  # outputs and leaves of a small graph

kept: dict[int, Ends] = {}  # Until a handle's last user is gone, by the address of its memory.


def integrate_in_graph(
    given: Given, wanted: Wanted, steps: Steps, masks: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Integrate as `spinhw.rollout.cpu.engine.integrate` does, as one node of a graph.

    Args:
        given: Tensors of the call.
        wanted: What it does and records.
        steps: Time grid.
        masks: Which weights exist, as for `spinhw.rollout.cpu.pattern.pattern_of`.
    """
    present = {name: tensor for name, tensor in given._asdict().items() if tensor is not None}
    learns = [torch.is_grad_enabled() and tensor.requires_grad for tensor in present.values()]
    facts = [*(int(each) for each in astuple(wanted)), steps.substeps, steps.order]
    power, filtered, drive, _ = _integrate(list(present.values()), *masks, learns, " ".join(present), facts)
    return power, filtered, drive if wanted.drive else None


@torch.library.custom_op("spinhw::integrate", mutates_args=())
def _integrate(
    tensors: Sequence[Tensor], mask: Tensor, mask_in: Tensor, learns: Sequence[bool], names: str, facts: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Give x, y, the drive (empty unless recorded), and the handle of what the adjoint needs."""
    outputs, leaves = _integrated(tensors, mask, mask_in, learns, names, facts)
    handle = _remembered(outputs, leaves) if any(learns) else torch.empty(0, dtype=torch.uint8)
    power, filtered, drive = (output.detach() for output in outputs)
    return power, filtered, drive, handle


@torch.library.custom_op("spinhw::integrate_adjoint", mutates_args=())
def _adjoint(
    g_power: Tensor,
    g_filtered: Tensor,
    handle: Tensor,
    tensors: Sequence[Tensor],
    mask: Tensor,
    mask_in: Tensor,
    learns: Sequence[bool],
    names: str,
    facts: Sequence[int],
) -> list[Tensor]:
    """Give the gradients by the tensors that learn."""
    # A graph may have moved or copied the handle; then all is integrated again.
    known = kept.get(handle.data_ptr())
    outputs, leaves = known or _integrated(tensors, mask, mask_in, learns, names, facts)
    learning = [leaf for leaf in leaves if leaf.requires_grad]
    found = torch.autograd.grad(outputs[:2], learning, (g_power, g_filtered), retain_graph=True)
    return list(found)


@_integrate.register_fake
def _integrate_shapes(
    tensors: Sequence[Tensor], mask: Tensor, mask_in: Tensor, learns: Sequence[bool], names: str, facts: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    start = tensors[names.split().index("start")]
    _, _, batch, _, recorded, drive, _, _ = facts
    shape = (start.shape[0], batch, recorded, start.shape[-1])
    handle = start.new_empty(int(any(learns)), dtype=torch.uint8)
    return start.new_empty(shape), start.new_empty(shape), start.new_empty(shape if drive else (0, 0, 0, 0)), handle


@_adjoint.register_fake
def _adjoint_shapes(
    g_power: Tensor,
    g_filtered: Tensor,
    handle: Tensor,
    tensors: Sequence[Tensor],
    mask: Tensor,
    mask_in: Tensor,
    learns: Sequence[bool],
    names: str,
    facts: Sequence[int],
) -> list[Tensor]:
    return [tensor.new_empty(tensor.shape) for tensor, one in zip(tensors, learns, strict=True) if one]


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    tensors, *masks, ctx.learns, ctx.names, ctx.facts = inputs
    ctx.save_for_backward(*tensors, *masks, output[3])
    ctx.mark_non_differentiable(*output[2:])


def _backward(ctx: Any, g_power: Tensor, g_filtered: Tensor, *_: Tensor) -> tuple[Any, ...]:
    *tensors, mask, mask_in, handle = ctx.saved_tensors
    found = iter(_adjoint(g_power, g_filtered, handle, tensors, mask, mask_in, ctx.learns, ctx.names, ctx.facts))
    return [next(found) if learns else None for learns in ctx.learns], None, None, None, None, None


_integrate.register_autograd(_backward, setup_context=_save)


def _integrated(
    tensors: Sequence[Tensor], mask: Tensor, mask_in: Tensor, learns: Sequence[bool], names: str, facts: Sequence[int]
) -> Ends:
    """Integrate with a graph of its own."""
    leaves = [tensor.detach().requires_grad_(one) for tensor, one in zip(tensors, learns, strict=True)]
    given = Given(**dict(zip(names.split(), leaves, strict=True)))
    kind, saturate, batch, samples, recorded, drive, substeps, order = facts
    wanted, steps = Wanted(kind, bool(saturate), batch, samples, recorded, bool(drive)), Steps(1.0, substeps, order)
    pattern = pattern_of(*_same_masks(mask, mask_in), len(given.start))
    with torch.set_grad_enabled(any(learns)):
        power, filtered, seen = integrate(given, wanted, steps, pattern)
    return [power, filtered, torch.empty((0,) * 4, dtype=power.dtype) if seen is None else seen], leaves


def _remembered(outputs: list[Tensor], leaves: list[Tensor]) -> Tensor:
    """Keep the graph of an integration for as long as the handle that is returned lives."""
    memory = np.zeros(1, np.uint8)
    place = memory.ctypes.data
    kept[place] = outputs, leaves
    weakref.finalize(memory, kept.pop, place, None)
    return torch.from_numpy(memory)


_masks: dict[bytes, tuple[Tensor, Tensor]] = {}


def _same_masks(*masks: Tensor) -> tuple[Tensor, Tensor]:
    """Give the same objects for equal masks, by which their pattern is remembered: a graph makes new ones each time."""
    key = b"".join(bytes(str(tuple(mask.shape)), "ascii") + mask.numpy().tobytes() for mask in masks)
    if key not in _masks:
        _masks[key] = masks[0].clone(), masks[1].clone()
        while len(_masks) > 16:
            _masks.pop(next(iter(_masks)))
    return _masks[key]
