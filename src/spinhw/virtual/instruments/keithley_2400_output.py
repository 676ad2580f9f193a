"""What comes out of a Keithley 2400: function, levels, ranges, compliance, protection, terminals, off states.

After "Series 2400 SourceMeter User's Manual" (2400S-900-01), sections 2, 3, 6, 13 and 18.
"""

from typing import Any, ClassVar

from spinhw.virtual.instruments.keithley_sources import OPEN_OHM, CurrentSource, fit, ranged
from spinhw.virtual.lab import Lab
from spinhw.virtual.scpi import Call, Command, ScpiError, ask, both, choice, do, number, switch

VOLTS = (0.21, 2.1, 21.0, 210.0)
AMPERES = (1.05e-6, 1.05e-5, 1.05e-4, 1.05e-3, 1.05e-2, 0.105, 1.05)
OHMS = (21.0, 210.0, 2.1e3, 2.1e4, 2.1e5, 2.1e6, 2.1e7, 2.1e8)
# Of the voltage protection; the last stands for none.
PROTECTIONS = (20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 160.0, 210.0)
_SENSES = {"VOLT": "VOLT:DC", "VOLTAGE": "VOLT:DC", "CURR": "CURR:DC", "CURRENT": "CURR:DC", "RES": "RES"}
# Compliance must be at least this share of a fixed measurement range.
_LEAST_COMPLIANCE = 1e-3
# On the range of 1 A the voltage ends here: 22 W.
_STRONG_A, _STRONG_V = 0.105, 21.0
# Settings that the automatic measurement of resistance keeps for itself.
_SOURCED = {"function", "current_a", "current_range_a", "compliance_v"}


