"""Online refit from the batches of a training loop: the network itself is the excitation."""

import torch
from torch import Tensor

from spinhw.gradients.refits import ChipBatch
from spinhw.rollout import Neurons
from spinhw.surrogate import OnlineRefit, Oscillators, Played, played_by_network

# Batches until the oscillators are known so well that each further one may bring a part of its images only.
_WARM_UP = 4
# Images from which how residuals scatter between them can be told.
_SCATTERED = 20


class NetworkRefit:
    """Keeps the oscillators of one chip up to date from what was measured of them in a running network.

    Args:
        online: What is known of the oscillators, and how it is refitted.
        images: Images of a batch that are looked at, at least 1; of the first four batches all are.
    """

    def __init__(self, online: OnlineRefit, images: int = 12) -> None:
        if images < 1:
            raise ValueError(f"a refit needs at least one image of a batch, not {images}")
        self.online, self._images = online, images
        self._known: tuple[Oscillators, Neurons, Neurons] | None = None

    def update(self, batch: ChipBatch) -> None:
        """Take in a batch; does nothing where the power of no neuron was observed."""
        signal, first = batch.trace.power, batch.trace.power0
        if signal is None or not bool(signal.good.any()):
            return
        chosen = slice(0, None if self.online.batches < _WARM_UP else self._images)
        power, good = signal.values[0, chosen], signal.good[0, chosen]
        if first is None:
            before, known = torch.zeros_like(power[:, :1]), torch.zeros_like(good[:, :1])
        else:
            before, known = first.values[0, chosen, None], first.good[0, chosen, None]
        power, good = torch.cat([before, power], dim=1), torch.cat([known, good], dim=1)
        nominal, settings = batch.nominal.to(torch.float64), batch.network

        def source(oscillators: Oscillators) -> list[Played]:
            played = played_by_network(
                batch.weights,
                oscillators.neurons(nominal),
                batch.inputs[0, chosen],
                power,
                good,
                batch.steps.sample_interval_s,
                drive_rate_per_s=settings.drive_rate_per_s,
                noise=signal.noise or 0.0,
                averages=batch.trace.averages,
            )
            return [played]

        self.online.update_from(source, robust=len(power) >= _SCATTERED)

    def neurons(self, nominal: Neurons) -> Neurons:
        """Put what is known of the oscillators into nominal neurons, (1, neuron); one object while nothing changes."""
        known = self._known
        if known is None or known[0] is not self.online.oscillators or known[1] is not nominal:
            known = (self.online.oscillators, nominal, self.online.neurons(nominal))
            self._known = known
        return known[2]

    def state(self) -> dict[str, Tensor]:
        """Give what a checkpoint must hold."""
        return self.online.state() | {"batches": torch.tensor(self.online.batches)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a state that `state` gave."""
        self.online.restore(state)
        self.online.batches = int(state["batches"])
