"""Where the drives of trained networks lie: whether a device could be asked to play them."""

from dataclasses import dataclass

import numpy as np
import torch

from spinhw.errors import ConfigError
from spinhw.network import SpintronicNetwork
from spinhw.sequences import inside
from spinhw.tasks import Task
from spinhw.training.held_out import first_held_out
from spinhw.training.settings import RunSettings

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
_NEAR = 0.01  # A drive within this share of the span from a bound counts as saturated.
_SEQUENCES = 20  # Of each member that are looked at: 100 000 drives of the paper's network, plenty for quantiles.


@dataclass(frozen=True)
class DriveStatistics:
    """Drives over members, sequences, time and neurons.

    Args:
        quantiles: Of I / gamma, by probability as text, such as "0.05"; "0.0" and "1.0" are the extremes.
        saturated: Share of time that a neuron spends within 1 % (of the span) of a bound; None without bounds.
    """

    quantiles: dict[str, float]
    saturated: float | None


@torch.no_grad()
def drive_statistics(network: SpintronicNetwork, settings: RunSettings, task: Task) -> DriveStatistics:
    """Look at the mean drive of every sample interval, for up to 20 held-out sequences of each member, each to its end.

    Raises:
        ConfigError: Some are not finite.
    """
    batch = first_held_out(task, settings.training.seeds, settings.final_part, _SEQUENCES)
    drive = network.run(batch.inputs, record_drive=True).drive
    if drive is None:
        raise RuntimeError("the rollout gave no drive although it was asked for one")
    if not drive.isfinite().all():
        raise ConfigError(
            "the drives of the networks overflow",
            seen="drives that are not finite",
            todo=f"bring network.weight_limit, gain, drive_rate and {settings.task.scale_key} nearer to one",
        )
    neurons = network.neurons()
    lasts = inside(batch.lengths, drive.shape[2])  # (member, batch, time)
    levels = (drive / neurons.gamma[:, None, None])[... if lasts is None else lasts].numpy()
    quantiles = {str(p): float(value) for p, value in zip(QUANTILES, np.quantile(levels, QUANTILES), strict=True)}
    if neurons.bounds is None:
        return DriveStatistics(quantiles, None)
    lowest, highest = neurons.bounds.lowest[:, None, None], neurons.bounds.highest[:, None, None]
    place = (drive - lowest) / (highest - lowest)
    near = (place < _NEAR) | (place > 1 - _NEAR)
    return DriveStatistics(quantiles, float(near[... if lasts is None else lasts].double().mean()))
