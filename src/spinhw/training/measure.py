"""The closing measurement of trained networks: at the training step, converged, and on a device."""

from functools import partial
from typing import Any

from spinhw.device import Device
from spinhw.network import SpintronicNetwork
from spinhw.training.data import EnsembleData
from spinhw.training.deploy import answer_on_device
from spinhw.training.held_out import accuracy, confusion, held_out_logits, refuse_non_finite
from spinhw.training.progress import NamedTick
from spinhw.training.settings import RunSettings
from spinhw.training.statistics import over_seeds


def measure_simulated(
    settings: RunSettings, network: SpintronicNetwork, data: EnsembleData, tick: NamedTick
) -> dict[str, Any]:
    """Measure by simulation: ``accuracy``, ``accuracy_converged`` and, converged, ``confusion``.

    Args:
        settings: The run.
        network: The trained networks.
        data: Their data.
        tick: Told of the progress; may raise to stop.

    Raises:
        ConfigError: The answers are not finite.
    """
    training, labels = settings.training, data.test_labels
    coarse = held_out_logits(network, data, training, tick=partial(tick, "accuracy"))
    fine = held_out_logits(network, data, training, settings.fine_steps, partial(tick, "accuracy converged"))
    return {
        "accuracy": over_seeds(accuracy(coarse, labels)),
        "accuracy_converged": over_seeds(accuracy(fine, labels)),
        "confusion": confusion(fine, labels),
    }


def measure_on_device(
    settings: RunSettings,
    network: SpintronicNetwork,
    data: EnsembleData,
    device: Device | None,
    tick: NamedTick,
) -> dict[str, Any]:
    """Measure on a device, open: ``accuracy_on_device`` and ``device``; nothing where there is none.

    On a bench also ``instruments``: who answered, and all settings as last read back.

    Args:
        settings: The run.
        network: The trained networks.
        data: Their data.
        device: The device.
        tick: Told of the progress; may raise to stop.
    """
    if device is None:
        return {}
    size = settings.training.batch_size
    answers = answer_on_device(network, data, device, size, partial(tick, "accuracy on the device"))
    refuse_non_finite(answers.logits, data.seeds)
    return {
        "accuracy_on_device": over_seeds(accuracy(answers.logits, data.test_labels)),
        "device": {
            "kind": device.describe().kind,
            "ids": list(answers.device_ids),
            "seed": device.describe().seed,
            "good_share": answers.good_share,
            "energy_per_image_j": answers.energy_j,
            "confusion": confusion(answers.logits, data.test_labels),
        },
        **({"instruments": answers.instruments} if answers.instruments else {}),
    }
