"""Watches the neurons of one chip for drift, from the batches of a training loop: no probe, no further shots."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinhw.gradients.chip_batch import ChipBatch
from spinhw.gradients.network_refit import fit_again, network_record
from spinhw.gradients.neuron_chart import NeuronChart, Shift
from spinhw.gradients.watch_settings import LEAST_SEQUENCES, WatchSettings
from spinhw.states import part_of
from spinhw.surrogate import CoupledRefit
from spinhw.surrogate.shifts import shift_evidence

# Images that each of the first looks fits the model of the chart to; synapses make it expensive.
_FITTED = 24


@dataclass(frozen=True)
class Look:
    """What a look at a chip showed.

    Args:
        score: T^2 of each neuron, (neuron,); 0 of one that was not observed.
        limit: Beyond which a neuron has changed.
        shifts: What has changed.
    """

    score: Tensor
    limit: float
    shifts: Sequence[Shift]


class NetworkWatch:
    """A chart of one chip around a model of its own, which the first looks make.

    The model of the gradient follows the device; this one stays, so that a change is seen however the other follows.

    Args:
        model: What is known of the oscillators, forgetting nothing; nobody else changes it.
        settings: How to watch.
        chips: Of the device: false alarms are shared between them.
    """

    def __init__(self, model: CoupledRefit, settings: WatchSettings, chips: int) -> None:
        neurons = model.oscillators.count
        self._model, self._settings = model, settings
        self._chart = NeuronChart(
            neurons, settings.learn - settings.learn // 2, settings.false_alarms_per_1000 / 1000 / neurons / chips
        )
        # Of the read-out of the power, as it moved since the first looks; what these miss is the chart's.
        self._gain = torch.ones(neurons, dtype=torch.float64)
        self._turns = 0  # Batches so far.
        self._late = False  # Whether a look is due that a batch was too small for.

    def look(self, batches: Sequence[ChipBatch]) -> Look | None:
        """Take in a batch if it is its turn; None where it is not, where nothing is judged yet, and in small batches.

        Args:
            batches: What each member gave that ran on this chip, with the power of neurons.
        """
        settings, turn = self._settings, self._turns // batches[0].groups
        self._turns += 1
        learning = turn < settings.learn
        images = sum(min(settings.images, batch.inputs.shape[1]) for batch in batches)
        due = learning or turn % settings.every == 0 or self._late
        self._late = due and not learning and images < LEAST_SEQUENCES
        if not due or images < LEAST_SEQUENCES:
            return None
        if turn < settings.learn // 2:
            for batch in batches:
                self._model.update(network_record(batch, _FITTED, self._gain))
            return None
        oscillators, one = replace(self._model.oscillators, gain=self._gain), torch.ones_like(self._gain)
        records = [network_record(batch, settings.images, one) for batch in batches]
        each = [shift_evidence(record, oscillators, self._model.weights(record)) for record in records]
        found = sum(each[1:], each[0])
        if learning:
            self._chart.learn(found)
            return None
        return Look(*self._chart.judge(found))

    def renew(self, batches: Sequence[ChipBatch], shifts: Sequence[Shift]) -> None:
        """Take neurons that have changed in these batches as they now are; the next looks make a new baseline."""
        self._gain = fit_again(self._model, self._gain, batches, self._settings.images, shifts)
        self._chart.renew(torch.tensor([one.neuron for one in shifts]))

    def state(self) -> dict[str, Tensor]:
        """Give what a checkpoint must hold."""
        chart = {f"chart/{name}": value for name, value in self._chart.state().items()}
        model = {f"model/{name}": value for name, value in self._model.state().items()}
        place = torch.tensor([self._turns, self._late])
        return chart | model | {"gain": self._gain.clone(), "place": place}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a state that `state` gave."""
        self._chart.restore(part_of(state, "chart"))
        self._model.restore(part_of(state, "model"))
        self._gain, place = state["gain"].clone(), state["place"].tolist()
        self._turns, self._late = place[0], bool(place[1])
