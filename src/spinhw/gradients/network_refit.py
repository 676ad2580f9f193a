"""Online refit from the batches of a training loop: the network itself is the excitation."""

import torch
from torch import Tensor

from spinhw.gradients.refits import ChipBatch
from spinhw.rollout import Neurons
from spinhw.surrogate import CoupledRefit, NetworkRecord, Oscillators

# Batches at the start that are all looked at: until then the oscillators are hardly known.
_WARM_UP = 3


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
        self._known: tuple[Oscillators, Neurons, Neurons] | None = None

    def update(self, batch: ChipBatch) -> None:
        """Take in a batch, if it is its turn; does nothing where the power of no neuron was observed."""
        turn = self._seen // batch.groups
        self._seen += 1
        # Rarely looked at only once much is known: batches 4, 8, 16 and so on are looked at too.
        due = turn < _WARM_UP or turn % self._every == 0 or turn & (turn - 1) == 0
        signal = batch.trace.power
        if signal is not None and due and bool(signal.good.any()):
            self.online.update(_record(batch, slice(0, self._images)))

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
        return self.online.state() | {"seen": torch.tensor(self._seen)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a state that `state` gave."""
        self.online.restore(state)
        self._seen = int(state["seen"])


def _record(batch: ChipBatch, chosen: slice) -> NetworkRecord:
    signal, first = batch.trace.power, batch.trace.power0
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
        torch.cat([before, power], dim=1),
        torch.cat([known, good], dim=1),
        batch.steps.sample_interval_s,
        batch.network.drive_rate_per_s,
        signal.noise or 0.0,
    )
