"""From a YAML file to the settings of a run, the device profile that it names included."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spinhw.config import apply_overrides, build, read_yaml
from spinhw.device import load_device
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
        data["device"] = device
    if isinstance(data.get("device"), str):
        data["device"] = _profile(data["device"], path.parent)
    return build(RunSettings, data, str(path), [override for override in rest if override not in named])


def _profile(name: str, beside: Path) -> dict[str, Any]:
    """Read a profile into plain data; a relative file may lie beside the one that names it."""
    near = beside / name
    settings = load_device(str(near) if near.suffix in {".yaml", ".yml"} and near.is_file() else name)
    return settings.model_dump(mode="json", by_alias=True)
