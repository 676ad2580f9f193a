"""Device profiles: one YAML file for one device, told apart by `kind`."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from spinhw.chip import ChipSettings
from spinhw.config import Settings, build, find_profile, read_yaml
from spinhw.conversion import ConversionSettings
from spinhw.device.recorded import RecordedSettings
from spinhw.errors import ConfigError, did_you_mean
from spinhw.instruments import StationSettings, load_station
from spinhw.instruments.build import build_instruments
from spinhw.instruments.settings import at_home
from spinhw.instruments.traffic import Traffic


class SimulatedSettings(Settings):
    """A simulated device. Everything hidden follows from id, seed and member number."""

    kind: Literal["simulated"] = Field(description="'simulated': a chip that exists only in the computer.")
    id: str = Field(
        default="chip",
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Device id: letters, digits, '.', '_', '-'. Members are called ID-0, ID-1, ...",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the hidden parameters and of the noise, 0 or above.")
    channels: int | None = Field(
        default=None, ge=1, description="Neurons that can be observed at a time, at least 1; null for all."
    )
    chip: ChipSettings = Field(default=ChipSettings(), description="Imperfections.")
    conversion: ConversionSettings = Field(
        default=ConversionSettings(), description="What model units mean in volts and amperes."
    )


# One model for each kind; a later backend adds its own here and joins the union.
KINDS: dict[str, type[SimulatedSettings] | type[StationSettings] | type[RecordedSettings]] = {
    "simulated": SimulatedSettings,
    "visa": StationSettings,
    "bench": StationSettings,
    "recorded": RecordedSettings,
}
DeviceSettings = Annotated[SimulatedSettings | StationSettings | RecordedSettings, Field(discriminator="kind")]


def load_device(name: str, overrides: Sequence[str] = ()) -> DeviceSettings:
    """Read a device profile.

    Args:
        name: A YAML file, or the name of a shipped profile such as "ideal".
        overrides: Such as ["chip.thermal_power=1e-3"].

    Raises:
        ConfigError: There is no such profile, or something in it is wrong.
    """
    path = find_profile(name)
    data = read_yaml(path)
    model = settings_for(data, str(path))
    if model is SimulatedSettings:
        return build(SimulatedSettings, data, str(path), overrides)
    if model is RecordedSettings:
        return build(RecordedSettings, data, str(path), overrides).at_home(path.parent)
    settings = load_station(path, tuple(overrides))
    # Drivers, templates and limits are looked at now, while the file can still be named.
    build_instruments(settings, str(path), Traffic())
    return at_home(settings, path.parent)


def settings_for(
    data: dict[str, Any], source: str
) -> type[SimulatedSettings] | type[StationSettings] | type[RecordedSettings]:
    """Find the model of a profile by its kind; `source` names the file in messages."""
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(
            f"{source}: kind: this kind of device is not known",
            seen=kind,
            allowed=", ".join(KINDS),
            todo=did_you_mean(kind, KINDS) if isinstance(kind, str) else "add a line such as 'kind: simulated'",
        )
    return KINDS[kind]


def device_schema() -> dict[str, Any]:
    """Give the JSON schema of a device profile, for editors."""
    return TypeAdapter[DeviceSettings](DeviceSettings).json_schema(by_alias=True)
