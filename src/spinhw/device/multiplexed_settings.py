"""The profile of a network on the oscillators of a bank."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, field_validator

from spinhw.config import ByKind, Settings, build, yaml_beside
from spinhw.device.kinds import DEVICES, DeviceSettings
from spinhw.device.profiles import load_device
from spinhw.device.recorded_settings import RecordedSettings
from spinhw.errors import ConfigError, MisfitError

if TYPE_CHECKING:
    import torch

    from spinhw.device.banks import OscillatorBank, SynapseBank
    from spinhw.device.base import Device
    from spinhw.network import Answer, NetworkSettings


Refitted = Literal["gamma", "sigma", "q", "gain", "offset", "delay", "lag"]


class MultiplexedSynapsesSettings(Settings):
    """Weights on the resonators that a lab has: measured chain after chain, in groups of as many as there are."""

    bank: Annotated[DeviceSettings | str, ByKind(DEVICES, or_name=True, hidden=("multiplexed", "recorded"))] = Field(
        description="The resonators: name or file of a device profile, looked for beside this file too."
    )
    record: str = Field(description="Calibration record of the resonators, or a folder of them.")
    anyway: bool = Field(default=False, description="Whether another device's record will do.")
    measure_every: int = Field(
        default=8,
        ge=1,
        description="Programmings from one that is measured to the next, at least 1: as many as an epoch has batches "
        "measure once an epoch. What is shown to the held-out sequences is always measured.",
    )
    tolerance: float | None = Field(
        default=None,
        gt=0.0,
        description="By how much of the largest weight one may be off and be left so, above 0; null for the scatter of "
        "a programming that the record states.",
    )
    rounds: int = Field(default=1, ge=1, le=100, description="Most programmings of a group that is measured, 1 to 100.")
    readings: int = Field(
        default=1, ge=1, description="Most readings of a tone, at least 1; as many are taken as the tolerance asks for."
    )
    power: float = Field(
        default=1.0, gt=0.0, description="Power of the tones in units of an oscillator's at x = 1; above 0."
    )

    @property
    def bank_settings(self) -> DeviceSettings:
        """The profile of the resonators, read where only its name stands here."""
        return load_device(self.bank) if isinstance(self.bank, str) else self.bank


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

    synapses: MultiplexedSynapsesSettings | None = Field(
        default=None, description="Resonators on which weights are measured; null for weights that act as asked for."
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
        data = _written_out(data, path)
        if isinstance(data.get("synapses"), Mapping):
            data["synapses"] = _written_out(data["synapses"], path)
        return build(cls, data, str(path), overrides)

    @property
    def bank_settings(self) -> DeviceSettings:
        """The profile of the bank, read where only its name stands here."""
        return load_device(self.bank) if isinstance(self.bank, str) else self.bank

    @property
    def on_bench(self) -> bool:
        """Whether instruments stand behind the bank."""
        return self.bank_settings.on_bench or (self.synapses is not None and self.synapses.bank_settings.on_bench)

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


def _written_out(data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Put a bank in place of its name, and the whole path of a record in place of one beside the file."""
    found = dict(data)
    if isinstance(found.get("bank"), str):
        bank = load_device(yaml_beside(found["bank"], path.parent) or found["bank"])
        found["bank"] = bank.model_dump(mode="json", by_alias=True)
    if isinstance(found.get("record"), str) and (path.parent / found["record"]).exists():
        found["record"] = str((path.parent / found["record"]).resolve())
    return found
