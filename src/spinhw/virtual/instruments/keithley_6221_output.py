"""What comes out of a Keithley 6220 or 6221: level, ranges, compliance, filter, response, triaxial connector, modes.

After "Model 6220/6221 Reference Manual" (622x-901-01), sections 2, 3, 4, 5 and the specifications.
"""

import math
from typing import Any, ClassVar

from spinhw.virtual.instruments.keithley_sources import CurrentSource, fit
from spinhw.virtual.instruments.panel import Level
from spinhw.virtual.lab import Lab
from spinhw.virtual.scpi import Call, Command, ScpiError, ask, both, choice, do, number, switch

AMPERES = tuple(1.05 * one for one in (2e-9, 2e-8, 2e-7, 2e-6, 2e-5, 2e-4, 2e-3, 2e-2, 0.1))
# The slow response settles to 1 % within 100 us; the manual gives no corner for the filter, this is an order of size.
_SLOW_HZ, _FILTER_HZ = math.log(100) / (2 * math.pi * 100e-6), 100.0
# What may not be changed while a mode is armed.
_STEADY = {"current_a", "current_range_a", "current_autorange", "compliance_v", "filter"}
# What modes other than waves go through, from and to.
_SPANS = {
    "DELT": ("delta_low_a", "delta_high_a"),
    "PDEL": ("pulse_low_a", "pulse_high_a"),
    "DCON": ("conductance_start_a", "conductance_stop_a"),
    "SWE": ("sweep_start_a", "sweep_stop_a"),
}


