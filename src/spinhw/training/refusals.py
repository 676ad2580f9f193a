"""What settings and paths alone tell against a run: said before anything that takes time is imported."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spinhw.config import Settings
from spinhw.device import DeviceSettings, SimulatedSettings
from spinhw.errors import ConfigError
from spinhw.records import find_record
from spinhw.training.run_folder import RunFolder
from spinhw.training.settings import RunSettings
from spinhw.training.summary import changed_keys

# What decides which synapses there are.
_SHAPE = ("kind", "inputs", "layers", "outputs", "density_input", "density_inter", "density_intra")


def refuse_missing(settings: RunSettings) -> None:
    """Check that the run to start from and the calibration record are there, and that the former fits.

    Raises:
        ConfigError: Says what is missing or differs.
    """
    refuse_start(settings)
    for record in [] if settings.calibration is None else map(Path, settings.calibration.records):
        if not record.is_dir():
            find_record(record, "")


def refuse_start(settings: RunSettings) -> None:
    """Check that `training.start` trained the networks that a run wants to start from; nothing without one.

    Raises:
        ConfigError: It is no run folder, or has other seeds, networks or images.
    """
    if settings.training.start is not None:
        folder = RunFolder.open(Path(settings.training.start))
        _refuse_misfit(folder, folder.settings(), settings)


def longer_run(recorded: RunSettings, wanted: RunSettings) -> RunSettings:
    """Return a run for as many epochs as are wanted of it, where these are more and the first ones would be the same.

    Args:
        recorded: The run as it was begun.
        wanted: The run that shall come out.
    """
    training, more = recorded.training, wanted.training
    if more.epochs < training.epochs or not training.can_be_longer or recorded.task.changes_on_the_way:
        return recorded
    length = {"epochs": more.epochs, "plateau": more.plateau}
    return recorded.model_copy(update={"training": training.model_copy(update=length)})


def refuse_other_settings(folder: RunFolder, recorded: Settings, wanted: Settings, longer: bool = False) -> None:
    """Check that a run is resumed with the settings that it was started with.

    Args:
        folder: Of the run.
        recorded: Its settings.
        wanted: What they are believed to be.
        longer: Whether it may go on for more epochs than it was started with.

    Raises:
        ConfigError: Names the keys that differ.
    """
    if longer and isinstance(recorded, RunSettings) and isinstance(wanted, RunSettings):
        recorded = longer_run(recorded, wanted)
    # What is said of the experiment may be said anew.
    there, here = (one.model_dump(mode="json", by_alias=True, exclude={"run"}) for one in (recorded, wanted))
    changed = changed_keys(there, here)
    if changed:
        raise ConfigError(
            f"{folder.path}: the run was started with another config",
            seen=", ".join(changed),
            todo=f"resume with {folder.config}, or train into another folder",
        )


def refuse_unknown_seeds(settings: RunSettings, seeds: Sequence[int] | None) -> None:
    """Check that a run has networks of these seeds, at least one; None stands for all.

    Raises:
        ConfigError: Names those that it has.
    """
    there = settings.training.seeds
    unknown = [] if seeds is None else [seed for seed in seeds if seed not in there]
    if unknown or (seeds is not None and not seeds):
        raise ConfigError(
            "seeds (--seed): the run has no such network",
            seen=", ".join(map(str, unknown)) or "none",
            allowed=", ".join(map(str, there)),
            todo="name some of these, each with a --seed of its own",
        )


def without_device() -> ConfigError:
    """Make the error for a comparison of gradients without a device."""
    return ConfigError("there is no device to compare gradients with", todo="name one with --device")


def simulated(device: DeviceSettings | None) -> SimulatedSettings:
    """Give the profile of simulated chips, and refuse what is none.

    Raises:
        ConfigError: It is none; says what it is.
    """
    if isinstance(device, SimulatedSettings):
        return device
    raise ConfigError(
        "there is no distribution to take chips from",
        seen="no device" if device is None else f"kind {device.kind}",
        allowed="a simulated device",
        todo="name one with --device, such as imperfect-chip",
    )


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
    there["data"] = ", ".join(folder.task_facts().get("fingerprints", []))
    here["data"] = ", ".join(settings.task.fingerprints)
    different = [key for key in there if there[key] != here[key]]
    if different:
        raise ConfigError(
            f"training.start: {folder.path} trained other networks, or on other data",
            seen=", ".join(f"{key} {there[key]} there, {here[key]} here" for key in different),
            todo="write the same here",
        )


def _decisive(settings: RunSettings) -> dict[str, Any]:
    split = {f"task.{key}": getattr(settings.task, key) for key in ("kind", *settings.task.split_keys)}
    shape = {f"network.{key}": getattr(settings.network, key) for key in _SHAPE}
    # The same numbers are weights in the one network, and tunings in the other.
    return split | shape | {"network.synapses": settings.network.synapses.kind}
