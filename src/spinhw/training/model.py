"""Refits of the model that gradients of a run flow through: nominal or calibrated at first, then as just measured."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from spinhw.device import Description, Device
from spinhw.errors import ConfigError
from spinhw.gradients import MODES, NetworkRefit
from spinhw.records import find_record, load_record
from spinhw.surrogate import (
    DYNAMICS,
    FORGETTING,
    Calibrated,
    CalibratedChains,
    CoupledRefit,
    Oscillators,
    information,
)
from spinhw.training.settings import RunSettings
from spinhw.training.surrogate import known_chains


def make_refits(
    settings: RunSettings, device: Device, known: Sequence[CalibratedChains] | None = None
) -> list[NetworkRefit] | None:
    """Make a refit for each chip of a device, which starts from the run's calibration if there is one; None for none.

    Args:
        settings: The run.
        device: The device.
        known: What the run knows of the resonators of its chips (`known_chains`); None to read it.

    Raises:
        ConfigError: A refit is asked for and the device cannot observe what it takes, or a record is missing.
        CalibrationError: A record is another device's.
    """
    training, about = settings.training, device.describe()
    if training.trainable == "readout":  # Nothing flows through a model.
        return None
    lacking = lacks(settings, about) or _no_model(settings)
    if training.refit.when == "never" or (training.refit.when is None and lacking):
        return None
    if lacking:
        raise ConfigError(
            f"training.refit.when: {device.name} cannot be refitted from its batches",
            seen=lacking,
            allowed="neurons of kind spintronic that start from rest, whose power is observed",
            todo="write refit: {when: never}, and calibrate the device",
        )
    return [
        NetworkRefit(one, training.refit.sequences, training.refit.every)
        for one in online_refits(settings, about.device_ids, known=known)
    ]


def online_refits(
    settings: RunSettings,
    device_ids: Sequence[str],
    forgetting: float = FORGETTING,
    known: Sequence[CalibratedChains] | None = None,
) -> Iterator[CoupledRefit]:
    """Begin to know the oscillators and resonators of chips: from their records, if the run has any, else nominal ones.

    Args:
        settings: The run.
        device_ids: The chips, in the order of its seeds, or a single one.
        forgetting: What is left of old information after a look.
        known: As for `make_refits`.
    """
    known = known_chains(settings) if known is None else known
    for row, device_id in enumerate(device_ids):
        sure = known[row].resonance_errors() if known else None
        yield _online_refit(settings, device_id, forgetting, sure)


def _online_refit(
    settings: RunSettings, device_id: str, forgetting: float, errors_hz: Mapping[str, Tensor] | None
) -> CoupledRefit:
    asked, error = settings.calibration, settings.training.refit.synapse_error
    if asked is None or asked.record is None:
        nominal = Oscillators.nominal(settings.network.neurons(torch.float64))
        return CoupledRefit(nominal, error, forgetting, errors_hz=errors_hz)
    known = Calibrated.of(load_record(find_record(Path(asked.record), device_id), device_id, asked.anyway))
    return CoupledRefit(known.oscillators, error, forgetting, information(known.covariance, DYNAMICS), errors_hz)


def lacks(settings: RunSettings, about: Description) -> str:
    """Say what stands against fitting oscillators to the batches of a training; empty if nothing does."""
    gradient, network = settings.training.gradient, settings.network
    if gradient is None or MODES[gradient].measured == "nothing":
        return f"the gradient {gradient!r}, which measures nothing"
    if network.kind != "spintronic" or network.initial_state != "rest":
        return f"network.kind {network.kind!r}, network.initial_state {network.initial_state!r}"
    if network.rate.kind != "logistic":
        return f"network.rate {network.rate.kind!r}"
    return "" if "power" in about.observables else "observations without the power"


def _no_model(settings: RunSettings) -> str:
    """Say what of the gradient stands against refitting its model; empty if nothing does."""
    gradient = settings.training.gradient
    return (
        "" if gradient is None or MODES[gradient].uses_surrogate else f"the gradient {gradient!r}, which has no model"
    )
