"""Online refit from the batches of a training loop: the network itself is the excitation."""

from collections.abc import Sequence

import torch
from torch import Tensor

from spinhw.gradients.drift_chart import Shift
from spinhw.gradients.refits import ChipBatch
from spinhw.rollout import Neurons
from spinhw.surrogate import DYNAMICS, CoupledRefit, NetworkRecord, Oscillators

# Batches at the start that are all looked at: until then the oscillators are hardly known.
_WARM_UP = 3
# What has moved may have moved by this many times what a look shows of it, and by no more than that.
_MARGIN, _MOST = 2.0, 0.6


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
        numbers = torch.tensor([one.neuron for one in shifts])
        moved = [[one.parameters.get(name, 0.0) for name in DYNAMICS] for one in shifts]
        gain = torch.tensor([one.parameters.get("gain", 0.0) for one in shifts], dtype=torch.float64)
        self._gain[numbers] *= gain.exp()
        self.online.widen(numbers, (_MARGIN * torch.tensor(moved, dtype=torch.float64)).clamp(-_MOST, _MOST) ** 2)
        for batch in batches:
            self.online.update(network_record(batch, images, self._gain), numbers)
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

    def state(self) -> dict[str, Tensor]:
        """Give what a checkpoint must hold."""
        return self.online.state() | {"seen": torch.tensor(self._seen), "gain": self._gain.clone()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a state that `state` gave."""
        self.online.restore(state)
        self._seen = int(state["seen"])
        self._gain = state.get("gain", self._gain).clone()  # Checkpoints before 2026-11-22 lack it.


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
    )
