"""From a YAML file to the settings of a run, the device profile that it names included."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spinhw.config import apply_overrides, build, find_recipe, read_yaml, yaml_beside
from spinhw.device import DeviceSettings, SimulatedSettings, load_device
from spinhw.errors import ConfigError
from spinhw.tasks import TASKS, TaskSettings
from spinhw.tasks.series import is_packaged
from spinhw.training.settings import RunSettings

# Keys that name a device profile in place of which it is put.
_CHIPS = ("training.chips", "training.chips.profile")
# Keys that a task may name files under.
_FILES = ("task.file", "task.test_file", "task.labels")


def load_settings(
    path: str | Path, overrides: Sequence[str] = (), device: str | None = None, task: Any = None
) -> RunSettings:
    """Read the settings of a run from YAML.

    A device that is named there is put in place of its name, so that the settings are complete.

    Args:
        path: The file, or the name of a shipped recipe such as "digits".
        overrides: Such as ["training.epochs=5"]; those of ``device.`` change the profile that is named.
        device: Name or file of a device profile, in place of the file's own.
        task: Handed over in place of the file's own, as for `spinhw.train`; None for that.

    Raises:
        ConfigError: One line for each thing that is wrong.
    """
    path = find_recipe(Path(path))
    data, left = read_with_device(path, overrides, device, (*_CHIPS, *_FILES))
    named_record = data.get("calibration")
    if isinstance(named_record, Mapping):
        named = {key: named_record.get(key) for key in ("record", "resonators")}
        found = {key: _beside_if_there(one, path.parent) for key, one in named.items() if isinstance(one, str)}
        data["calibration"] = dict(named_record) | found
    if isinstance(data.get("training"), Mapping):
        data["training"] = _resolved(dict(data["training"]), path.parent)
    if task is not None:
        from spinhw.training.handed_over import task_settings

        data["task"] = task_settings(task, data.get("task"), str(path))
    elif isinstance(data.get("task"), Mapping):
        data["task"] = _with_whole_paths(dict(data["task"]), path.parent)
    return build(RunSettings, data, str(path), left)


def _with_whole_paths(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Find the files that a task names beside the config; a run folder lies elsewhere, and so names them whole.

    What follows from the data is left out: it is found anew.
    """
    kind = task.get("kind")
    model = TASKS.find(kind) if isinstance(kind, str) and TASKS.knows(kind) else TaskSettings
    keys = model.file_keys
    task = {key: value for key, value in task.items() if key not in model.derived_keys}
    named = {key: name for key in keys if isinstance(name := task.get(key), str) and name}
    return task | {key: _whole_path(name, folder) for key, name in named.items()}


def _whole_path(name: str, folder: Path) -> str:
    """Return the path of a file beside the config, or where a line of the command says it is from here.

    What is no path but a data set of an installed package is left as it is.
    """
    if is_packaged(name):
        return name
    near, here = folder / name, Path(name)
    return str((here if here.exists() and not near.exists() else near).absolute())


def read_with_device(
    path: Path, overrides: Sequence[str] = (), device: str | None = None, early: Sequence[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Read a YAML file, and put the profile of the device that is named under ``device`` in place of the name.

    Args:
        path: The file.
        overrides: As for `load_settings`.
        device: As for `load_settings`.
        early: Further keys whose overrides are applied at once.

    Returns:
        What the file holds, and the overrides that are still to be applied.

    Raises:
        ConfigError: There is no such file or profile, or what is named does not go together.
    """
    keys = {override: override.partition("=")[0].strip() for override in overrides}
    named = [override for override, key in keys.items() if key == "device"]
    if device is not None and named:
        raise ConfigError(
            "--device and --set device do not go together",
            seen=f"--device {device}, --set {named[-1]}",
            todo="keep one",
        )
    done = [override for override, key in keys.items() if key in ("device", *early)]
    data = apply_overrides(read_yaml(path), done)
    if device is not None:
        data["device"] = _plain(load_device(device))
    elif isinstance(data.get("device"), str):
        data["device"] = _plain(load_device(_beside(data["device"], path.parent)))
    inside = [key for key in keys.values() if key.startswith("device.")]
    if inside and not isinstance(data.get("device"), Mapping):
        raise ConfigError(f"--set {inside[0]}: no device is named", todo="add --device NAME")
    return data, [override for override in overrides if override not in done]


def _resolved(training: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Find what is named under 'training': the run to start from, and the profile that chips are drawn from."""
    if isinstance(training.get("start"), str):
        training["start"] = _beside_if_there(training["start"], folder)
    chips = training.get("chips")
    if isinstance(chips, Mapping) and isinstance(chips.get("profile"), str):
        profile = load_device(_beside(chips["profile"], folder))
        if not isinstance(profile, SimulatedSettings):
            raise ConfigError(
                f"training.chips.profile: {chips['profile']} is no distribution of chips",
                seen=f"kind {profile.kind}",
                allowed="the profile of a simulated device",
                todo="name one, such as imperfect-chip",
            )
        training["chips"] = dict(chips) | {"profile": _plain(profile)}
    return training


def _beside(name: str, folder: Path) -> str:
    """Find a file that a config names beside that config; any other name is left as it is."""
    return str(yaml_beside(name, folder) or name)


def _beside_if_there(name: str, folder: Path) -> str:
    """Find a file or a folder beside the config that names it; else it is left as it is."""
    near = folder / name
    return str(near) if near.exists() else name


def _plain(settings: DeviceSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", by_alias=True)
