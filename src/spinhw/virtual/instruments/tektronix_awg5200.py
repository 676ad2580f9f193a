"""Tektronix AWG5200 arbitrary waveform generators.

After "AWG5200 Series Programmer Manual" (077-1337), checked against QCoDeS' `AWG70000A.py` and `AWG5208.py` and
Tektronix' own `tm_devices`. Not here: sequences, digital up-conversion.
"""

import math
from typing import Any, ClassVar

import numpy as np

from spinhw.virtual.instruments.panel import Level
from spinhw.virtual.instruments.tektronix_awg_settings import CLOCK, COUPLED, DAC, FUNCTION, OUTPUT, TRIGGER
from spinhw.virtual.instruments.tektronix_memory import WaveformList
from spinhw.virtual.lab import Lab, SourceOutput
from spinhw.virtual.scpi import Call, Command, ScpiError, ask, choice, do, number, switch, text

_STOPPED, _WAITING, _RUNNING = 0, 1, 2
_OUTPUT_OHM = 50.0
_TRIGGER_LINE_V = 3.3
# Amplitude into 50 ohms by path: lowest and highest, with option DC.
_AMPLITUDES_V = {"DCHB": (0.025, 1.5), "DCHV": (0.01, 5.0), "ACD": (0.025, 1.5), "ACAM": (0.025, 5.0)}
_LONGEST_PERIOD = 1 << 20  # Samples of one period of a function.
_INPUTS = ("ATRigger", "BTRigger")
# What may set an output free that waited, and so let an armed digitizer go.
_FREEING = frozenset({"on", "run_mode", "waveform", "trigger_input", "mode", "all_off"})


