"""What a run trains with: nominal oscillators and resonators, or those of the devices as they were calibrated."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from spinhw.device import DeviceSettings, SimulatedSettings
from spinhw.network import SpintronicNetwork
from spinhw.records import find_record, load_record
from spinhw.rollout import Neurons
from spinhw.streams import torch_stream
from spinhw.surrogate import Calibrated, CalibratedChains, calibrated_chains, members, members_of_chains
from spinhw.training.model_settings import CalibrationUse
from spinhw.training.settings import RunSettings
from spinhw.training.true_chains import true_chains


class TrainedSurrogate:
    """Calibrated neurons and resonators of every member, and draws of what they may be, given their errors.

    Args:
        settings: A run with a calibration.
        chains: What it knows of the resonators of its chips.

    Raises:
        ConfigError: A record is missing or wrong.
        CalibrationError: A record is another device's, or of other oscillators or resonators.
    """

    def __init__(self, settings: RunSettings, chains: Sequence[CalibratedChains]) -> None:
        asked = settings.calibration
        if asked is None:
            raise ValueError("this run has no calibration")
        self._spread, self._seeds = asked.draws, settings.training.seeds
        self._nominal = settings.network.neurons(torch.float64)
        ids = [_device_id(settings.device, seed) for seed in self._seeds]
        self._known = _oscillators(asked, ids)
        for one in self._known:
            one.neurons(self._nominal)  # Refuses another number of oscillators.
        self._chains = chains

    @property
    def draws(self) -> bool:
        """Whether every step of the training has neurons and resonators of its own."""
        return self._spread > 0

    def begin(self, network: SpintronicNetwork) -> None:
        """Put neurons and resonators into networks that were just made: their weights act as before.

        Raises:
            CalibrationError: A record is of other resonators than the networks have.
        """
        if self._known:
            network.use_neurons(self.neurons())
        if self._chains:
            use_chains(network, self._chains)

    def put_into(self, network: SpintronicNetwork, chains: bool = True) -> None:
        """Put neurons and resonators as they most probably are into networks; tunings stay.

        Args:
            network: Of all members.
            chains: Whether resonators too: a loop follows these itself.
        """
        if self._known:
            network.use_neurons(self.neurons())
        if self._chains and chains:
            network.use_resonators(members_of_chains([one.chains for one in self._chains]))

    def draw_into(self, network: SpintronicNetwork, step: int, chains: bool = True) -> None:
        """Put neurons and resonators as they may be into networks, the same for the same step; tunings stay.

        Args:
            network: Of all members.
            step: Number of the step of the optimiser.
            chains: As for `put_into`.
        """
        if self._known:
            network.use_neurons(self.drawn(step))
        if self._chains and chains:
            streams = [torch_stream("resonator draws", seed, step) for seed in self._seeds]
            each = [one.drawn(stream, self._spread) for one, stream in zip(self._chains, streams, strict=True)]
            network.use_resonators(members_of_chains(each))

    def neurons(self) -> Neurons:
        """Give the neurons as they most probably are, (member, neuron)."""
        return members([one.neurons(self._nominal) for one in self._known])

    def drawn(self, step: int) -> Neurons:
        """Give neurons as they may be, (member, neuron); the same for the same step.

        Args:
            step: Number of the step of the optimiser.
        """
        each = []
        for one, seed in zip(self._known, self._seeds, strict=True):
            generator = torch_stream("calibration draws", seed, step)
            each.append(replace(one, oscillators=one.drawn(generator, self._spread)).neurons(self._nominal))
        return members(each)


def known_chains(settings: RunSettings, seeds: Sequence[int] | None = None) -> list[CalibratedChains]:
    """Return what a run knows of the resonators of its chips, one for each member; empty where that is nothing.

    Args:
        settings: The run.
        seeds: Members, in this order; None for the run's own.

    Raises:
        ConfigError: A record is missing or wrong, or nobody knows the truth of the device.
        CalibrationError: A record is another device's.
    """
    asked, seeds = settings.calibration, settings.training.seeds if seeds is None else seeds
    if asked is None or asked.resonators is None:
        return []
    if asked.of_truth:
        return true_chains(settings, seeds, asked.resonator_error)
    return chains_of_chips(Path(asked.resonators), settings.device, seeds, asked.anyway)


def use_chains(network: SpintronicNetwork, known: Sequence[CalibratedChains]) -> None:
    """Let networks run with resonators as measured; they are tuned anew, so that their weights act as before.

    Args:
        network: Of all members.
        known: What the records of their chips say.

    Raises:
        CalibrationError: A record is of other resonators than its network has.
    """
    for member, one in enumerate(known):
        one.refuse_other(network, member)
        one.warn_of_lost()
    network.use_resonators(members_of_chains([one.chains for one in known]), keep_weights=True)


def chains_of_chips(
    record: Path, profile: DeviceSettings | None, seeds: Sequence[int], anyway: bool = False
) -> list[CalibratedChains]:
    """Read what is known of the resonators of the chips that networks run on.

    Args:
        record: A record, or a folder with DEVICE_ID.yaml for each.
        profile: Of the device; None where none is named, and any record will do.
        seeds: Of the networks.
        anyway: Whether another device's record will do.

    Raises:
        ConfigError: A record is missing or wrong.
        CalibrationError: A record is another device's.
    """
    return [calibrated_chains(record, _device_id(profile, seed), anyway) for seed in seeds]


def _oscillators(asked: CalibrationUse, ids: Sequence[str | None]) -> list[Calibrated]:
    if asked.record is None:
        return []
    path = Path(asked.record)
    files = [path if one is None else find_record(path, one) for one in ids]
    return [Calibrated.of(load_record(file, one, asked.anyway)) for file, one in zip(files, ids, strict=True)]


def _device_id(device: DeviceSettings | None, seed: int) -> str | None:
    """Give the id of the device that a seed runs on; None where no device is named, and any record will do."""
    if device is None:
        return None
    return f"{device.id}-{seed}" if isinstance(device, SimulatedSettings) else device.id
