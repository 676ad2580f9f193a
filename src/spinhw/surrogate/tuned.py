"""The resonators of a network, and by how much the resonance of each is off.

One programming tells one effective error for each source and chain, whatever its cause. So a shift of each resonance is
what is looked for, in half-linewidths, beside one shift common to a chain, such as a temperature makes: they are told
apart by how sure the resonances are beforehand, and a width or a largest weight that is off passes for a shift.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinhw.network import Chains
from spinhw.physics import Chain
from spinhw.rollout import Weights
from spinhw.surrogate.synapses import by_layer, in_one, listed_sources, spread

# How far the temperature may move a chain from where it was measured (1 sigma), and from one look to the next.
COMMON, _WANDER = 0.3, 0.1
# The chains of each neuron: from the layer before, and from its own.
CHAINS = ("w_ext", "w_int")
# By this much one programming differs from the next, as 1 % of w_max does: no resonance is known better.
_SUREST = 0.005
# Where more than this share of what was known beforehand is left in an error, nothing was told.
UNTOLD = 0.7
_CHAINS = len(CHAINS)
_MOST = 3.0


@dataclass(frozen=True, eq=False)
class ToldTunings:
    """What the resonators of a network were told, with a member axis of one in front.

    Args:
        chains: How tunings act.
        known: What is known of the resonators, by parameter name.
        tunings: As applied.
        present: Which exist.
    """

    chains: Chains
    known: Mapping[str, Chain]
    tunings: Mapping[str, Tensor]
    present: Mapping[str, Tensor]

    def shifted(self, name: str, shift_hz: Tensor) -> Chains:
        """Return the chains of a matrix whose resonances are off, (destination, source)."""
        known = self.known[name]
        return self.chains.with_known(replace(known, resonance_hz=known.resonance_hz + shift_hz))


@dataclass(frozen=True)
class TunedSynapses:
    """The synapses of a network that are resonators, and by how much their resonances are off.

    Args:
        sources: Where each weight of a neuron comes from, inputs counted after the neurons; padded with zeros,
            (neuron, slot).
        present: Which slots hold a weight, same shape.
        error: Shift of each resonance and then of each chain, in half-linewidths, float64, (neuron, slot + 2).
        prior: How large these may be (1 sigma), same shape; 0 for what does not exist.
        layers: Neurons of each layer.
        inputs: Number of inputs.
        half_linewidth_hz: Of the resonators as designed.
    """

    sources: Tensor
    present: Tensor
    error: Tensor
    prior: Tensor
    layers: tuple[int, ...]
    inputs: int
    half_linewidth_hz: float

    @classmethod
    def of(
        cls, weights: Weights, programmed: ToldTunings, expected: float, errors_hz: Mapping[str, Tensor] | None
    ) -> "TunedSynapses":
        """List those of a network.

        Args:
            weights: As they act, (1, ...) in front.
            programmed: What the resonators were told.
            expected: How far resonances may be off that were not measured (1 sigma), in half-linewidths.
            errors_hz: Standard errors of those that were, (destination, source) by parameter name; None for none.
        """
        sources, present = listed_sources(weights)
        layers, inputs, width = weights.layers, weights.w_ext[0].shape[2], programmed.chains.settings.half_linewidth_hz
        sure = {
            name: (expected if errors_hz is None else (errors_hz[name] / width).clamp_min(_SUREST)) * one[0].double()
            for name, one in programmed.present.items()
        }
        own = in_one(sure, layers, inputs).gather(1, sources) * present
        common = torch.full((len(sources), _CHAINS), COMMON, dtype=torch.float64)
        prior = torch.cat([own, common], dim=1)
        return cls(sources, present, torch.zeros_like(prior), prior, layers, inputs, width)

    @classmethod
    def restored(cls, state: Mapping[str, Tensor]) -> "TunedSynapses":
        """Make it from what `state` gave."""
        sources, present, error, prior = (state[name] for name in ("sources", "present", "error", "prior"))
        layers, width = tuple(state["layers"].tolist()), float(state["half_linewidth_hz"])
        return cls(sources, present, error, prior, layers, int(state["inputs"]), width)

    def state(self) -> dict[str, Tensor]:
        """Give what a checkpoint must hold."""
        sizes = {"layers": torch.tensor(self.layers), "inputs": torch.tensor(self.inputs)}
        width = torch.tensor(self.half_linewidth_hz, dtype=torch.float64)
        tensors = {name: getattr(self, name) for name in ("sources", "present", "error", "prior")}
        return tensors | sizes | {"half_linewidth_hz": width}

    def without(self) -> "TunedSynapses":
        """Give the same network with nothing listed: no resonance is off."""
        return replace(
            self,
            sources=self.sources[:, :0],
            present=self.present[:, :0],
            error=self.error[:, :0],
            prior=self.prior[:, :0],
        )

    @property
    def slots(self) -> int:
        """Most weights of a neuron."""
        return self.sources.shape[1]

    @property
    def unknowns(self) -> int:
        """What is looked for of each neuron."""
        return self.error.shape[1]

    def known(self) -> Tensor:
        """Return what is never forgotten of the shifts, 1 / sigma^2, (neuron, unknown)."""
        return 1 / torch.where(self.prior > 0, self.prior, 1.0) ** 2

    def wander(self) -> Tensor:
        """Return by how much the shifts may have moved since the last look, squared, (neuron, unknown)."""
        moved = torch.full_like(self.error, _SUREST**2)
        moved[:, self.slots :] = _WANDER**2
        return moved * (self.prior > 0)

    def moved(self, step: Tensor, chosen: Tensor) -> "TunedSynapses":
        """Change the shifts of some neurons, by number, by a step (chosen, unknown)."""
        error = self.error.clone()
        error[chosen] = (error[chosen] + step).clamp(-_MOST, _MOST) * (self.prior[chosen] > 0)
        return replace(self, error=error)

    def less(self, taken: Mapping[str, Tensor]) -> "TunedSynapses":
        """Take common shifts of chains off, (destination,) in half-linewidths by name of the matrix."""
        error = self.error.clone()
        for name, rows, _ in by_layer(self.layers, self.inputs):
            if name in taken and self.slots:
                error[rows, self.slots + int(name.startswith("w_int"))] -= taken[name]
        return replace(self, error=error)

    def design(self, programmed: ToldTunings) -> Tensor:
        """Return what a shift adds to the weight in each slot, as the shifts are now, (neuron, slot, unknown)."""
        size = len(self.sources), len(self.sources) + self.inputs
        if not self.slots:
            return torch.zeros(size[0], 0, 0)
        slopes, shifts = torch.zeros(*size, size[1], dtype=torch.float64), self.shifts_hz()
        common = torch.zeros(*size, _CHAINS, dtype=torch.float64)
        for name, rows, columns in by_layer(self.layers, self.inputs):
            chains = programmed.shifted(name, shifts[name])
            found = chains.slopes(programmed.tunings[name].double(), programmed.present[name])[0].transpose(1, 2)
            slopes[rows, columns, columns] = self.half_linewidth_hz * found
            common[rows, columns, int(name.startswith("w_int"))] = self.half_linewidth_hz * found.sum(-1)
        by_slot = self.sources[:, :, None]
        own = slopes.gather(1, by_slot.expand(-1, -1, size[1]))
        own = own.gather(2, by_slot.transpose(1, 2).expand(-1, self.slots, -1))
        every = torch.cat([own, common.gather(1, by_slot.expand(-1, -1, _CHAINS))], dim=2)
        return every * self.present[:, :, None] * (self.prior > 0)[:, None]

    def change(self, design: Tensor, step: Tensor, chosen: Tensor) -> Tensor:
        """Return by how much a small step of the shifts of some neurons changes their weights, (chosen, source)."""
        weights = (design[chosen] @ step[..., None].to(design))[..., 0].float()
        return spread(weights, self.sources[chosen], len(self.sources) + self.inputs)

    def chain_moves(self, programmed: ToldTunings) -> Tensor:
        """Return by how much a shift of each chain changes weights, per half-linewidth, (neuron, source, chain)."""
        design, every = self.design(programmed), torch.arange(len(self.sources))
        each = torch.eye(self.unknowns, dtype=torch.float64)[self.unknowns - _CHAINS :, None]
        found = [self.change(design, one.expand(len(every), -1), every) for one in each]
        return torch.stack(found, dim=-1)

    def shifts_hz(self) -> dict[str, Tensor]:
        """Return by how much each resonance is off, (destination, source) in Hz by parameter name."""
        own, common = self.error[:, : self.slots], self.error[:, self.slots :]
        every = spread(own * self.present, self.sources, len(self.sources) + self.inputs)
        found = {}
        for name, rows, columns in by_layer(self.layers, self.inputs):
            chain = int(name.startswith("w_int"))
            found[name] = self.half_linewidth_hz * (every[rows, columns] + common[rows, chain, None])
        return found

    def acting(self, weights: Weights, programmed: ToldTunings) -> Weights:
        """Give the weights as they seem to act."""
        found = {
            name: programmed.shifted(name, shift_hz).weights(
                programmed.tunings[name].double(), programmed.present[name]
            )
            for name, shift_hz in self.shifts_hz().items()
        }
        layers = range(len(self.layers))
        w_ext, w_int = (tuple(found[f"{kind}.{one}"].float() for one in layers) for kind in ("w_ext", "w_int"))
        return replace(weights, w_ext=w_ext, w_int=w_int)


@dataclass(frozen=True)
class ChainShifts:
    """By how much the chains of one matrix are off, such as by a temperature, each (destination,).

    Args:
        values: In half-linewidths.
        errors: Standard errors.
        told: Whether the traces tell it, boolean; of others the value is what was known beforehand.
    """

    values: Tensor
    errors: Tensor
    told: Tensor


def chain_shifts(synapses: TunedSynapses, variances: Tensor) -> dict[str, ChainShifts]:
    """Return the common shift of every chain by parameter name.

    Args:
        synapses: What is known of the shifts.
        variances: Of these, (neuron, unknown).
    """
    if not synapses.slots:
        return {}
    errors, found = variances.sqrt(), {}
    for name, rows, _ in by_layer(synapses.layers, synapses.inputs):
        place = synapses.slots + int(name.startswith("w_int"))
        each = errors[rows, place]
        found[name] = ChainShifts(synapses.error[rows, place], each, each < UNTOLD * COMMON)
    return found
