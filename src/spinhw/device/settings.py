"""Device profiles: one YAML file for one device, told apart by `kind`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, TypeAdapter, field_validator

from spinhw.chip import ChipSettings
from spinhw.config import ByKind, build, find_profile, read_yaml, yaml_beside
from spinhw.conversion import ConversionSettings
from spinhw.device.kinds import DEVICES, AnyDevice, DeviceSettings, Seam
from spinhw.device.recorded_settings import RecordedSettings
from spinhw.errors import ConfigError, MisfitError, did_you_mean
from spinhw.instruments import StationSettings
from spinhw.instruments.settings import at_home

if TYPE_CHECKING:
    import torch

    from spinhw.device.banks import OscillatorBank, SynapseBank
    from spinhw.device.base import Device
    from spinhw.network import Answer, NetworkSettings


class SimulatedSettings(DeviceSettings):
    """A simulated device. Everything hidden follows from id, seed and member number."""

    seams: ClassVar[tuple[Seam, ...]] = ("network", "oscillators", "synapses")

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

    def open(
        self,
        network: "NetworkSettings",
        sample_interval_s: float,
        members: int | Sequence[int],
        dtype: "torch.dtype",
        answer: "Answer",
    ) -> "Device":
        """Make a simulated chip for each member."""
        from spinhw.device.simulated_opening import open_simulated_device

        return open_simulated_device(self, network, sample_interval_s, members, dtype, answer)

    def open_bank(
        self,
        network: "NetworkSettings",
        sample_interval_s: float,
        oscillators: int | None,
        members: int | Sequence[int],
        dtype: "torch.dtype",
    ) -> "OscillatorBank":
        """Make the oscillators of the same chips, uncoupled."""
        from spinhw.device.simulated_opening import open_simulated_bank

        return open_simulated_bank(self, network, sample_interval_s, oscillators, members, dtype)

    def open_synapses(self, resonators: int, member: int) -> "SynapseBank":
        """Make a chain of resonators of one chip."""
        from spinhw.device.simulated_opening import open_simulated_synapses

        return open_simulated_synapses(self, resonators, member)


class VisaSettings(StationSettings, DeviceSettings):
    """A bench."""

    @classmethod
    def read(cls, data: Mapping[str, Any], path: Path, overrides: Sequence[str] = ()) -> Self:
        """Look at drivers, templates and limits at once, while the file can still be named."""
        from spinhw.instruments.build import build_instruments
        from spinhw.instruments.traffic import Traffic

        settings = build(cls, data, str(path), overrides)
        build_instruments(settings, str(path), Traffic())
        return at_home(settings, path.parent)

    @property
    def on_bench(self) -> bool:
        """True: instruments stand behind it."""
        return True

    def open(
        self,
        network: "NetworkSettings",
        sample_interval_s: float,
        members: int | Sequence[int],
        dtype: "torch.dtype",
        answer: "Answer",
    ) -> "Device":
        """Make a device out of a bench with a chip."""
        from spinhw.device.visa_opening import open_visa_device

        return open_visa_device(self, network, sample_interval_s, members, answer=answer)

    def open_bank(
        self,
        network: "NetworkSettings",
        sample_interval_s: float,
        oscillators: int | None,
        members: int | Sequence[int],
        dtype: "torch.dtype",
    ) -> "OscillatorBank":
        """Make a bank out of a bench with oscillators."""
        from spinhw.device.visa_opening import open_visa_bank

        return open_visa_bank(self, network, sample_interval_s, oscillators, members)

    def open_synapses(self, resonators: int, member: int) -> "SynapseBank":
        """Make a bank out of a bench with resonators, all that are wired."""
        from spinhw.device.visa_opening import open_visa_synapses

        return open_visa_synapses(self)


Refitted = Literal["gamma", "sigma", "q", "gain", "offset", "delay", "lag"]


class MultiplexedSettings(DeviceSettings):
    """A whole network on the few oscillators of a bank, which play its neurons one after another."""

    kind: Literal["multiplexed"] = Field(description="'multiplexed': a network on a bank of oscillators.")
    bank: Annotated[DeviceSettings | str, ByKind(DEVICES, or_name=True, hidden=("multiplexed", "recorded"))] = Field(
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

    @field_validator("bank")
    @classmethod
    def _bank_is_one(cls, bank: DeviceSettings | str) -> DeviceSettings | str:
        if isinstance(bank, MultiplexedSettings | RecordedSettings):
            raise MisfitError(
                "this is no bank of oscillators",
                seen=f"kind {bank.kind}",
                allowed="a simulated device, or a bench with oscillators",
                todo="name another profile",
            )
        return bank

    @classmethod
    def read(cls, data: Mapping[str, Any], path: Path, overrides: Sequence[str] = ()) -> Self:
        """Put the bank in place of its name, so that the settings are complete, and write out where the record is."""
        data = dict(data)
        if isinstance(data.get("bank"), str):
            bank = load_device(yaml_beside(data["bank"], path.parent) or data["bank"])
            data["bank"] = bank.model_dump(mode="json", by_alias=True)
        if isinstance(data.get("record"), str) and (path.parent / data["record"]).exists():
            data["record"] = str((path.parent / data["record"]).resolve())
        return build(cls, data, str(path), overrides)

    @property
    def bank_settings(self) -> DeviceSettings:
        """The profile of the bank, read where only its name stands here."""
        return load_device(self.bank) if isinstance(self.bank, str) else self.bank

    @property
    def on_bench(self) -> bool:
        """Whether instruments stand behind the bank."""
        return self.bank_settings.on_bench

    def open(
        self,
        network: "NetworkSettings",
        sample_interval_s: float,
        members: int | Sequence[int],
        dtype: "torch.dtype",
        answer: "Answer",
    ) -> "Device":
        """Make a device that plays a network on the oscillators of the bank."""
        from spinhw.device.multiplex.build import open_multiplexed

        return open_multiplexed(self, network, sample_interval_s, members, dtype, answer)

    def open_bank(
        self,
        network: "NetworkSettings",
        sample_interval_s: float,
        oscillators: int | None,
        members: int | Sequence[int],
        dtype: "torch.dtype",
    ) -> "OscillatorBank":
        """Refuse: the bank is the one below."""
        raise ConfigError(
            f"{self.id}: a multiplexed device is no bank", todo="name the bank that stands under 'bank' in it"
        )

    def open_synapses(self, resonators: int, member: int) -> "SynapseBank":
        """Refuse: there are none."""
        raise ConfigError(f"{self.id}: a multiplexed device is no bank of synapses")


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
    return isinstance(settings, StationSettings) or settings.on_bench


def settings_for(data: dict[str, Any], source: str) -> type[DeviceSettings]:
    """Find the model of a profile by its kind; `source` names the file in messages."""
    kind = data.get("kind")
    if not isinstance(kind, str) or not DEVICES.knows(kind):
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
    return TypeAdapter[DeviceSettings](AnyDevice).json_schema(by_alias=True)
