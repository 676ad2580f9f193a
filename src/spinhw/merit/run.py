"""Figures of merit of the networks of a run or a recipe, over seeds."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from torch import Tensor

from spinhw.device import Device
from spinhw.errors import ConfigError
from spinhw.gradients.shown import refuse_hidden_states
from spinhw.merit.choices import MeritChoices
from spinhw.merit.figures import MemberFigures, figures_of, narma_without_a_network
from spinhw.merit.inputs import alike_at_the_end, played, random_inputs
from spinhw.merit.states import measured_states, simulated_states
from spinhw.network import SpintronicNetwork
from spinhw.training import SILENT, Progress, RunFolder, RunSettings
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.deploy import device_for, refuse_misfit
from spinhw.training.learner import Learner
from spinhw.training.member import of_seeds
from spinhw.training.start import start_from
from spinhw.training.statistics import over_seeds


def measure_merit(
    settings: RunSettings,
    folder: Path | None = None,
    choices: MeritChoices | None = None,
    seeds: Sequence[int] | None = None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Measure figures of merit: on the device of the settings, or where there is none on the simulator.

    Every network sees the same sequences, each of them once, and each from its initial state; what is played lies
    between the lowest and the highest input of the task.

    Args:
        settings: The run.
        folder: A run folder, whose trained networks are taken; None for networks as they are drawn.
        choices: How; None for the defaults.
        seeds: Of the networks; None for all.
        progress: Told what happens.

    Returns:
        ``figures`` by name, each over seeds, with ``threshold`` where it has one; ``by_delay``, ``spectra`` and what
        was measured how, as plain data.

    Raises:
        ConfigError: The device does not show its neurons or cannot play the inputs, there is no such seed, or the
            checkpoint of the run is missing, damaged, or of other networks than the settings say.
        DeviceError: The device failed.
    """
    choices = choices or MeritChoices()
    refuse_misfit(settings)
    settings, network = of_seeds(settings, _networks(settings, folder), seeds)
    with nullcontext() if settings.device is None else device_for(settings, settings.device) as device:
        if device is not None:
            refuse_hidden_states(device.describe())
        looks = _Looks(settings, network, device, choices)
        found = _each_member(looks, choices, progress)
        described = _described(settings, choices, device, folder)
    return {
        **described,
        "good_share": looks.good_share,
        "narma10_without_a_network": narma_without_a_network(looks.inputs, choices.washout),
        **_together(found),
    }


class _Looks:
    """Looks at the states of networks, by simulation or on a device."""

    def __init__(
        self, settings: RunSettings, network: SpintronicNetwork, device: Device | None, choices: MeritChoices
    ) -> None:
        self._network, self._device, self._choices = network, device, choices
        self._range, self._channels = settings.task.input_range, settings.network.inputs
        self._shares: list[float] = []
        self.inputs = random_inputs(choices.sequences, choices.samples, "capacities")

    @property
    def good_share(self) -> float | None:
        """Share of good samples; None without a device."""
        return sum(self._shares) / len(self._shares) if self._shares else None

    def states(self, inputs: Tensor) -> Tensor:
        """Return y after each sample, (member, sequence, time, neuron), for u, (sequence, time)."""
        shown = played(inputs, *self._range, self._channels)
        if self._device is None:
            found = simulated_states(self._network, shown, self._choices)
        else:
            found, share = measured_states(self._device, self._network, shown, self._choices)
            self._shares.append(share)
        if not bool(found.isfinite().all()):
            raise ConfigError(
                "the states of the networks overflow",
                seen="states that are not finite",
                todo="bring network.weight_scale, gain and drive_rate nearer to one",
            )
        return found


def _each_member(looks: _Looks, choices: MeritChoices, progress: Progress) -> list[MemberFigures]:
    states = looks.states(looks.inputs)
    count = states.shape[-1]  # As many sequences as neurons: more can have no higher rank.
    kernel = looks.states(random_inputs(count, choices.rank_samples, "kernel rank"))[:, :, -1]
    alike = looks.states(alike_at_the_end(count, choices.rank_samples, choices.shared))[:, :, -1]
    found = []
    for member in range(len(states)):
        found.append(figures_of(looks.inputs, states[member], kernel[member], alike[member], choices))
        progress.on_evaluation("figures of merit", member + 1, len(states))
    return found


def _networks(settings: RunSettings, folder: Path | None) -> SpintronicNetwork:
    learner = Learner(settings)
    if folder is None:
        start_from(learner, settings)
    else:
        learner.restore(*load_checkpoint(RunFolder.open(folder).checkpoint))
    return learner.evaluated


def _described(
    settings: RunSettings, choices: MeritChoices, device: Device | None, folder: Path | None
) -> dict[str, Any]:
    low, high = settings.task.input_range
    return {
        "networks": "as drawn" if folder is None else f"trained, {folder}",
        "device": None if device is None else list(device.describe().device_ids),
        "seeds": list(settings.training.seeds),
        "input_range": [low, high],
        "rows": choices.rows,
        "choices": vars(choices),
    }


def _together(members: Sequence[MemberFigures]) -> dict[str, Any]:
    """Put the figures of members together, each over seeds; of thresholds the highest of any member."""
    figures: dict[str, Any] = {}
    for name in members[0].numbers:
        figures[name] = over_seeds([one.numbers[name] for one in members])
        if name in members[0].thresholds:
            figures[name]["threshold"] = max(one.thresholds[name] for one in members)
    return {
        "states": len(members[0].spectra["kernel"]),
        "figures": figures,
        "by_delay": {name: [one.by_delay[name] for one in members] for name in members[0].by_delay},
        "spectra": {name: [one.spectra[name] for one in members] for name in members[0].spectra},
    }
