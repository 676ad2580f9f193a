"""Watches the neurons of one chip for drift, from the batches of a training loop: no probe, no further shots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinhw.gradients.chip_batch import ChipBatch
from spinhw.gradients.network_refit import fit_again, network_record
from spinhw.gradients.neuron_chart import NeuronChart, Shift
from spinhw.gradients.verdict import WHICH, Hypotheses
from spinhw.gradients.watch_settings import LEAST_SEQUENCES, WatchSettings
from spinhw.states import part_of
from spinhw.surrogate import CoupledRefit
from spinhw.surrogate.shifts import shift_evidence

# Images that each of the first looks fits the model of the chart to; synapses make it expensive.
_FITTED = 24
# And images of a batch by which chains are weighed against neurons.
_WEIGHED = 60


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
        chains: Whether its synapses are resonators that the model looks at: a chain that has moved is then told from a
            neuron that has.
    """

    def __init__(self, model: CoupledRefit, settings: WatchSettings, chips: int, chains: bool = False) -> None:
        neurons = model.oscillators.count
        self._model, self._settings = model, settings
        self._chart = NeuronChart(
            neurons,
            settings.learn - settings.learn // 2,
            settings.false_alarms_per_1000 / 1000 / neurons / chips,
            chains,
        )
        self._chains = chains
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
        each = [
            shift_evidence(
                record,
                oscillators,
                self._model.weights(record),
                self._model.chain_moves(record) if self._chains else None,
            )
            for record in records
        ]
        found = sum(each[1:], each[0])
        if learning:
            self._chart.learn(found)
            return None
        return Look(*self._chart.judge(found))

    def weighed(self, batches: Sequence[ChipBatch], shifts: Sequence[Shift]) -> list[Shift]:
        """Tell whether neurons have changed, or the chains that feed them, by a fit of either alone.

        Args:
            batches: In which they had changed, of which the first is looked at.
            shifts: What a linear step makes of it; a gain that alone has moved is left at that, and everything where
                chains are not looked at.
        """
        asked = [one for one in shifts if self._chains and set(one.parameters) != {"gain"}]
        if not asked:
            return list(shifts)
        record = network_record(batches[0], min(self._settings.images, _WEIGHED), self._gain)
        numbers = torch.tensor([one.neuron for one in asked])
        tried = Hypotheses(*(self._model.tried(record, numbers, *which) for which in WHICH))
        told = {one.neuron: tried.verdict(row, one) for row, one in enumerate(asked)}
        return [told.get(one.neuron, one) for one in shifts]

    def renew(self, batches: Sequence[ChipBatch], shifts: Sequence[Shift]) -> None:
        """Take neurons that have changed in these batches as they now are; the next looks make a new baseline."""
        self._gain = fit_again(self._model, self._gain, batches, self._settings.images, shifts)
        self._chart.renew(torch.tensor([one.neuron for one in shifts]))

    def forget_shifts(self, taken: Mapping[str, Tensor]) -> None:
        """Go on with resonators where the chart has them, although the network takes them to be elsewhere.

        Args:
            taken: By how many half-linewidths, (destination,) by name of the matrix.
        """
        self._model.forget_shifts(taken)

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
