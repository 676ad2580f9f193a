"""The bench file: instruments by role, wiring, time bases, conversion."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from spinhw.config import Settings, load, yaml_beside
from spinhw.config.sorts import BENCH
from spinhw.conversion import ConversionSettings
from spinhw.errors import ConfigError, MisfitError
from spinhw.instruments.address import EXAMPLES, canonical, interface, is_visa_address
from spinhw.instruments.channels import (
    CurrentOutput,
    DigitizerInput,
    PowerInput,
    RFOutput,
    Routes,
    TuningOutputs,
    VoltageOutput,
    VoltmeterInput,
)
from spinhw.instruments.profile import TimeoutS, instrument_profile_names
from spinhw.instruments.serial_line import SerialSettings
from spinhw.instruments.wiring import Wiring
from spinhw.units import show_quantity

# A channel may be written 1 or "1".
ChannelName = Annotated[str, BeforeValidator(lambda name: str(name) if isinstance(name, int) else name)]
# Words such as on, off and numbers are written without quotes too.
WiredWord = Annotated[
    str, BeforeValidator(lambda word: _WORDS.get(word, str(word)) if not isinstance(word, str) else word)
]
WiredAs = WiredWord | dict[ChannelName, WiredWord]
_WORDS = {True: "on", False: "off"}
InstrumentName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]


class InstrumentSettings(Settings):
    """What all instruments of a bench have in common."""

    driver: str = Field(
        min_length=1,
        description="A shipped instrument profile, a profile file beside this one, or an entry point 'spinhw.drivers'.",
    )
    address: str = Field(min_length=1, description="VISA address, such as 'TCPIP0::192.0.2.5::5025::SOCKET'.")
    backend: str | None = Field(default=None, description="VISA backend of this instrument, if not that of the bench.")
    timeout_s: TimeoutS | None = Field(default=None, description="Time for one reply; null for the profile's, or 2 s.")
    wired: dict[str, WiredWord | dict[ChannelName, WiredWord]] = Field(
        default={},
        description="How it is wired, as its profile names it: 'terminals: rear', or {1: '50 ohm', 2: '1 Mohm'} for "
        "channels. Read and compared before anything is switched on, never changed.",
    )
    retries: int = Field(
        default=1, ge=0, le=10, description="How often a question that changes nothing is asked again after a failure."
    )
    serial: SerialSettings | None = Field(
        default=None, description="How a serial line is set (ASRL addresses only); null for 9600 baud, 8 bits."
    )

    @model_validator(mode="after")
    def _only_serial_lines_are_set(self) -> Self:
        if self.serial is not None and interface(self.address) != "ASRL":
            raise MisfitError(
                "serial: this instrument is on no serial line",
                seen=f"address: {self.address}",
                allowed="an address such as ASRL/dev/ttyUSB0::INSTR or ASRL3::INSTR (COM3)",
                todo="correct the address, or take serial out",
            )
        return self


class WaveformSourceSettings(InstrumentSettings):
    """A waveform source."""

    role: Literal["waveform-source"]
    channels: dict[ChannelName, VoltageOutput] = Field(min_length=1, description="Limits of every output in use.")


class CurrentSourceSettings(InstrumentSettings):
    """A current source."""

    role: Literal["current-source"]
    channels: dict[ChannelName, CurrentOutput] = Field(min_length=1, description="Limits of every output in use.")


class RFSourceSettings(InstrumentSettings):
    """An RF source."""

    role: Literal["rf-source"]
    channels: dict[ChannelName, RFOutput] = Field(min_length=1, description="Limits of every output in use.")


class SynapseControllerSettings(InstrumentSettings):
    """A synapse controller; its outputs are one channel called 'all'."""

    role: Literal["synapse-controller"]
    channels: dict[Literal["all"], TuningOutputs] = Field(min_length=1, description="Limits of its outputs, as 'all'.")


class SwitchSettings(InstrumentSettings):
    """A switch; its crosspoints are one channel called 'matrix'."""

    role: Literal["switch"]
    channels: dict[Literal["matrix"], Routes] = Field(min_length=1, description="Crosspoints in use, as 'matrix'.")


class DigitizerSettings(InstrumentSettings):
    """A digitizer."""

    role: Literal["digitizer"]
    channels: dict[ChannelName, DigitizerInput] = Field(min_length=1, description="Ranges of the inputs in use.")


class VoltmeterSettings(InstrumentSettings):
    """A voltmeter."""

    role: Literal["dc-voltmeter"]
    channels: dict[ChannelName, VoltmeterInput] = Field(min_length=1, description="Inputs in use.")


class PowerReadoutSettings(InstrumentSettings):
    """A power meter or spectrum analyser."""

    role: Literal["power-readout"]
    channels: dict[ChannelName, PowerInput] = Field(min_length=1, description="Inputs in use.")


AnyInstrument = Annotated[
    WaveformSourceSettings
    | CurrentSourceSettings
    | RFSourceSettings
    | SynapseControllerSettings
    | SwitchSettings
    | DigitizerSettings
    | VoltmeterSettings
    | PowerReadoutSettings,
    Field(discriminator="role"),
]


class StationSettings(Settings):
    """A bench."""

    sorts = (BENCH,)

    kind: Literal["visa", "bench"] = Field(
        description="'visa': instruments behind VISA addresses; 'bench' means the same."
    )
    id: str = Field(
        default="bench", pattern=r"^[A-Za-z0-9._-]+$", description="Name of the bench: letters, digits, '.', '_', '-'."
    )
    backend: str = Field(
        default="@py",
        pattern=r"^[^@]*@[a-z]+$",
        description="VISA backend: '@py' needs nothing else, '@ivi' is NI-VISA or another installed VISA.",
    )
    guard: bool = Field(
        default=True,
        description="Whether another process brings down what a session has on when that is killed; not for a virtual "
        "bench inside the own process.",
    )
    instruments: dict[InstrumentName, AnyInstrument] = Field(
        min_length=1, description="Instruments by name; switched off in the reverse of this order."
    )
    wiring: Wiring | None = Field(default=None, description="What hangs on which channel; null for a bench by hand.")
    conversion: ConversionSettings = Field(
        default=ConversionSettings(), description="What model units mean in volts and amperes."
    )

    @property
    def on_bench(self) -> bool:
        """True: instruments stand behind it."""
        return True

    @model_validator(mode="after")
    def _addresses_are_addresses(self) -> "StationSettings":
        for name, instrument in self.instruments.items():
            # An installed VISA has names of its own for instruments, and a driver of another package may have no VISA.
            plain = (instrument.backend or self.backend).endswith(_WITHOUT_ALIASES)
            if not is_visa_address(instrument.address) and plain and _has_profile(instrument.driver):
                raise MisfitError(
                    f"instruments.{name}.address: this is no VISA address",
                    seen=instrument.address,
                    allowed=EXAMPLES,
                    todo="correct it; 'spinhw devices --scan' lists what VISA finds",
                )
        return self

    @model_validator(mode="after")
    def _each_address_once(self) -> "StationSettings":
        seen: dict[str, str] = {}
        for name, instrument in self.instruments.items():
            first = seen.setdefault(canonical(instrument.address), name)
            if first != name:
                raise MisfitError(
                    f"instruments {first!r} and {name!r} have one address",
                    seen=_both(self.instruments[first].address, instrument.address),
                    allowed="each its own",
                    todo="correct an address, or list the instrument once with all its channels",
                )
        return self

    @model_validator(mode="after")
    def _wiring_fits(self) -> "StationSettings":
        used: dict[str, str] = {}
        for key, reference, role in () if self.wiring is None else self.wiring.references():
            self._check_reference(key, reference, role)
            first = used.setdefault(reference, key)
            if first != key and role not in _SHARED:
                raise MisfitError(
                    f"wiring: {first} and {key} are on one channel",
                    seen=reference,
                    allowed="each its own",
                    todo="correct the wiring",
                )
        return self

    @model_validator(mode="after")
    def _levels_are_within_limits(self) -> "StationSettings":
        for key, reference, value, unit in () if self.wiring is None else self.wiring.levels():
            name, _, channel = reference.partition(".")
            output = self.instruments[name].channels[channel]  # type: ignore[index]
            lowest, highest = (getattr(output, name) for name in _LIMITS[unit])
            if not lowest <= value <= highest:
                raise MisfitError(
                    f"wiring.{key}: this is beyond the limits of {reference} in this file",
                    seen=show_quantity(value, unit),
                    allowed=f"{show_quantity(lowest, unit)} to {show_quantity(highest, unit)}",
                    todo=f"correct it, or the limits under instruments.{name}.channels, if what hangs there allows it",
                )
        return self

    def by_hand(self, name: str) -> frozenset[str]:
        """List the outputs of an instrument that are set by hand: only ever measured, never switched.

        Args:
            name: Of the instrument.
        """
        channels = self.instruments[name].channels
        marked = {str(channel) for channel, one in channels.items() if getattr(one, "by_hand", False) is True}
        supplies = () if self.wiring is None else self.wiring.hand_set()
        split = [reference.partition(".") for reference in supplies]
        return frozenset(marked | {channel for instrument, _, channel in split if instrument == name})

    def _check_reference(self, key: str, reference: str, role: str) -> None:
        name, _, channel = reference.partition(".")
        instrument = self.instruments.get(name)
        if instrument is None:
            raise ValueError(f"wiring.{key}: there is no instrument {name!r} in this file")
        if instrument.role != role:
            raise ValueError(f"wiring.{key}: {name!r} is a {instrument.role}; a {role} is needed here")
        if role == "switch":
            allowed = instrument.channels["matrix"].allowed  # type: ignore[index, union-attr]
            if channel not in allowed:
                raise ValueError(f"wiring.{key}: crosspoint {channel!r} is not listed under {name!r}")
        elif channel not in instrument.channels:
            listed = ", ".join(map(str, instrument.channels))
            raise ValueError(f"wiring.{key}: {name!r} has no channel {channel!r} in this file, only {listed}")


def _both(one: str, other: str) -> str:
    return one if one == other else f"{one} and {other}, two spellings of one"


def _has_profile(driver: str) -> bool:
    return Path(driver).suffix in {".yaml", ".yml"} or driver in instrument_profile_names()


# Backends that know instruments by their VISA addresses only.
_WITHOUT_ALIASES = ("@py", "@spinhw")
# What the limits of an output are called, by the unit of what is set there.
_LIMITS = {
    "A": ("lowest_a", "highest_a"),
    "V": ("lowest_v", "highest_v"),
    "Hz": ("lowest_frequency_hz", "highest_frequency_hz"),
}
# Several neurons may take turns on one input of a digitizer, chains on a voltmeter; a crosspoint belongs to one.
_SHARED = {"digitizer", "dc-voltmeter"}


def load_station(path: Path, overrides: tuple[str, ...] = ()) -> StationSettings:
    """Read a bench file.

    Raises:
        ConfigError: Names file and key of everything that is wrong.
    """
    return load(StationSettings, path, overrides)


StationT = TypeVar("StationT", bound=StationSettings)


def at_home(settings: StationT, folder: Path) -> StationT:
    """Write out in full which files the bench file means, so that the settings can be read from anywhere.

    Args:
        settings: As read.
        folder: Where the bench file is.
    """
    instruments = {
        name: one.model_copy(update={"driver": _in_full(one.driver, folder)})
        for name, one in settings.instruments.items()
    }
    file, _, library = settings.backend.rpartition("@")
    backend = f"{_in_full(file, folder)}@{library}"
    return settings.model_copy(update={"instruments": instruments, "backend": backend})


def _in_full(name: str, folder: Path) -> str:
    near = yaml_beside(name, folder)
    return name if near is None else str(near.resolve())


def named(settings: StationSettings, source: str) -> Iterator[tuple[str, Any, str]]:
    """Go through the instruments: name, settings, and the place in the file for messages."""
    for name, instrument in settings.instruments.items():
        yield name, instrument, f"{source}: instruments.{name}"


def wrong_role(place: str, seen: str, needed: str) -> ConfigError:
    """Say that a driver is for another role than the file says."""
    return ConfigError(f"{place}.role: the driver is for another role", seen=seen, allowed=needed)
