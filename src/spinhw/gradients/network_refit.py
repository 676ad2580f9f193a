"""Online refit from the batches of a training loop: the network itself is the excitation."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from spinhw.gradients.chip_batch import ChipBatch
from spinhw.gradients.neuron_chart import Shift
from spinhw.network import NetworkSettings
from spinhw.rollout import Neurons
from spinhw.surrogate import CHAINS, DYNAMICS, ChainShifts, CoupledRefit, NetworkRecord, Oscillators

# Batches at the start that are all looked at: until then the oscillators are hardly known.
_WARM_UP = 3
# What has moved may have moved by this many times what a look shows of it, and by no more than that.
_MARGIN, _MOST = 2.0, 0.6
_FAR = 0.15  # Beyond, a shift is not linear any more.


class NetworkRefit:
    """Keeps the oscillators and synapses of one chip up to date from what was measured of them in a running network.

    Args:
        online: What is known of them, and how it is refitted.
        images: Images of a batch that are looked at, at least 1.
        every: Batches from one that is looked at to the next, at least 1; at first the gaps are 1, 1, 1, 4, 8 and so
            on. A look takes as long as several training steps, and oscillators change slowly. Where channels take
            turns these are rounds of all.
    """

    def __init__(self, online: CoupledRefit, images: int = 6, every: int = 64) -> None:
        if images < 1 or every < 1:
            raise ValueError(f"a refit needs one image or more of each or some batches, not {images} of each {every}th")
        self.online, self._images, self._every = online, images, every
        self._seen = 0  # Batches that came by, looked at or not.
        # By how much the read-out of the power shows more than it did: only a watch tells that from the oscillator.
        self._gain = torch.ones(online.oscillators.count, dtype=torch.float64)
        self._known: tuple[Oscillators, Neurons, Neurons] | None = None

    @classmethod
    def nominal(cls, network: NetworkSettings) -> "NetworkRefit":
        """Begin with the oscillators of a network as designed."""
        return cls(CoupledRefit(Oscillators.nominal(network.neurons(torch.float64))))

    def update(self, batch: ChipBatch) -> None:
        """Take in a batch, if it is its turn; does nothing where the power of no neuron was observed."""
        turn = self._seen // batch.groups
        self._seen += 1
        # Rarely looked at only once much is known: batches 4, 8, 16 and so on are looked at too.
        due = turn < _WARM_UP or turn % self._every == 0 or turn & (turn - 1) == 0
        signal = batch.trace.power
        if signal is not None and due and bool(signal.good.any()):
            self.online.update(network_record(batch, self._images, self._gain))

    def renew(self, batches: Sequence[ChipBatch], images: int, shifts: Sequence[Shift]) -> None:
        """Fit neurons again that have changed, and look at the next batches as at the first ones.

        What did not move of them stays as sure as it was, synapses included.

        Args:
            batches: In which they had changed: one for each member that ran on this chip.
            images: Images of each to look at.
            shifts: What has moved.
        """
        self._gain = fit_again(self.online, self._gain, batches, images, shifts)
        self._seen %= batches[0].groups  # Where channels take turns, the others of this round come next.

    def neurons(self, nominal: Neurons) -> Neurons:
        """Put what is known of the oscillators into nominal neurons, (1, neuron); one object while nothing changes."""
        known = self._known
        if known is None or known[0] is not self.online.oscillators or known[1] is not nominal:
            known = (self.online.oscillators, nominal, self.online.neurons(nominal))
            self._known = known
        return known[2]

    def acting(self, name: str) -> Tensor | None:
        """Give what weights act by over what was read back, (neuron, source), by name; None where that is not known."""
        return self.online.acting(name)

    def shifts_hz(self) -> dict[str, Tensor]:
        """Return by how many Hz resonances seem to be off, (destination, source) by name; empty where unknown."""
        return self.online.shifts_hz()

    def chain_shifts(self) -> dict[str, ChainShifts]:
        """Return by how much whole chains seem to be off, by name of the matrix; empty where that is not known."""
        return self.online.chain_shifts()

    def forget_shifts(self, taken: Mapping[str, Tensor]) -> None:
        """Take it that chains are less off by so many half-linewidths, (destination,) by name of the matrix."""
        self.online.forget_shifts(taken)

    def state(self) -> dict[str, Tensor]:
        """Give what a checkpoint must hold."""
        return self.online.state() | {"seen": torch.tensor(self._seen), "gain": self._gain.clone()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a state that `state` gave."""
        self.online.restore(state)
        self._seen = int(state["seen"])
        self._gain = state.get("gain", self._gain).clone()  # Checkpoints before 2026-11-22 lack it.


def fit_again(
    online: CoupledRefit, gain: Tensor, batches: Sequence[ChipBatch], images: int, shifts: Sequence[Shift]
) -> Tensor:
    """Fit neurons that have changed; return the gain of the read-out of all neurons, (neuron,).

    A neuron of which the gain alone has moved keeps its dynamics, and so does one whose chains alone have. Of one that
    moved far everything is fitted: which of its parameters moved is told by a linear step.

    Args:
        online: What is known of the neurons; changed.
        gain: Of the read-out so far, (neuron,).
        batches: In which they had changed, all of one chip.
        images: Images of each to look at.
        shifts: What has moved.
    """
    numbers, apart = torch.tensor([one.neuron for one in shifts]), torch.zeros(len(shifts), len(DYNAMICS))
    gain, chains = gain.clone(), torch.zeros(len(shifts), len(CHAINS))
    for row, one in enumerate(shifts):
        explained = {**one.instead, **one.parameters}
        far = max((abs(value) for name, value in explained.items() if name not in CHAINS), default=0.0)
        if set(one.parameters) == {"gain"}:
            gain[one.neuron] *= math.exp(max(-_MOST, min(_MOST, one.parameters["gain"])))
        for place, name in enumerate(DYNAMICS):
            moved = far if far > _FAR else abs(explained.get(name, 0.0))
            apart[row, place] = min(_MOST, _MARGIN * moved)
        for place, name in enumerate(CHAINS):
            chains[row, place] = min(_MOST, _MARGIN * abs(explained.get(name, 0.0)))
    online.widen(numbers, apart.double() ** 2)
    if bool(chains.any()):
        online.widen_chains(numbers, chains.double() ** 2)
    for batch in batches:
        online.update(network_record(batch, images, gain), numbers)
    return gain


def network_record(batch: ChipBatch, images: int, gain: Tensor) -> NetworkRecord:
    """Take the first images of a batch for a fit.

    Args:
        batch: With the power of neurons.
        images: How many.
        gain: Of the read-out of each neuron's power over what the conversion takes it for, (neuron,).
    """
    signal, first, chosen = batch.trace.power, batch.trace.power0, slice(0, images)
    if signal is None:
        raise ValueError("a refit needs the power of neurons")
    power, good = signal.values[0, chosen], signal.good[0, chosen]
    if first is None:
        before, known = torch.zeros_like(power[:, :1]), torch.zeros_like(good[:, :1])
    else:
        before, known = first.values[0, chosen, None], first.good[0, chosen, None]
    return NetworkRecord(
        batch.weights,
        batch.nominal,
        batch.inputs[0, chosen],
        torch.cat([before, power], dim=1) / gain.to(power.dtype),
        torch.cat([known, good], dim=1),
        batch.steps.sample_interval_s,
        batch.network.drive_rate_per_s,
        signal.noise or 0.0,
        batch.programmed,
    )
