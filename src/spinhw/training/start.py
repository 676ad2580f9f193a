"""Starting a run from the networks that another one trained, in place of random weights."""

from pathlib import Path
from typing import Any

import torch

from spinhw.errors import ConfigError
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.learner import Learner
from spinhw.training.run_folder import RunFolder
from spinhw.training.settings import RunSettings

# What decides which synapses there are.
_SHAPE = ("kind", "inputs", "layers", "outputs", "density_input", "density_inter", "density_intra")


def start_from(learner: Learner, settings: RunSettings) -> None:
    """Give every seed of a run that has begun the weights that `training.start` trained for it; nothing without one.

    The optimiser starts anew.

    Args:
        learner: Just made; its networks are changed.
        settings: The run.

    Raises:
        ConfigError: The other run has other seeds, networks or images, or no checkpoint.
    """
    if settings.training.start is None:
        return
    folder = RunFolder.open(Path(settings.training.start))
    other = folder.settings()
    _refuse_misfit(folder, other, settings)
    tensors, _ = load_checkpoint(folder.checkpoint)
    counted = "network" if other.training.weight_average is None else "average"
    rows = torch.tensor([other.training.seeds.index(seed) for seed in learner.seeds])
    weights = {name: tensors[f"{counted}/{name}"][rows] for name in learner.network.state_dict()}
    for network in {learner.network, learner.evaluated}:
        network.load_state_dict(weights)


def _refuse_misfit(folder: RunFolder, other: RunSettings, settings: RunSettings) -> None:
    missing = sorted(set(settings.training.seeds) - set(other.training.seeds))
    if missing:
        raise ConfigError(
            f"training.start: {folder.path} did not train every seed",
            seen=f"no seed {', '.join(map(str, missing))}",
            allowed=", ".join(map(str, other.training.seeds)),
            todo="name some of these in training.seeds",
        )
    there, here = _decisive(other), _decisive(settings)
    different = [key for key in there if there[key] != here[key]]
    if different:
        raise ConfigError(
            f"training.start: {folder.path} trained other networks, or with other images",
            seen=", ".join(f"{key} {there[key]} there, {here[key]} here" for key in different),
            todo="write the same here",
        )


def _decisive(settings: RunSettings) -> dict[str, Any]:
    split = {f"task.{key}": getattr(settings.task, key) for key in ("kind", *settings.task.split_keys)}
    return split | {f"network.{key}": getattr(settings.network, key) for key in _SHAPE}
