"""From a YAML file to the settings of a run, the device profile that it names included."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spinhw.config import apply_overrides, build, read_yaml
from spinhw.device import DeviceSettings, load_device
from spinhw.train.settings import RunSettings


def load_run(path: Path, overrides: Sequence[str] = (), device: str | None = None) -> RunSettings:
    """Read a run from YAML.

    A device that is named there is put in place of its name, so that the settings are complete.

    Args:
        path: The file.
        overrides: Such as ["training.epochs=5"]; those of ``device.`` change the profile that is named.
        device: Name or file of a device profile, in place of the file's own.

    Raises:
        ConfigError: One line for each thing that is wrong.
    """
    data, rest = read_yaml(path), list(overrides)
    named = [override for override in rest if override.partition("=")[0].strip() == "device"]
    data = apply_overrides(data, named)
    if device is not None:
        data["device"] = _plain(load_device(device))
    elif isinstance(data.get("device"), str):
        data["device"] = _plain(load_device(_beside(data["device"], path.parent)))
    return build(RunSettings, data, str(path), [override for override in rest if override not in named])


def _beside(name: str, folder: Path) -> str:
    """Find a file that a config names beside that config; any other name is left as it is."""
    near = folder / name
    return str(near) if near.suffix in {".yaml", ".yml"} and near.is_file() else name


def _plain(settings: DeviceSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", by_alias=True)