class Keithley2400Output(CurrentSource):
    """The output of a 2400, front or rear."""

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self.used_terminals = "FRON"  # Where the load hangs.
        self.enable_line_closed = False  # Pin of the rear connector pulled low, as the lid of a test fixture does.
        self._sensed: tuple[str, ...] = ("CURR:DC",)
        self._list: list[float] = []
        self._is_pending = self._is_swept = False
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._sensed, self._list = ("CURR:DC",), []
        self._is_pending = self._is_swept = False

    # What is driven

    @property
    def sets_current_by_ohms(self) -> bool:
        """Whether the range of resistance decides on the current (auto ohms)."""
        return "RES" in self._sensed and self.get("ohms_mode") == "AUTO"

    @property
    def level_a(self) -> float:
        if self.sets_current_by_ohms:
            return float(min(0.1, 2.1 / self.get("sense_range_ohm")))
        mode = self.get("current_mode")
        if mode == "SWE":
            return float(self.get("sweep_stop_a" if self._is_swept else "sweep_start_a"))
        if mode == "LIST":
            return self._list[-1 if self._is_swept else 0] if self._list else 0.0
        return float(self.get("current_a"))

    @property
    def limit_v(self) -> float:
        limit = min(super().limit_v, self.get("protection_v"))
        # A fixed range of the measurement is a bound too: "range compliance".
        return float(limit if self.get("sense_autorange_v") else min(limit, self.get("sense_range_v")))

    @property
    def load_ohm(self) -> float:
        return super().load_ohm if self.get("terminals") == self.used_terminals else OPEN_OHM

    @property
    def sources_current(self) -> bool:
        """Whether it is a source of current, and not of voltage."""
        return self.get("function") == "CURR" or self.sets_current_by_ohms

    def at_load(self) -> tuple[float, float]:
        if self.sources_current or not self.get("on"):
            return super().at_load()
        limit, load, highest = self.get("compliance_a"), self.load_ohm, self.get("protection_v")
        voltage = max(-highest, min(highest, self.get("voltage_v")))
        current = max(-limit, min(limit, voltage / load))
        return current * load, current

    @property
    def in_compliance(self) -> bool:
        if not self.get("on"):
            return False
        if self.sources_current:  # Neither the protection nor a range counts as compliance.
            return super().in_compliance and self.limit_v == abs(self.get("compliance_v"))
        return bool(abs(self.get("voltage_v")) / self.load_ohm > self.get("compliance_a"))

    def take_triggered(self) -> None:
        """Take over a level that waits for a trigger, and step through a sweep or list."""
        if self._is_pending:
            self._values["current_a", 1] = self.get("triggered_a")
        self._is_pending, self._is_swept = False, True

    def switch_off(self) -> None:
        """Switch the output off."""
        if self.get("on"):
            self.store("on", 1, False)

    # Conflicts

    def before(self, name: str, channel: int, value: Any) -> None:
        if name in _SOURCED and self.sets_current_by_ohms:
            raise ScpiError(825, "Invalid with auto-ohms on")
        if name == "on" and value and self.get("output_enable") and not self.enable_line_closed:
            raise ScpiError(802, "OUTPUT blocked by output enable")
        if name == "current_a" and self.get("current_mode") != "FIX":
            raise ScpiError(-221)
        if name in {"current_a", "triggered_a"} and abs(value) > self._reach_a:
            raise ScpiError(-222)
        if name == "compliance_v":
            self._check_compliance(value)
        if name in {"sense_range_v", "sense_autorange_v"}:
            self._check_sense_range(name, value)
        if name == "current_range_a":
            self._check_current_range(value)
        if name == "guard" and value == "OHMS" and self.get("current_range_a") > _STRONG_A:
            raise ScpiError(828, "Invalid on 1 amp range")

    @property
    def _reach_a(self) -> float:
        return float(AMPERES[-1] if self.get("current_autorange") else self.get("current_range_a"))

    def _check_compliance(self, value: float) -> None:
        if not self.get("sense_autorange_v") and abs(value) < _LEAST_COMPLIANCE * self.get("sense_range_v"):
            raise ScpiError(822, "Too small for sense range")
        if self.get("function") == "CURR" and abs(value) > _STRONG_V and self._range_a > _STRONG_A:
            raise ScpiError(826, "Attempt to exceed power limit")

    @property
    def _range_a(self) -> float:
        return fit(self.get("current_a"), AMPERES) if self.get("current_autorange") else self.get("current_range_a")

    def _check_current_range(self, value: float) -> None:
        if value <= _STRONG_A:
            return
        if self.get("guard") == "OHMS":
            raise ScpiError(827, "Invalid with ohms guard on")
        if self.get("function") == "CURR" and abs(self.get("compliance_v")) > _STRONG_V:
            raise ScpiError(826, "Attempt to exceed power limit")

    def _check_sense_range(self, name: str, value: float) -> None:
        if self.get("function") == "VOLT" and value != self.get(
            name
        ):  # The range of the source is that of the measurement.
            raise ScpiError(823, "Invalid with source read-back on")
        if name == "sense_range_v" and value > fit(self.get("compliance_v"), VOLTS):
            raise ScpiError(824, "Cannot exceed compliance range")

    def after(self, name: str, channel: int) -> None:
        manual = {
            "current_range_a": "current_autorange",
            "voltage_range_v": "voltage_autorange",
            "sense_range_v": "sense_autorange_v",
            "sense_range_a": "sense_autorange_a",
            "sense_range_ohm": "sense_autorange_ohm",
        }
        if name in manual:
            self._values[manual[name], channel] = False
        elif name == "protection_v":
            asked = abs(self.get(name))
            lower = [one for one in PROTECTIONS if one <= asked] or [PROTECTIONS[0]]
            self._values[name, channel] = PROTECTIONS[-1] if asked > PROTECTIONS[-2] else lower[-1]
        elif name == "triggered_a":
            self._is_pending = True
        elif name == "current_a":
            self._values["triggered_a", channel], self._is_pending = self.get(name), False
        elif name in {"function", "terminals"}:
            self.switch_off()
        elif name == "output_enable" and self.get(name) and not self.enable_line_closed:
            self.switch_off()
        if name in {"on", "current_mode"}:
            self._is_swept = False
        if name == "on":
            self.lab.look()

    # What is measured

    def _named(self, call: Call) -> list[str]:
        words = [call.args.text(index).upper().removesuffix(":DC") for index in range(len(call.args))]
        names = [_SENSES.get("RES" if word == "RESISTANCE" else word, "") for word in words]
        if not all(names):
            raise ScpiError(-224)
        return names

    def sense(self, call: Call) -> None:
        """Carry out SENSe:FUNCtion[:ON]: adds functions where they may be concurrent, else there is only one."""
        names = self._named(call)
        if not self.get("concurrent"):
            if len(names) > 1:
                raise ScpiError(-108)
            self._sensed = tuple(names)
            return
        self.set_sensed({*self._sensed, *names})

    def sense_not(self, call: Call) -> None:
        """Carry out SENSe:FUNCtion:OFF."""
        self.set_sensed({*self._sensed} - {*self._named(call)})

    def set_sensed(self, names: set[str]) -> None:
        """Choose what is measured; the order is always the same."""
        self._sensed = tuple(name for name in ("VOLT:DC", "CURR:DC", "RES") if name in names)

    def sensed(self, call: Call) -> str:
        """Answer SENSe:FUNCtion?."""
        return ",".join(f'"{name}"' for name in self._sensed) or '""'

    def set_list(self, call: Call) -> None:
        """Carry out SOURce:LIST:CURRent."""
        self._list = [float(value) for value in call.args.numbers()]

    outputs: ClassVar[tuple[Command, ...]] = (
        switch("OUTPut[:STATe]", "on"),
        choice("OUTPut:SMODe", "off_mode", ("NORMal", "HIMPedance", "ZERO", "GUARd")),
        switch("OUTPut:ENABle[:STATe]", "output_enable"),
        ask("OUTPut:ENABle:TRIPped", lambda self, call: int(self.enable_line_closed)),
        choice("ROUTe:TERMinals", "terminals", ("FRONt", "REAR")),
        switch("SYSTem:RSENse", "four_wires"),
        choice("SYSTem:GUARd", "guard", ("CABLe", "OHMS")),
        choice("SOURce:FUNCtion[:MODE]", "function", ("VOLTage", "CURRent", "MEMory"), "VOLTage"),
        number("SOURce:CURRent[:LEVel][:IMMediate][:AMPLitude]", "current_a", 0.0, -1.05, 1.05, "A"),
        number("SOURce:CURRent[:LEVel]:TRIGgered[:AMPLitude]", "triggered_a", 0.0, -1.05, 1.05, "A"),
        ranged("SOURce:CURRent:RANGe", "current_range_a", AMPERES[2], AMPERES, "A"),
        switch("SOURce:CURRent:RANGe:AUTO", "current_autorange", True),
        choice("SOURce:CURRent:MODE", "current_mode", ("FIXed", "LIST", "SWEep")),
        number("SOURce:CURRent:STARt", "sweep_start_a", 0.0, -1.05, 1.05, "A"),
        number("SOURce:CURRent:STOP", "sweep_stop_a", 0.0, -1.05, 1.05, "A"),
        do("SOURce:LIST:CURRent", set_list),
        number("SOURce:VOLTage[:LEVel][:IMMediate][:AMPLitude]", "voltage_v", 0.0, -210, 210, "V"),
        ranged("SOURce:VOLTage:RANGe", "voltage_range_v", VOLTS[2], VOLTS, "V"),
        switch("SOURce:VOLTage:RANGe:AUTO", "voltage_autorange", True),
        choice("SOURce:VOLTage:MODE", "voltage_mode", ("FIXed", "LIST", "SWEep")),
        number("SOURce:VOLTage:PROTection[:LEVel]", "protection_v", PROTECTIONS[-1], -210, 210, "V"),
        do("SOURce:CLEar[:IMMediate]", lambda self, call: self.switch_off()),
        switch("SOURce:CLEar:AUTO", "auto_clear"),
        both("SENSe:FUNCtion[:ON]", sense, sensed),
        do("SENSe:FUNCtion[:ON]:ALL", lambda self, call: self.set_sensed({*_SENSES.values()})),
        do("SENSe:FUNCtion:OFF", sense_not),
        do("SENSe:FUNCtion:OFF:ALL", lambda self, call: self.set_sensed(set())),
        switch("SENSe:FUNCtion:CONCurrent", "concurrent", True),
        number("SENSe:VOLTage[:DC]:PROTection[:LEVel]", "compliance_v", 21.0, -210, 210, "V"),
        ask("SENSe:VOLTage[:DC]:PROTection:TRIPped", lambda self, call: int(self.in_compliance)),
        ranged("SENSe:VOLTage[:DC]:RANGe[:UPPer]", "sense_range_v", VOLTS[2], VOLTS, "V"),
        switch("SENSe:VOLTage[:DC]:RANGe:AUTO", "sense_autorange_v", True),
        number("SENSe:CURRent[:DC]:PROTection[:LEVel]", "compliance_a", 1.05e-4, -1.05, 1.05, "A"),
        ask("SENSe:CURRent[:DC]:PROTection:TRIPped", lambda self, call: int(self.in_compliance)),
        ranged("SENSe:CURRent[:DC]:RANGe[:UPPer]", "sense_range_a", AMPERES[2], AMPERES, "A"),
        switch("SENSe:CURRent[:DC]:RANGe:AUTO", "sense_autorange_a", True),
        choice("SENSe:RESistance:MODE", "ohms_mode", ("MANual", "AUTO"), "AUTO"),
        ranged("SENSe:RESistance:RANGe[:UPPer]", "sense_range_ohm", OHMS[4], OHMS),
        switch("SENSe:RESistance:RANGe:AUTO", "sense_autorange_ohm", True),
    )
