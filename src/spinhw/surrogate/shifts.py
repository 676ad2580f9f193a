"""What the trace of a running network tells of a shift of its oscillators, with the scatter of its sequences as noise.

Synapses are left out: they are what they were when the model was fitted. So a look at a whole batch costs little.
"""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from spinhw.rollout import Weights
from spinhw.surrogate.feedback import Felt, NetworkRecord, felt_by_network
from spinhw.surrogate.oscillators import DYNAMICS, Oscillators
from spinhw.surrogate.tangents import Driven

# What may shift, in the coordinates of a fit: ln gamma, ln sigma, Q, and ln gain of the read-out of the power.
WATCHED = (*DYNAMICS, "gain")
_SEQUENCES, _NEURONS = 40, 24  # Looked at together: what they need stays small.


@dataclass(frozen=True)
class ShiftEvidence:
    """Sums over the sequences of a batch, for each neuron; zero where nothing good was measured.

    Args:
        gradient: J^T (measured - model), (neuron, parameter), in the order of `WATCHED`.
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
def shift_evidence(record: NetworkRecord, oscillators: Oscillators, acting: Weights) -> ShiftEvidence:
    """Compare a model with what was measured.

    Args:
        record: What was measured.
        oscillators: The model's; gain counts, offset and times do not.
        acting: Its synapses, with a member axis of one.
    """
    record = record.in_single()
    parts = []
    for first in range(0, len(record.inputs), _SEQUENCES):
        part = record.images(slice(first, first + _SEQUENCES))
        felt = felt_by_network(_at_unit_gain(part, oscillators.gain), oscillators.neurons(part.neurons), acting)
        parts.append(_by_sequence(part, felt, oscillators))
    gradient, normal = (torch.cat(each, dim=1) for each in zip(*parts, strict=True))  # (neuron, sequence, ...)
    total, whole = gradient.sum(1), normal.sum(1)
    # What the shift itself, were it there, would pull each sequence by is no scatter.
    shift = torch.linalg.solve(whole + _ridge(whole), total[..., None])
    scatter = gradient - (normal @ shift[:, None])[..., 0]
    sequences = (normal.diagonal(dim1=2, dim2=3).sum(2) > 0).sum(1).double()
    spread = scatter.transpose(1, 2) @ scatter
    larger = sequences / (sequences - len(WATCHED)).clamp_min(1)  # The shift was fitted to the same sequences.
    return ShiftEvidence(total, whole, spread * larger[:, None, None], sequences)


def _at_unit_gain(record: NetworkRecord, gain: Tensor) -> NetworkRecord:
    return replace(record, power=record.power / gain.to(record.power.dtype))


def _by_sequence(record: NetworkRecord, felt: Felt, oscillators: Oscillators) -> tuple[Tensor, Tensor]:
    """Give gradient (neuron, sequence, parameter) and normal matrix of every sequence, float64."""
    driven = Driven.by(felt, oscillators, record.neurons, torch.arange(oscillators.count))
    gain = oscillators.gain.float()
    apart = torch.where(record.good, record.power - gain * driven.power, torch.zeros_like(driven.power))
    apart, good = apart.permute(2, 0, 1), record.good.permute(2, 0, 1)  # (neuron, sequence, sample)
    found = []
    for first in range(0, oscillators.count, _NEURONS):
        part = slice(first, first + _NEURONS)
        power = driven.power[..., part].permute(2, 1, 0)[:, None]
        tangents = torch.cat([driven.tangents(part), power], dim=1) * gain[part, None, None, None]
        each = tangents.permute(0, 3, 1, 2) * good[part, :, None]  # (neuron, sequence, parameter, sample)
        found.append(((each @ apart[part, ..., None])[..., 0].double(), (each @ each.transpose(2, 3)).double()))
    gradient, normal = (torch.cat(each) for each in zip(*found, strict=True))
    return gradient, normal


def _ridge(normal: Tensor) -> Tensor:
    """Give a small multiple of the diagonal: a neuron that hardly moves tells some parameters not at all."""
    return torch.diag_embed(normal.diagonal(dim1=1, dim2=2) * 1e-6 + 1e-12)