class TektronixAWG5200(WaveformList):
    """The AWG5208: eight channels, 2.5 GSa/s, 16 bits, LSB first."""

    maker, model, firmware = "TEKTRONIX", "AWG5208", "FV:7.2.0069.0"
    serial_number = "B010001"
    number_format = "{:.10E}"
    suffers = frozenset({"overload"})
    channels = 8

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self._running = False
        self._looping: set[int] = set()  # Channels that one trigger has set going.
        self._forced = "ATR"
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._running = False
        self._looping.clear()

    # Rules between settings

    def store(self, name: str, channel: int, value: Any) -> None:
        super().store(name, channel, value)
        if name in COUPLED and self.get("coupled") != "NONE":
            for other in self._partners(channel):
                self._values[name, other] = value

    def _partners(self, channel: int) -> list[int]:
        if self.get("coupled") == "PAIR":
            return [channel + 1 if channel % 2 else channel - 1]
        return [other for other in range(1, self.channels + 1) if other != channel]

    def before(self, name: str, channel: int, value: Any) -> None:
        if name == "waveform" and value not in self.waveforms:
            raise ScpiError(-224, "Illegal parameter value; no such waveform")
        if name == "amplitude_v":
            lowest, highest = _AMPLITUDES_V[self.get("path", channel)]
            if not lowest <= value <= highest:
                raise ScpiError(-222)

    def after(self, name: str, channel: int) -> None:
        if name == "waveform" and self.get("own_settings"):
            for level, value in self.recommended.get(self.get(name, channel), {}).items():
                self.store(level, channel, value)
        if name == "path":
            lowest, highest = _AMPLITUDES_V[self.get(name, channel)]
            self._values["amplitude_v", channel] = min(max(self.get("amplitude_v", channel), lowest), highest)
        if name == "coupled" and self.get(name) != "NONE":
            for first in range(1, self.channels + 1, 2 if self.get(name) == "PAIR" else self.channels):
                for setting in COUPLED:
                    self.store(setting, first, self.get(setting, first))
        if name in _FREEING:
            self.lab.look()

    # Triggers

    def set_trigger(self, call: Call, name: str) -> None:
        """Carry out TRIGger:LEVel, :SLOPe and :IMPedance: a value, then the input; input A where none is named."""
        where = 1 + _INPUTS.index(self._input(call, 1))
        if name == "trigger_slope":
            value: Any = call.args.choice(("POSitive", "NEGative"))
        elif name == "trigger_level_v":
            value = call.args.number(0, "V", -5, 5)
        else:
            value = call.args.integer(0, 50, 1000)
        self.store(name, where, value)

    def get_trigger(self, call: Call, name: str) -> Any:
        """Answer those questions."""
        return self.get(name, 1 + _INPUTS.index(self._input(call, 0)))

    def _input(self, call: Call, place: int) -> str:
        if len(call.args) <= place:
            return _INPUTS[0]
        short = call.args.choice(_INPUTS, place)
        return next(one for one in _INPUTS if one.startswith(short))

    def force(self, call: Call) -> None:
        """Carry out TRIGger[:IMMediate]: an event of input A or B."""
        self._forced = self._input(call, 0)[:3]
        self.trigger()
        self._forced = "ATR"

    def trigger(self) -> None:
        if self._running:
            self.lab.trigger(self)

    def run(self, running: bool) -> None:
        """Carry out AWGControl:RUN and STOP."""
        self._running = running
        self._looping.clear()
        self.lab.look()

    def state(self, call: Call) -> int:
        """Answer AWGControl:RSTate?: 0 stopped, 1 waiting for a trigger, 2 running."""
        if not self._running:
            return _STOPPED
        return _RUNNING if self.runs_freely else _WAITING

    @property
    def runs_freely(self) -> bool:
        return any(self._gives(channel) and self._is_free(channel) for channel in range(1, self.channels + 1))

    def _gives(self, channel: int) -> bool:
        """Say whether a channel has something to play, and a way out for it."""
        if not self._running or not self.get("on", channel) or self.get("all_off"):
            return False
        return bool(self.get("mode") == "FGEN" or self.get("waveform", channel) in self.waveforms)

    def _is_free(self, channel: int) -> bool:
        internal = self.get("run_mode", channel) != "GAT" and self.get("trigger_input", channel) == "ITR"
        return bool(
            self.get("mode") == "FGEN"
            or self.get("run_mode", channel) == "CONT"
            or internal
            or channel in self._looping
        )

    def _hears(self, channel: int, external: bool) -> bool:
        """Say whether a channel plays at a trigger; the line leads to input A, with rising edges."""
        if self._is_free(channel):
            return True
        if not external:
            return bool(self.get("run_mode", channel) != "GAT" and self.get("trigger_input", channel) == self._forced)
        level_v, slope = self.get("trigger_level_v"), self.get("trigger_slope")
        return bool(self.get("trigger_input", channel) == "ATR" and slope == "POS" and 0.0 < level_v < _TRIGGER_LINE_V)

    def played(self, external: bool) -> dict[int, SourceOutput]:
        if not self._running:
            return {}
        if self.take_disturbance("overload"):
            self._values["on", 1] = False
            self.status.report(ScpiError(-310, "System error; Channel 1 output disabled, overload"))
        channels = range(1, self.channels + 1)
        ready = [one for one in channels if self._gives(one) and self._hears(one, external)]
        self._looping.update(one for one in ready if self.get("run_mode", one) == "TCON")
        return {channel: self._waveform(channel) for channel in ready}

    # What comes out

    def at_connectors(self) -> dict[str, Level]:
        return {str(channel): self._level(channel) for channel in range(1, self.channels + 1)}

    def _level(self, channel: int) -> Level:
        if not self._gives(channel):  # Stopped, it gives nothing, or zero.
            return Level()
        volts = self._waveform(channel).samples
        if not self._is_free(channel):
            volts = volts[:1] if self.get("wait_value", channel) == "FIRS" else np.zeros(1)
        load = self.lab.load_ohm(self, channel)
        shown = 2.0 if math.isinf(load) else 2 * load / (load + _OUTPUT_OHM)  # Of the voltage into 50 ohms.
        return Level(float(volts.min()) * shown, float(volts.max()) * shown)

    def _waveform(self, channel: int) -> SourceOutput:
        """Give the voltage into 50 ohms of one waveform, or of one period of a function."""
        if self.get("mode") == "FGEN":
            return self._function(channel)
        codes = 2 ** (self.get("resolution_bits", channel) - 1) - 1
        shape = self.waveforms[self.get("waveform", channel)].astype(np.float64)
        steps = np.rint(np.clip(shape, -1.0, 1.0) * codes) / codes
        rate = self.get("rate_hz")
        if self.get("interpolated", channel):
            steps, rate = _twice(steps), 2 * rate
        if self.get("dac_mode", channel) != "NRZ":
            second = -steps if self.get("dac_mode", channel) == "MIX" else np.zeros_like(steps)
            steps, rate = np.stack([steps, second], axis=1).reshape(-1), 2 * rate
        half, offset = self.get("amplitude_v", channel) / 2, self.get("offset_v", channel)
        if self.get("path", channel) in {"ACD", "ACAM"}:  # No direct voltage gets through, but one can be added.
            steps = steps - steps.mean()
            offset = self.get("bias_v", channel) if self.get("bias", channel) else 0.0
        return SourceOutput(half * steps + offset, rate, self.get("skew_s", channel) + self.get("phase_s"))

    def _function(self, channel: int) -> SourceOutput:
        kind, rate = self.get("function_type", channel), self.get("rate_hz")
        if kind in {"DC", "NONE"}:
            return SourceOutput(np.array([self.get("function_dc_v", channel) if kind == "DC" else 0.0]), rate)
        # Slower ones are given in coarser steps: their periods have as many points as anybody looks at.
        points = max(16, round(min(rate / self.get("function_hz", channel), _LONGEST_PERIOD)))
        rate = points * self.get("function_hz", channel)
        wave = np.sin(2 * np.pi * (np.arange(points) / points + self.get("function_phase_deg", channel) / 360))
        shape = wave if kind == "SINE" else np.sign(wave)
        return SourceOutput(self.get("function_v", channel) / 2 * shape + self.get("function_offset_v", channel), rate)

    commands: ClassVar[tuple[Command, ...]] = (
        ask("SYSTem:ERRor:CODE[:NEXT]", lambda self, call: self.status.errors.pop()[0]),
        *WaveformList.list_commands,
        *CLOCK,
        *TRIGGER,
        *DAC,
        *OUTPUT,
        *FUNCTION,
        ask("FGEN[:CHANnel#]:PERiod", lambda self, call: 1 / self.get("function_hz", call.channel)),
        text("[SOURce#:]CASSet:WAVeform", "waveform"),
        ask("[SOURce#:]CASSet", lambda self, call: f'"{self.get("waveform", call.channel)}"'),
        do("[SOURce#:]CASSet:CLEAR", lambda self, call: self._values.pop(("waveform", call.channel), None)),
        text("[SOURce#:]WAVeform", "waveform"),
        switch("AWGControl:ARSettings", "own_settings"),
        number("[SOURce#:]VOLTage[:LEVel][:IMMediate][:AMPLitude]", "amplitude_v", 0.5, 0.01, 5.0, "V"),
        number("[SOURce#:]VOLTage[:LEVel][:IMMediate]:OFFSet", "offset_v", 0.0, -2.0, 2.0, "V"),
        do("AWGControl:RUN[:IMMediate]", lambda self, call: self.run(True)),
        do("AWGControl:STOP[:IMMediate]", lambda self, call: self.run(False)),
        ask("AWGControl:RSTate", state),
        do("TRIGger[:SEQuence][:IMMediate]", force),
        Command(
            "TRIGger[:SEQuence]:LEVel",
            lambda self, call: self.set_trigger(call, "trigger_level_v"),
            lambda self, call: self.get_trigger(call, "trigger_level_v"),
            "trigger_level_v",
            1.4,
        ),
        Command(
            "TRIGger[:SEQuence]:SLOPe",
            lambda self, call: self.set_trigger(call, "trigger_slope"),
            lambda self, call: self.get_trigger(call, "trigger_slope"),
            "trigger_slope",
            "POS",
        ),
        Command(
            "TRIGger[:SEQuence]:IMPedance",
            lambda self, call: self.set_trigger(call, "trigger_ohm"),
            lambda self, call: self.get_trigger(call, "trigger_ohm"),
            "trigger_ohm",
            50,
        ),
        choice("TRIGger[:SEQuence]:SOURce", "trigger_source", ("EXTernal", "INTernal")),
    )


def _twice(samples: np.ndarray) -> np.ndarray:
    """Give samples at twice the rate, those between interpolated, with the overshoot of a filter at steps."""
    around = [np.roll(samples, place) for place in (1, 0, -1, -2)]
    between = (-around[0] + 9 * around[1] + 9 * around[2] - around[3]) / 16
    return np.stack([samples, between], axis=1).reshape(-1)
