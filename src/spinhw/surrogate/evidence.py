"""What the trace of a running network tells of its oscillators and synapses: residuals, and what parameters do to them.

The parameters of a neuron are ln gamma, ln sigma, Q and then, for each of its synapses, the relative error of the
weight, or what else makes errors of weights (`spinhw.surrogate.tuned`). For drives as they were felt, x of a neuron
depends on its own parameters only. The dependence s = dx/dtheta follows the exact steps of
`spinhw.surrogate.sensitivity`; for synapses all steps of a sample interval are taken as one, with the mean of what the
synapse carried meanwhile. That makes the step of a fit a little less exact, not its end.
"""

import numpy as np
import torch
from torch import Tensor

from spinhw.estimate import NormalEquations
from spinhw.physics import coefficients, equilibrium
from spinhw.surrogate.feedback import Felt, NetworkRecord
from spinhw.surrogate.oscillators import DYNAMICS, Oscillators
from spinhw.surrogate.response import rest_tangents
from spinhw.surrogate.sensitivity import sensitivities
from spinhw.surrogate.synapses import Synapses
from spinhw.surrogate.tuned import TunedSynapses

# Samples after which residuals are taken to be no longer correlated.
_STRETCH = 16
_DYNAMICS = len(DYNAMICS)
_NEURONS = 24  # Looked at together: what they need stays in the cache.


@torch.no_grad()
def evidence(
    record: NetworkRecord,
    felt: Felt,
    oscillators: Oscillators,
    synapses: Synapses | TunedSynapses,
    design: Tensor,
    chosen: Tensor,
) -> NormalEquations:
    """Compare the model of some neurons with what was measured; the gradient of their dynamics has a scatter.

    Args:
        record: What was measured.
        felt: The drives.
        oscillators: Those of all neurons as they seem.
        synapses: Those that are fitted, or none.
        design: What an error of a synapse adds to its weight, (neuron, slot): the weight as it was read back; or what
            errors add to the weights of all slots, (neuron, slot, unknown).
        chosen: Numbers of the neurons.
    """
    some, samples = oscillators.picked(chosen), record.power.shape[1]
    rates, rest = driven_by(some, record.neurons.bias_drive.expand(1, oscillators.count)[0, chosen], felt.step_s)
    drive, slope, carried = (one.contiguous().numpy() for one in (felt.drive, felt.slope, felt.sources))
    seen = record.power.contiguous().numpy(), record.good.contiguous().numpy()
    sources, stretch = synapses.sources[chosen].numpy(), min(_STRETCH, samples)
    found = torch.empty(min(_NEURONS, len(chosen)), record.good[..., 0].numel(), _DYNAMICS + synapses.slots + 1)
    spread = torch.zeros(len(chosen), _DYNAMICS, _DYNAMICS, dtype=torch.float64)
    sums = []
    for first in range(0, len(chosen), _NEURONS):
        part = slice(first, first + _NEURONS)
        own = (chosen[part].numpy(), sources[part], rates[part], rest[part])
        here = found[: len(own[0])]
        sensitivities(drive, slope, carried, *seen, *own, stretch, here.numpy(), spread[part].numpy())
        sums.append(torch.bmm(here.transpose(1, 2), here))
    products = _by_unknowns(torch.cat(sums), design[chosen, : synapses.slots].float())
    spread *= samples / (samples // stretch * stretch)
    good = record.good[..., chosen].sum((0, 1)).double()
    return NormalEquations(products[:, -1, -1], products[:, :-1, :-1], products[:, :-1, -1], good, spread)


def _by_unknowns(products: Tensor, design: Tensor) -> Tensor:
    """Turn products of derivatives by dynamics and weights, and of the residual, into those by what is looked for."""
    if design.dim() == 2:
        scale = torch.nn.functional.pad(design, (_DYNAMICS, 1), value=1.0)
        return products.mul_(scale[:, :, None]).mul_(scale[:, None]).double()
    count, slots, unknowns = design.shape
    turned = torch.zeros(count, products.shape[1], _DYNAMICS + unknowns + 1, dtype=torch.float64)
    turned[:, range(_DYNAMICS), range(_DYNAMICS)] = 1.0
    turned[:, -1, -1] = 1.0
    turned[:, _DYNAMICS : _DYNAMICS + slots, _DYNAMICS:-1] = design.double()
    return turned.transpose(1, 2) @ products.double() @ turned


def driven_by(oscillators: Oscillators, bias_drive: Tensor, step_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Give what `sensitivities` must know of oscillators: rates and where they rest, each (oscillator, ...), float32.

    Args:
        oscillators: Their dynamics count.
        bias_drive: Under which they rest, in 1/s, (oscillator,).
        step_s: Of the drives, in seconds.
    """
    gamma, sigma, q = oscillators.gamma, oscillators.sigma, oscillators.q
    rates = torch.stack([gamma, sigma, gamma * (1 + q)], dim=1).mul(step_s)
    bias = bias_drive.double()
    rest = torch.cat([equilibrium(*coefficients(bias, gamma, sigma, q))[None], rest_tangents(oscillators, bias)]).T
    return rates.float().numpy(), rest.float().contiguous().numpy()
