"""Bench files of the virtual bench: what stands on the table, how it is wired, and what is hidden in the chip.

This is the truth that only the bench knows. A device profile that uses the bench names addresses and conversions as a
physicist would, and may be wrong about them.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spinhw.chip import ChipSettings
from spinhw.config import Settings, load, shipped
from spinhw.config.sorts import VIRTUAL_BENCH, a_folder
from spinhw.conversion import ConversionSettings
from spinhw.errors import ConfigError, MisfitError, nearest
from spinhw.network import NetworkSettings
from spinhw.units import DurationS, FrequencyHz, Quantity, ResistanceOhm, TimeS, VoltageV
from spinhw.virtual.faults import FaultSettings

# "awg:1": instrument and channel.
Terminal = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+:\d+$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
NoiseV = Annotated[float, Quantity("V", minimum=0.0)]

Model = Literal[
    "keysight-33500",
    "keysight-33600",
    "tektronix-awg5200",
    "keithley-2400",
    "keithley-6221",
    "keithley-2182a",
    "keithley-3706a",
    "rohde-schwarz-smb100a",
    "rohde-schwarz-sgs100a",
    "rohde-schwarz-smw200a",
    "keysight-n5173b",
    "rohde-schwarz-fsv",
    "keysight-infiniivision",
    "tektronix-mso",
    "tektronix-dpo",
    "synapse-controller",
]


Signal = Literal["power", "filtered", "output", "chain"]


class InstrumentSettings(Settings):
    """One instrument on the table."""

    model: Model = Field(description="Which one.")
    serial: str | None = Field(default=None, min_length=1, description="Serial number; null for a made-up one.")
    port: int = Field(default=0, ge=0, le=65535, description="TCP port, 0 to 65535; 0 for any free one.")
    address: str | None = Field(
        default=None, description="VISA address of the in-process door; null for TCPIP0::NAME::5025::SOCKET."
    )
    load_ohm: ResistanceOhm = Field(default=50.0, description="Resistance at its outputs; above zero.")
    outputs: int = Field(default=64, ge=1, le=10**6, description="Outputs of a synapse controller, at least 1.")
    lowest_v: VoltageV = Field(default=-2.5, description="Lowest voltage of a synapse controller.")
    highest_v: VoltageV = Field(default=2.5, description="Highest voltage of a synapse controller; above the lowest.")
    power_on: tuple[str, ...] = Field(
        default=(),
        description="Messages that are carried out when it is switched on, such as ':CHANnel1:IMPedance FIFTy': in "
        "what state it comes up.",
    )


class PathSettings(Settings):
    """A cable with what is in it: volts arrive late, slowed down, and off by a little."""

    gain: float = Field(default=1.0, gt=0.0, description="Voltage out over voltage in; above zero.")
    offset_v: VoltageV = Field(default=0.0, description="Voltage added.")
    latency_s: DurationS = Field(default=0.0, description="Delay; 0 or above.")
    bandwidth_hz: FrequencyHz | None = Field(default=None, description="-3 dB corner, first order; null for none.")
    noise_v: NoiseV = Field(default=0.0, description="Noise of one sample (1 sigma) at the input it leads to.")


class ProbeSettings(PathSettings):
    """One kind of signal of the chip, led to inputs."""

    signal: Signal = Field(
        default="power",
        description="'power' x or 'filtered' y of a neuron, 'output' of a hardware read-out, or 'chain': what the "
        "resonators of a row rectify of the tone of wiring.tone; matrix by matrix (w_ext.0, ..., w_int.0, ..., w_out).",
    )
    numbers: tuple[Annotated[int, Field(ge=0)], ...] | Literal["all"] = Field(
        default="all", description="Which neurons or outputs, counted from 0; 'all' for every one, in order."
    )
    to: Terminal = Field(
        description="Input of the first one, such as 'scope:1'; the others follow. Rows, where it is a switch."
    )


class SwitchSettings(Settings):
    """A matrix between probes (its columns) and inputs (its rows). Crosspoints are called SRCC: slot, row, column."""

    instrument: Name = Field(description="Name of the switch.")
    rows: tuple[Terminal, ...] = Field(min_length=1, description="Input at each row, such as 'scope:1'.")
    columns: int = Field(default=16, ge=1, le=99, description="Columns of one slot, 1 to 99; probes fill slot 1 first.")


class ChannelGate(Settings):
    """Synapses and trainable biases act while a source is above a threshold: between images they are cut off."""

    kind: Literal["channel"] = Field(description="'channel': a channel of a source opens the gate.")
    source: Terminal = Field(description="Channel, such as 'awg:2'.")
    above_v: VoltageV = Field(default=0.5, description="The gate is open above this voltage.")


class TimerGate(Settings):
    """Synapses and trainable biases act in windows that a timer on the bench opens after each trigger."""

    kind: Literal["timer"] = Field(description="'timer': open for `open`, then shut for `shut`, again and again.")
    open_s: TimeS = Field(description="How long it is open, above zero.")
    shut_s: TimeS = Field(description="How long it is shut after that, above zero.")
    first_s: DurationS = Field(default=0.0, description="Time of the first opening after the trigger; 0 or above.")


class RestGate(Settings):
    """Synapses and trainable biases act between rests: stretches in which all inputs stay as at the very start.

    A window whose first or last inputs are those of the rest would be cut short: use another gate then.
    """

    kind: Literal["rests"] = Field(description="'rests': shut while the inputs rest.")
    rest_s: TimeS = Field(description="Shortest rest, above zero; longer than the inputs ever stay there in between.")


class ChipWiring(Settings):
    """A whole network on a chip: inputs played, synapses programmed, neurons digitised."""

    kind: Literal["chip"] = Field(description="'chip': a network.")
    inputs: tuple[Terminal, ...] = Field(min_length=1, description="Source of each input, such as ['awg:1'].")
    input_path: PathSettings = Field(default=PathSettings(), description="From the sources to the chip.")
    controller: Name = Field(description="Name of the synapse controller.")
    gate: Annotated[ChannelGate | TimerGate | RestGate, Field(discriminator="kind")] = Field(
        description="When the synapses act; outside, the neurons rest under their bias."
    )
    supply: Name | None = Field(
        default=None, description="Current source that feeds the chip; off, no neuron oscillates. Null: always fed."
    )
    tone: Name | None = Field(
        default=None,
        description="RF source whose tone reaches every chain of resonators in place of the neurons; null for none.",
    )


class OscillatorWiring(Settings):
    """Oscillators without synapses: their drives played, their power recorded."""

    kind: Literal["oscillators"] = Field(description="'oscillators': a bank.")
    drives: tuple[Terminal, ...] = Field(min_length=1, description="Source of each oscillator, such as ['awg:1'].")
    amperes_per_volt: float = Field(
        default=0.01, gt=0.0, description="Amperes through an oscillator for a volt that arrives; above zero."
    )
    drive_path: PathSettings = Field(default=PathSettings(), description="From the sources to the oscillators.")
    bias: Name | None = Field(default=None, description="Current source whose current is added; null for none.")


class ResonatorWiring(Settings):
    """RF resonators in one chain: tuned by the controller, fed by an RF source, read by a voltmeter."""

    kind: Literal["resonators"] = Field(description="'resonators': a synapse bank.")
    resonators: int = Field(default=8, ge=1, le=1000, description="How many, 1 to 1000.")
    controller: Name = Field(description="Name of the controller that tunes them.")
    tone: Name = Field(description="Name of the RF source.")
    meter: Terminal = Field(description="Input of the voltmeter, such as 'nvm:1'.")
    noise_v: NoiseV = Field(default=0.0, description="Noise of one reading (1 sigma) at that input.")
    offset_v: VoltageV = Field(default=0.0, description="Voltage that is there without any tone.")


Wiring = Annotated[ChipWiring | OscillatorWiring | ResonatorWiring, Field(discriminator="kind")]


class BenchSettings(Settings):
    """A virtual bench."""

    sorts = (VIRTUAL_BENCH,)

    id: str = Field(default="bench", pattern=r"^[A-Za-z0-9._-]+$", description="Name of the chip on it.")
    seed: int = Field(default=0, ge=0, description="Seed of what is hidden and of the noise, 0 or above.")
    network: NetworkSettings = Field(
        default=NetworkSettings(), description="The network as designed; gives the nominal oscillator too."
    )
    chip: ChipSettings = Field(
        default=ChipSettings(), description="Imperfections; converters and noise of read-outs belong to instruments."
    )
    conversion: ConversionSettings = Field(
        default=ConversionSettings(), description="What volts and amperes truly mean at the chip."
    )
    instruments: dict[Name, InstrumentSettings] = Field(min_length=1, description="What stands on the table, by name.")
    wiring: Wiring = Field(description="What is connected to what.")
    probes: tuple[ProbeSettings, ...] = Field(default=(), description="What is led out of the chip.")
    switch: SwitchSettings | tuple[SwitchSettings, ...] = Field(
        default=(), description="The matrix between probes and inputs, or several."
    )
    faults: FaultSettings = Field(default=FaultSettings(), description="What goes wrong, and how often.")

    @property
    def switches(self) -> tuple[SwitchSettings, ...]:
        """The matrices between probes and inputs."""
        return (self.switch,) if isinstance(self.switch, SwitchSettings) else self.switch

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        named = [*_names(self.wiring), *(probe.to for probe in self.probes)]
        for one in self.switches:
            named += [one.instrument, *one.rows]
        unknown = sorted({name.split(":")[0] for name in named} - set(self.instruments))
        if unknown:
            raise ValueError(f"the wiring names instruments that are not listed: {', '.join(unknown)}")
        return self

    @model_validator(mode="after")
    def _each_input_has_its_source(self) -> Self:
        wired = self.wiring.inputs if isinstance(self.wiring, ChipWiring) else ()
        if wired and len(wired) != self.network.inputs:
            raise MisfitError(
                "wiring.inputs and network.inputs are of different chips",
                seen=f"{len(wired)} sources, {self.network.inputs} inputs",
                allowed="one source for each input",
                todo="wire every input of the chip, or correct network.inputs",
            )
        played = self.wiring.drives if isinstance(self.wiring, OscillatorWiring) else wired
        twice = [one for one, count in Counter(played).items() if count > 1]
        if twice:
            raise MisfitError(
                "one channel of a source is wired twice",
                seen=twice[0],
                allowed="a channel of its own for each",
                todo="correct the wiring",
            )
        return self

    @model_validator(mode="after")
    def _probes_are_of_the_chip(self) -> Self:
        for place, probe in enumerate(self.probes):
            count = self.signals(probe.signal)
            beyond = [] if probe.numbers == "all" else [number for number in probe.numbers if number >= count]
            if not count or beyond:
                raise MisfitError(
                    f"probes[{place}] names what the chip does not have",
                    seen=f"{probe.signal} {beyond[0]}" if beyond else probe.signal,
                    allowed=f"0 to {count - 1}" if count else _WITHOUT[probe.signal],
                    todo="correct numbers, or the network",
                )
        return self

    def signals(self, kind: Signal) -> int:
        """Count the signals of a kind that the chip has."""
        if isinstance(self.wiring, OscillatorWiring):
            return 0 if kind in ("output", "chain") else len(self.wiring.drives)
        if kind == "chain":
            wired = isinstance(self.wiring, ChipWiring) and self.wiring.tone and self.chip.synapses.takes == "tunings"
            rows = 2 * self.network.topology().neurons
            return rows + self.signals("output") if wired else 0
        if kind == "output":
            return self.network.outputs if self.network.readout == "hardware" else 0
        return self.network.topology().neurons

    @model_validator(mode="after")
    def _converters_are_instruments(self) -> Self:
        readouts = (self.chip.power_readout, self.chip.output_readout)
        converters = (self.chip.input_dac, self.chip.drive_dac, *(one.adc for one in readouts))
        if any(one.limits is not None for one in converters) or any(one.noise for one in readouts):
            raise ValueError(
                "converters and noise of a bench are those of its instruments and paths: "
                "leave input_dac, drive_dac and the adc and noise of the read-outs out of chip"
            )
        return self


# What to do about a probe of what a chip has none of.
_WITHOUT = {
    "output": "power and filtered, for its read-out is in software",
    "chain": "chains of a chip that takes tunings, with an RF source as wiring.tone",
    "power": "what there is",
    "filtered": "what there is",
}


def _names(wiring: ChipWiring | OscillatorWiring | ResonatorWiring) -> list[str]:
    """List everything that a wiring names."""
    if isinstance(wiring, ChipWiring):
        gate = [wiring.gate.source] if isinstance(wiring.gate, ChannelGate) else []
        others = [one for one in (wiring.supply, wiring.tone) if one]
        return [*wiring.inputs, wiring.controller, *gate, *others]
    if isinstance(wiring, OscillatorWiring):
        return [*wiring.drives, *([wiring.bias] if wiring.bias else [])]
    return [wiring.controller, wiring.tone, wiring.meter]


def terminal(text: str) -> tuple[str, int]:
    """Split "awg:1" into name and channel."""
    name, _, channel = text.rpartition(":")
    return name, int(channel)


def load_bench(path: Path | str, overrides: Sequence[str] = ()) -> BenchSettings:
    """Read a bench file.

    Args:
        path: The file, or the name of a shipped one such as "chip".
        overrides: Such as ["faults.silent=0.01"].

    Raises:
        ConfigError: There is no such file, or something in it is wrong; file and key are named.
    """
    name = str(path)
    known = {one.stem: one for one in sorted((shipped("devices") / "virtual").glob("*.yaml"))}
    if Path(name).suffix in {".yaml", ".yml"}:
        return load(BenchSettings, Path(name), overrides)
    if name not in known:
        if Path(name).is_dir():
            raise a_folder(Path(name), "a virtual bench: a YAML file, or the name of a shipped one")
        raise ConfigError(f"virtual bench {name!r} was not found", allowed=", ".join(known), todo=nearest(name, known))
    return load(BenchSettings, known[name], overrides)
