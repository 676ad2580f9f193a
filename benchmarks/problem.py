"""The task of every contender: one network, one batch, one loss.

The paper's network with the drive bounded to 0 <= I <= 4 gamma: three layers, half of the synapses, a batch of 120
series of 64 samples. The loss is the sum of squares of y of the last layer, averaged over the last samples. A read-out
and its softmax would cost every contender the same few microseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from spinhw.rollout import Neurons, Sparsity, Steps
from spinhw.streams import torch_stream
from spinhw.topology import Topology, draw_masks

TAU_S, CUTOFF_HZ, GAIN, DRIVE_RATE_PER_S = 5e-9, 44e6, 0.5, 1e9
BATCH, SAMPLES, READOUT, LAYERS, SAMPLE_INTERVAL_S = 120, 64, 8, (32, 32, 32), 1e-9
FIRST_ORDER, MIDPOINT = Steps(SAMPLE_INTERVAL_S, 1, 1), Steps(SAMPLE_INTERVAL_S, 2, 2)
WEIGHT = 2.0  # Times 1 / sqrt(sources): as large as after training, so that the last layer is awake.
GRIDS = {"64 first-order": FIRST_ORDER, "128 midpoint": MIDPOINT}


@dataclass(frozen=True)
class Size:
    """How large a network and its batch are.

    Args:
        members: Networks side by side.
        layers: Neurons of each layer.
        density: Share of the synapses that exist.
        batch: Series for each network.
        samples: Input samples of a series.
        readout: Samples at the end that the loss averages.
    """

    members: int = 1
    layers: tuple[int, ...] = LAYERS
    density: float = 0.5
    batch: int = BATCH
    samples: int = SAMPLES
    readout: int = READOUT


class Problem:
    """Weights of an ensemble, a batch of inputs and a time grid.

    Args:
        size: How large.
        steps: Time grid.
    """

    def __init__(self, size: Size, steps: Steps) -> None:
        self.size, self.steps = size, steps
        density, layers = size.density, size.layers
        shape = Topology(1, layers, 1, density_input=density, density_inter=density, density_intra=density)
        names = [[f"{kind}.{layer}" for layer in range(len(layers))] for kind in ("w_ext", "w_int")]
        masks = [draw_masks(shape, torch_stream("bench", "mask", member)) for member in range(size.members)]
        stacked = {name: torch.stack([each[name] for each in masks]) for kind in names for name in kind}
        self.masks = [[stacked[name].bool() for name in kind] for kind in names]
        """Of W_ext and W_int, for each layer (member, neuron, source)."""
        self.drawn = [[_draw(name, stacked[name]) for name in kind] for kind in names]
        """The same for the weights, those of absent synapses included."""
        self.biases = [torch.zeros(size.members, neurons) for neurons in layers]
        u = torch.rand(1, size.batch, size.samples, 1, generator=torch_stream("bench", "inputs"))
        self.inputs = (4 * (u - 0.3)).expand(size.members, -1, -1, -1)  # (member, batch, time, input)
        self.neurons = Neurons.nominal(
            sum(layers), tau_s=TAU_S, cutoff_hz=CUTOFF_HZ, gain=GAIN, drive_over_gamma=(0.0, 4.0)
        )

    @cached_property
    def sparsity(self) -> Sparsity:
        """Which synapses exist."""
        return Sparsity.of(*self.masks)

    def to(self, device: str) -> "Problem":
        """Move everything to a device, in place."""
        self.masks, self.drawn = (
            [[each.to(device) for each in kind] for kind in of] for of in (self.masks, self.drawn)
        )
        self.biases = [bias.to(device) for bias in self.biases]
        self.inputs, self.neurons = self.inputs.to(device), self.neurons.to(torch.device(device))
        return self

    @property
    def synapses(self) -> int:
        """Synapses of one network."""
        return sum(int(mask.sum()) for kind in self.masks for mask in kind) // self.size.members

    @property
    def evaluations(self) -> int:
        """How often a training step evaluates the drive of a neuron for one series."""
        return self.size.samples * self.steps.substeps * self.steps.order


def masked(weights: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Put zeros where there is no synapse, as each training step does."""
    return tuple(weight * mask for weight, mask in zip(weights, masks, strict=True))


def _draw(name: str, mask: torch.Tensor) -> torch.Tensor:
    values = torch.rand(mask.shape, generator=torch_stream("bench", name)) * 2 - 1
    return WEIGHT * values / mask.shape[-1] ** 0.5
