"""How far the measured y of neurons is from the model's, at every step node."""

import torch
from torch import Tensor

from spinhw.device import Signal, Trace
from spinhw.physics import highpassed
from spinhw.rollout import Neurons, Rollout, Steps


def residual_nodes(trace: Trace, place: slice, run: Rollout, neurons: Neurons, steps: Steps) -> Tensor:
    """Give measured minus modelled y of some neurons, (member, batch, steps + 1, neuron); carries no gradient.

    At the ends of the sample intervals it is what was measured, or follows from the measured power through the
    high-pass, which is linear; between them it is interpolated. Where nothing good was measured it is zero.

    Args:
        trace: What was measured, members in front; with `filtered`, or with `power`.
        place: Which neurons.
        run: Their model, recorded after every step.
        neurons: Their parameters in the model: of the high-pass.
        steps: Time grid of the model.
    """
    ends = slice(steps.substeps - 1, None, steps.substeps)
    if trace.filtered is not None:
        at_ends = _difference(trace.filtered, place, run.filtered[:, :, ends])
    else:
        apart = _power_residual(trace, place, run, ends)
        at_ends = highpassed(apart, neurons.cutoff_hz[:, None], steps.sample_interval_s)
    return _between(at_ends, steps.substeps)


def _difference(signal: Signal, place: slice, model: Tensor) -> Tensor:
    values, good = signal.values[..., place].to(model.dtype), signal.good[..., place]
    return torch.where(good, values - model.detach(), torch.zeros_like(model))


def _power_residual(trace: Trace, place: slice, run: Rollout, ends: slice) -> Tensor:
    """Give measured minus modelled x before the first sample and after each, (member, batch, time + 1, neuron).

    A sample that is not good repeats the difference before it: a sudden zero would pass the high-pass as a kick.
    """
    model = torch.cat([run.power0[:, :, None], run.power[:, :, ends]], dim=2).detach()
    if trace.power is None:
        return torch.zeros_like(model)
    values, good = trace.power.values[..., place], trace.power.good[..., place]
    if trace.power0 is None:
        first, known = torch.zeros_like(values[:, :, :1]), torch.zeros_like(good[:, :, :1])
    else:
        first, known = trace.power0.values[:, :, None, place], trace.power0.good[:, :, None, place]
    values, good = torch.cat([first, values], dim=2).to(model.dtype), torch.cat([known, good], dim=2)
    apart = torch.where(good, values - model, torch.zeros_like(model))
    numbers = torch.arange(apart.shape[2])[:, None]
    latest = torch.where(good, numbers, torch.zeros_like(numbers)).cummax(2).values
    return apart.gather(2, latest)


def _between(at_ends: Tensor, substeps: int) -> Tensor:
    """Interpolate from the ends of the intervals, with zero before the first, to every step node."""
    nodes = torch.nn.functional.pad(at_ends, (0, 0, 1, 0))  # (member, batch, time + 1, neuron)
    shares = torch.arange(substeps, dtype=nodes.dtype)[:, None] / substeps
    start, change = nodes[:, :, :-1, None], nodes.diff(dim=2)[:, :, :, None]
    inside = (start + shares * change).flatten(2, 3)  # (member, batch, steps, neuron)
    return torch.cat([inside, nodes[:, :, -1:]], dim=2)
