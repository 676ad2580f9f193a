"""Device profiles: one YAML file for one device, told apart by `kind`."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from spinhw.chip import ChipSettings
from spinhw.config import Settings, build, find_profile, read_yaml
from spinhw.device.conversion import Conversion, Line
from spinhw.errors import ConfigError, did_you_mean
from spinhw.units import Quantity

PositiveVoltageV = Annotated[float, Quantity("V", positive=True)]
PositiveCurrentA = Annotated[float, Quantity("A", positive=True)]
PositivePowerW = Annotated[float, Quantity("W", positive=True)]


class ConversionSettings(Settings):
    """What model units mean at the channels, typed in by hand. The defaults are one volt for one unit."""

    threshold_a: PositiveCurrentA = Field(
        default=5e-3, description="Current at the threshold of the nominal oscillator, I = gamma / sigma; above zero."
    )
    input_v: PositiveVoltageV = Field(default=1.0, description="Voltage of an input u = 1; above zero.")
    weight_v: PositiveVoltageV = Field(default=1.0, description="Tuning voltage of a weight of 1; above zero.")
    bias_v: PositiveVoltageV = Field(default=1.0, description="Voltage of a trainable bias of 1; above zero.")
    power_v: PositiveVoltageV = Field(default=1.0, description="Read-out voltage of a power x = 1, and of y = 1.")
    output_v: PositiveVoltageV = Field(default=1.0, description="Voltage of an output of 1 of a hardware read-out.")
    rf_power_w: PositivePowerW = Field(default=1e-6, description="RF power of an oscillator at x = 1; above zero.")

    def conversion(self, threshold_per_s: float) -> Conversion:
        """Make the conversion.

        Args:
            threshold_per_s: Drive at the threshold of the nominal oscillator, gamma / sigma, in 1/s.
        """
        return Conversion(
            drive_per_ampere=threshold_per_s / self.threshold_a,
            input=Line(self.input_v, "V"),
            weight=Line(self.weight_v, "V"),
            bias=Line(self.bias_v, "V"),
            power=Line(self.power_v, "V"),
            filtered=Line(self.power_v, "V"),
            output=Line(self.output_v, "V"),
            rf_power=Line(self.rf_power_w, "W"),
        )


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
KINDS: dict[str, type[SimulatedSettings]] = {"simulated": SimulatedSettings}
DeviceSettings = SimulatedSettings


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
    return build(settings_for(data, str(path)), data, str(path), overrides)


def settings_for(data: dict[str, Any], source: str) -> type[DeviceSettings]:
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
    return TypeAdapter(DeviceSettings).json_schema(by_alias=True)
