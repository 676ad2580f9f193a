"""What the trace of a running network tells of a shift of its oscillators, with the scatter of its sequences as noise.

Synapses are left out: they are what they were when the model was fitted. So a look at a whole batch costs little. Of
resonators a shift of a whole chain is looked at beside, as a temperature makes it.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from spinhw.rollout import Weights
from spinhw.surrogate.evidence import driven_by
from spinhw.surrogate.feedback import Felt, NetworkRecord, felt_by_network
from spinhw.surrogate.oscillators import DYNAMICS, Oscillators
from spinhw.surrogate.sensitivity import sensitivities
from spinhw.surrogate.tuned import CHAINS

# What may shift, in the coordinates of a fit: ln gamma, ln sigma, Q, and ln gain of the read-out of the power. Of
# resonators the two chains of each neuron as well, in half-linewidths.
WATCHED = (*DYNAMICS, "gain")
WITH_CHAINS = (*WATCHED, *CHAINS)
_SEQUENCES, _NEURONS = 40, 24  # Looked at together: what they need stays small.


@dataclass(frozen=True)
class ShiftEvidence:
    """Sums over the sequences of a batch, for each neuron; zero where nothing good was measured.

    Args:
        gradient: J^T (measured - model), (neuron, parameter), in the order of `WATCHED`, or of `WITH_CHAINS`.
        normal: J^T J, (neuron, parameter, parameter).
        spread: Covariance of the gradient as it scatters from sequence to sequence, whatever its noise is like within
            one, same shape.
        sequences: With good samples, (neuron,).
    """

    gradient: Tensor
    normal: Tensor
    spread: Tensor
    sequences: Tensor

    def __add__(self, other: "ShiftEvidence") -> "ShiftEvidence":
        return ShiftEvidence(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))


@torch.no_grad()
def shift_evidence(
    record: NetworkRecord, oscillators: Oscillators, acting: Weights, chains: Tensor | None = None
) -> ShiftEvidence:
    """Compare a model with what was measured.

    Args:
        record: What was measured.
        oscillators: The model's; gain counts, offset and times do not.
        acting: Its synapses, with a member axis of one.
        chains: What shifts of chains add to weights, per half-linewidth, (neuron, source, chain); None for none.
    """
    record = record.in_single()
    parts = []
    for first in range(0, len(record.inputs), _SEQUENCES):
        part = record.images(slice(first, first + _SEQUENCES))
        felt = felt_by_network(_at_unit_gain(part, oscillators.gain), oscillators.neurons(part.neurons), acting)
        parts.append(_by_sequence(part, felt, oscillators, chains))
    gradient, normal = (torch.cat(each, dim=1) for each in zip(*parts, strict=True))  # (neuron, sequence, ...)
    total, whole = gradient.sum(1), normal.sum(1)
    # What the shift itself, were it there, would pull each sequence by is no scatter.
    shift = torch.linalg.solve(whole + _ridge(whole), total[..., None])
    scatter = gradient - (normal @ shift[:, None])[..., 0]
    sequences = (normal.diagonal(dim1=2, dim2=3).sum(2) > 0).sum(1).double()
    spread = scatter.transpose(1, 2) @ scatter
    larger = sequences / (sequences - total.shape[1]).clamp_min(1)  # The shift was fitted to the same sequences.
    return ShiftEvidence(total, whole, spread * larger[:, None, None], sequences)


def _at_unit_gain(record: NetworkRecord, gain: Tensor) -> NetworkRecord:
    return replace(record, power=record.power / gain.to(record.power.dtype))


def _by_sequence(
    record: NetworkRecord, felt: Felt, oscillators: Oscillators, chains: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Give gradient (neuron, sequence, parameter) and normal matrix of every sequence, float64."""
    found = []
    for chosen in torch.arange(oscillators.count).split(_NEURONS):
        power, by_dynamics, by_chains = _driven(record, felt, oscillators, chosen, chains)
        gain = oscillators.gain[chosen].float()[:, None, None]
        measured, good = (one[..., chosen].permute(2, 0, 1) for one in (record.power, record.good))
        apart = torch.where(good, measured - gain * power, torch.zeros_like(power))
        each = torch.cat([by_dynamics, power[:, :, None], by_chains], dim=2) * gain[..., None] * good[:, :, None]
        found.append(((each @ apart[..., None])[..., 0].double(), (each @ each.transpose(2, 3)).double()))
    gradient, normal = (torch.cat(each) for each in zip(*found, strict=True))
    return gradient, normal


def _driven(
    record: NetworkRecord, felt: Felt, oscillators: Oscillators, chosen: Tensor, chains: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Give the powers of some neurons, (neuron, sequence, sample), and how they depend on dynamics and chains.

    These are (neuron, sequence, parameter, sample); no chain where there is none.
    """
    some, (sequences, samples, count) = oscillators.picked(chosen), record.power.shape
    bias = record.neurons.bias_drive.expand(1, count)[0, chosen]
    arrived, own_sources = felt.sources, torch.zeros(len(chosen), 0, dtype=torch.int64)
    if chains is not None:  # A chain that moves is a synapse of its own, which carries what the shift makes of all.
        moves = chains[chosen].float().transpose(1, 2).flatten(0, 1)  # (neuron and chain, source)
        arrived, own_sources = felt.sources @ moves.T, torch.arange(len(moves)).view(len(chosen), -1)
    drive, slope, carried = (one.contiguous().numpy() for one in (felt.drive, felt.slope, arrived))
    size, last = len(DYNAMICS), len(DYNAMICS) + own_sources.shape[1]
    found, unused = torch.empty(len(chosen), sequences * samples, last + 1), np.zeros((len(chosen), size, size))
    nothing, all_of_it = np.zeros((sequences, samples, count), np.float32), np.ones((sequences, samples, count), bool)
    own = (chosen.numpy(), own_sources.numpy(), *driven_by(some, bias, felt.step_s))
    # Beside a measurement of nothing at all, what is left of it is the power itself.
    sensitivities(drive, slope, carried, nothing, all_of_it, *own, samples, found.numpy(), unused)
    found = found.unflatten(1, (sequences, samples)).transpose(2, 3)  # (neuron, sequence, parameter, sample)
    return -found[:, :, last], found[:, :, :size], found[:, :, size:last]


def _ridge(normal: Tensor) -> Tensor:
    """Give a small multiple of the diagonal: a neuron that hardly moves tells some parameters not at all."""
    return torch.diag_embed(normal.diagonal(dim1=1, dim2=2) * 1e-6 + 1e-12)
