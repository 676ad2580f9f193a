"""The model that gradients of a run flow through: nominal, from a record, refitted from the batches just measured."""

from collections.abc import Sequence
from pathlib import Path

import torch

from spinhw.device import Description, Device
from spinhw.errors import ConfigError
from spinhw.gradients import MODES, NetworkRefit
from spinhw.network import NetworkSettings
from spinhw.records import find_record, load_record
from spinhw.rollout import Neurons
from spinhw.surrogate import Calibrated, OnlineRefit, Oscillators, calibrated_neurons, information
from spinhw.train.settings import TrainingSettings

_FREE = ("gamma", "sigma", "q")


def surrogate_neurons(
    training: TrainingSettings, network: NetworkSettings, device_ids: Sequence[str]
) -> Neurons | None:
    """Give the neurons of the model, (chip, neuron), as training starts; None for the nominal ones.

    Args:
        training: Says which model.
        network: The network as designed.
        device_ids: Of the chips, one for each member or one for all.

    Raises:
        ConfigError: A record is missing or wrong.
        CalibrationError: A record is another device's.
    """
    if training.surrogate == "nominal":
        return None
    return calibrated_neurons(Path(training.surrogate), network, device_ids).to(torch.float32)


def make_refits(training: TrainingSettings, network: NetworkSettings, device: Device) -> list[NetworkRefit] | None:
    """Make a refit for each chip of a device, which starts at the model's oscillators; None for no refit.

    Raises:
        ConfigError: A refit is asked for and the device cannot observe what it takes.
    """
    lacking = _lacking(training, network, device.describe())
    if training.refit == "none" or (training.refit is None and lacking):
        return None
    if lacking:
        raise ConfigError(
            f"training.refit: {device.name} cannot be refitted from its batches",
            seen=lacking,
            allowed="neurons of kind spintronic that start from rest, whose power is observed",
            todo="write refit: none, and calibrate the device into a record for training.surrogate",
        )
    return [
        NetworkRefit(_online(training, network, name), training.refit_images, training.refit_every)
        for name in device.describe().device_ids
    ]


def _online(training: TrainingSettings, network: NetworkSettings, device_id: str) -> OnlineRefit:
    if training.surrogate == "nominal":
        return OnlineRefit(Oscillators.nominal(network.neurons(torch.float64)), _FREE)
    known = Calibrated.of(load_record(find_record(Path(training.surrogate), device_id), device_id))
    return OnlineRefit(known.oscillators, _FREE, prior=information(known.covariance, _FREE))


def _lacking(training: TrainingSettings, network: NetworkSettings, about: Description) -> str:
    """Say what stands against a refit; empty if nothing does."""
    if training.gradient is None or not MODES[training.gradient].uses_surrogate:
        return f"the gradient {training.gradient!r}, which has no surrogate"
    if MODES[training.gradient].measured == "nothing":
        return "the gradient 'surrogate', which measures nothing"
    if network.kind != "spintronic" or network.initial_state != "rest":
        return f"network.kind {network.kind!r}, network.initial_state {network.initial_state!r}"
    return "" if "power" in about.observables else "observations without the power"
