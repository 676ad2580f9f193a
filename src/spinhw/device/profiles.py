"""Device profiles: one YAML file for one device. The model of its `kind` is imported when a profile names it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spinhw.config import find_profile, json_schema, read_yaml
from spinhw.config.sorts import BENCH, DEVICE, another_sort
from spinhw.device.kinds import DEVICES, AnyDevice, DeviceSettings
from spinhw.errors import ConfigError, did_you_mean


def load_device(name: str | Path, overrides: Sequence[str] = ()) -> DeviceSettings:
    """Read a device profile.

    Args:
        name: A YAML file, or the name of a shipped profile such as "ideal".
        overrides: Such as ["chip.thermal_power=1e-3"].

    Raises:
        ConfigError: There is no such profile, or something in it is wrong.
    """
    path = find_profile(str(name))
    data = read_yaml(path)
    return settings_for(data, str(path)).read(data, path, overrides)


def is_bench(settings: DeviceSettings) -> bool:
    """Tell whether instruments stand behind a profile: a bench, or a network on the oscillators of one."""
    return settings.on_bench


def settings_for(data: dict[str, Any], source: str) -> type[DeviceSettings]:
    """Find the model of a profile by its kind; `source` names the file in messages."""
    kind = data.get("kind")
    if not isinstance(kind, str) or not DEVICES.knows(kind):
        other = another_sort(data, (DEVICE, BENCH), source)
        if other is not None:
            raise other
        known = DEVICES.names()
        todo = did_you_mean(kind, known) if isinstance(kind, str) else "add a line such as 'kind: simulated'"
        raise ConfigError(
            f"{source}: kind: this kind of device is not known",
            seen=kind,
            allowed=", ".join(known),
            todo=todo or "install the package that adds it",
        )
    try:
        found: type[DeviceSettings] = DEVICES.find(kind)
    except ConfigError as error:
        what = f"{source}: kind: {error.what}"
        raise ConfigError(what, seen=error.seen, allowed=error.allowed, todo=error.todo) from error
    return found


def device_schema() -> dict[str, Any]:
    """Return the JSON schema of a device profile, for editors."""
    return json_schema(AnyDevice)
