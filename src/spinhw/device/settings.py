"""Device profiles: one YAML file for one device, told apart by `kind`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from spinhw.chip import ChipSettings
from spinhw.config import Settings, build, find_profile, read_yaml
from spinhw.conversion import ConversionSettings
from spinhw.device.recorded_settings import RecordedSettings
from spinhw.errors import ConfigError, did_you_mean
from spinhw.instruments import StationSettings, load_station
from spinhw.instruments.settings import at_home


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


BankSettings = Annotated[SimulatedSettings | StationSettings, Field(discriminator="kind")]
Refitted = Literal["gamma", "sigma", "q", "gain", "offset", "delay", "lag"]


class MultiplexedSettings(Settings):
    """A whole network on the few oscillators of a bank, which play its neurons one after another."""

    kind: Literal["multiplexed"] = Field(description="'multiplexed': a network on a bank of oscillators.")
    bank: BankSettings | str = Field(
        description="The oscillators: name or file of a device profile, looked for beside this file too."
    )
    oscillators: int | None = Field(
        default=None,
        ge=1,
        description="Oscillators to use, the first of the bank; null for all that a bench has wired, and for one for "
        "each neuron of a simulated bank.",
    )
    assignment: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        default=None, description="Number of the oscillator of each neuron, from 0; null deals the neurons out in turn."
    )
    tolerance: float | None = Field(
        default=None,
        gt=0.0,
        description="Rms change of the waveforms by a further pass that ends the passes, in units of full power; null "
        "for 2e-3, or the measured noise of a sample where that is larger.",
    )
    passes: int = Field(default=6, ge=1, le=100, description="Most measurements of a batch, 1 to 100.")
    samples_per_interval: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Samples of the played drive for each input, 1 to 64; null for as many as the tolerance asks for.",
    )
    averages: int = Field(default=1, ge=1, description="Shots of each pass, averaged; at least 1.")
    segments: int | None = Field(
        default=None,
        ge=1,
        description="Most segments of one upload, for sources with little memory; null for a whole batch.",
    )
    refit: tuple[Refitted, ...] = Field(
        default=("gamma", "sigma", "q", "delay"),
        description="Parameters of each oscillator that are refitted from every pass; an empty list for none.",
    )
    record: str | None = Field(
        default=None, description="Calibration record of the bank, or a folder of them; null starts from the nominal."
    )
    anyway: bool = Field(default=False, description="Whether another device's record will do.")
    remember: int | None = Field(
        default=None,
        ge=0,
        description="Sequences whose last correction is remembered as a start; 0 for none. Null: 2000 on a bench, and "
        "none on simulated oscillators, whose runs can then be resumed to the bit.",
    )

    @property
    def id(self) -> str:
        """Id of the bank."""
        return self.bank if isinstance(self.bank, str) else self.bank.id


# One model for each kind; a later backend adds its own here and joins the union.
AnySettings = SimulatedSettings | StationSettings | MultiplexedSettings | RecordedSettings
KINDS: dict[str, type[AnySettings]] = {
    "simulated": SimulatedSettings,
    "visa": StationSettings,
    "bench": StationSettings,
    "multiplexed": MultiplexedSettings,
    "recorded": RecordedSettings,
}
DeviceSettings = Annotated[AnySettings, Field(discriminator="kind")]


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
    if model is MultiplexedSettings:
        return _load_multiplexed(data, path, overrides)
    settings = load_station(path, tuple(overrides))
    from spinhw.instruments.build import build_instruments
    from spinhw.instruments.traffic import Traffic

    # Drivers, templates and limits are looked at now, while the file can still be named.
    build_instruments(settings, str(path), Traffic())
    return at_home(settings, path.parent)


def _load_multiplexed(data: dict[str, Any], path: Path, overrides: Sequence[str]) -> MultiplexedSettings:
    """Put the bank in place of its name, so that the settings are complete, and write out where the record is."""
    data = dict(data)
    if isinstance(data.get("bank"), str):
        near = path.parent / data["bank"]
        bank = load_device(str(near) if near.suffix in {".yaml", ".yml"} and near.is_file() else data["bank"])
        if isinstance(bank, MultiplexedSettings):
            raise ConfigError(
                f"{path}: bank: this is no bank of oscillators",
                seen="kind multiplexed",
                allowed="a simulated device, or a bench with oscillators",
            )
        data["bank"] = bank.model_dump(mode="json", by_alias=True)
    if isinstance(data.get("record"), str) and (path.parent / data["record"]).exists():
        data["record"] = str((path.parent / data["record"]).resolve())
    return build(MultiplexedSettings, data, str(path), overrides)


def is_bench(settings: DeviceSettings) -> bool:
    """Tell whether instruments stand behind a profile: a bench, or a network on the oscillators of one."""
    if isinstance(settings, MultiplexedSettings):
        return is_bench(load_device(settings.bank) if isinstance(settings.bank, str) else settings.bank)
    return isinstance(settings, StationSettings)


def settings_for(data: dict[str, Any], source: str) -> type[AnySettings]:
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
    """Return the JSON schema of a device profile, for editors."""
    return TypeAdapter[DeviceSettings](DeviceSettings).json_schema(by_alias=True)