class Keithley6221Output(CurrentSource):
    """The triaxial output. One mode can be armed: a sweep, one of the delta modes, or a wave."""

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self.leak_ohm = math.inf  # From the core of the cable to its inner shield.
        self.floats_at_v = 0.0  # Where the low terminal would float, against earth.
        self.interlock_closed = True
        self._mode, self._is_running, self._is_ranging = "", False, False
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._mode, self._is_running, self._is_ranging = "", False, False

    # What is driven

    def driven(self, current_a: float) -> tuple[float, float]:
        if self.get("shield") == "GUAR" or math.isinf(self.leak_ohm):
            return super().driven(current_a)
        # A shield at the potential of low takes its share; one at the potential of the core takes nothing.
        load = self.load_ohm
        voltage, _ = super().driven(current_a * self.leak_ohm / (self.leak_ohm + load))
        return voltage, voltage / load

    @property
    def level_a(self) -> float:
        if self._is_running and self._mode in _SPANS:
            return float(self.get(_SPANS[self._mode][1]))
        return super().level_a

    def at_load(self) -> tuple[float, float]:
        return (0.0, 0.0) if self._is_ranging else super().at_load()

    def span_a(self) -> tuple[float, float]:
        """Give the lowest and the highest current of what it drives while it is on."""
        if self._is_running and self._mode in _SPANS:
            ends = [float(self.get(name)) for name in _SPANS[self._mode]]
            return min(ends), max(ends)
        return self.level_a, self.level_a

    def at_connectors(self) -> dict[str, Level]:
        if not self.get("on") or self._is_ranging:
            return {"1": Level()}
        (low_v, low_a), (high_v, high_a) = (self.driven(current) for current in self.span_a())
        earth = 0.0 if self.get("low_to_earth") else self.floats_at_v
        return {"1": Level(low_v + earth, high_v + earth, high_a if abs(high_a) >= abs(low_a) else low_a)}

    @property
    def bandwidth_hz(self) -> float | None:
        """Get the bandwidth of what it drives; None where it is far above that of waves."""
        if self.get("filter"):
            return _FILTER_HZ
        return _SLOW_HZ if self.get("response") == "SLOW" else None

    # Modes

    def arm(self, mode: str) -> None:
        """Carry out ARM of a mode.

        Raises:
            ScpiError: One is armed already (403).
        """
        if self._mode:
            raise ScpiError(403, "Not allowed with mode armed")
        self._mode = mode

    def is_armed(self, mode: str) -> int:
        """Answer ARM? of a mode."""
        return int(self._mode == mode)

    def abort(self, waves: bool) -> None:
        """Carry out SOURce:SWEep:ABORt, or SOURce:WAVE:ABORt: disarms its modes, and the output goes off."""
        if self._mode and (self._mode == "WAVE") == waves:
            self._mode, self._is_running = "", False
            self.store("on", 1, False)

    def before(self, name: str, channel: int, value: Any) -> None:
        if name in _STEADY and self._mode:
            raise ScpiError(403, "Not allowed with mode armed")
        if name == "on" and value and not self.interlock_closed:
            raise ScpiError(-221)
        if name == "current_a" and self.get("on") and self.get("current_autorange"):
            self._change_range(value)

    def _change_range(self, value: float) -> None:
        """Let the current be zero for a moment, as it is while the range changes."""
        if fit(value, AMPERES) != fit(self.get("current_a"), AMPERES):
            self._is_ranging = True
            self.lab.look()
            self._is_ranging = False

    def after(self, name: str, channel: int) -> None:
        if name == "current_range_a":
            self._values["current_autorange", 1] = False
        if name == "delta_high_a":
            self._values["delta_low_a", 1] = -self.get("delta_high_a")
        if name == "on":
            self.lab.look()

    # Status

    def register(self, value: int) -> str:
        """Write the contents of a register as FORMat:SREGister asks."""
        return {"ASC": "{:d}", "HEX": "#H{:X}", "OCT": "#Q{:o}", "BIN": "#B{:b}"}[self.get("register_format")].format(
            value
        )

    def clear_source(self, call: Call) -> None:
        """Carry out SOURce:CLEar."""
        self.store("on", 1, False)

    outputs: ClassVar[tuple[Command, ...]] = (
        switch("OUTPut[:STATe]", "on"),
        choice("OUTPut:ISHield", "shield", ("OLOW", "GUARd")),
        switch("OUTPut:LTEarth", "low_to_earth", True),
        choice("OUTPut:RESPonse", "response", ("FAST", "SLOW")),
        ask("OUTPut:INTerlock:TRIPped", lambda self, call: int(self.interlock_closed)),
        number("SOURce:CURRent[:AMPLitude]", "current_a", 0.0, -0.105, 0.105, "A"),
        number("SOURce:CURRent:RANGe", "current_range_a", 1e-3, -0.105, 0.105, "A"),
        switch("SOURce:CURRent:RANGe:AUTO", "current_autorange"),
        number("SOURce:CURRent:COMPliance", "compliance_v", 10.0, 0.1, 105, "V"),
        switch("SOURce:CURRent:FILTer[:STATe]", "filter"),
        number("SOURce:CURRent:STARt", "sweep_start_a", 0.0, -0.105, 0.105, "A"),
        number("SOURce:CURRent:STOP", "sweep_stop_a", 0.1, -0.105, 0.105, "A"),
        number("SOURce:DELay", "delay_s", 1.0, 1e-3, 999999.999, "S"),
        do("SOURce:CLEar[:IMMediate]", clear_source),
        do("SOURce:SWEep:ARM", lambda self, call: self.arm("SWE")),
        do("SOURce:SWEep:ABORt", lambda self, call: self.abort(waves=False)),
        number("SOURce:SWEep:COUNt", "sweep_count", 1, 1, 9999, whole=True),
        number("SOURce:DELTa:HIGH", "delta_high_a", 10e-6, 0, 0.105, "A"),
        number("SOURce:DELTa:LOW", "delta_low_a", -10e-6, -0.105, 0, "A"),
        both("SOURce:DELTa:ARM", lambda self, call: self.arm("DELT"), lambda self, call: self.is_armed("DELT")),
        number("SOURce:PDELta:HIGH", "pulse_high_a", 1e-3, -0.105, 0.105, "A"),
        number("SOURce:PDELta:LOW", "pulse_low_a", 0.0, -0.105, 0.105, "A"),
        both("SOURce:PDELta:ARM", lambda self, call: self.arm("PDEL"), lambda self, call: self.is_armed("PDEL")),
        number("SOURce:DCONductance:STARt", "conductance_start_a", -10e-6, -0.105, 0.105, "A"),
        number("SOURce:DCONductance:STOP", "conductance_stop_a", 10e-6, -0.105, 0.105, "A"),
        both("SOURce:DCONductance:ARM", lambda self, call: self.arm("DCON"), lambda self, call: self.is_armed("DCON")),
        choice("FORMat:SREGister", "register_format", ("ASCii", "HEXadecimal", "OCTal", "BINary")),
    )
