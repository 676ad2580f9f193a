"""The synapse controller board: the dialect of docs/synapse-controller.md."""

from typing import Any, ClassVar

import numpy as np

from spinhw.virtual.instruments.panel import Level, Panel
from spinhw.virtual.scpi import Call, Command, ScpiError, ask, block, both, choice, constant, do, switch
from spinhw.virtual.scpi.errors import ErrorQueue

_MOST_OVERLOADS = 16
_QUEUE = 16


class SynapseController(Panel):
    """A board with slow voltage outputs, rounded to 16 bits over their range.

    Args:
        name: Name on the bench.
        serial: Serial number.
        lab: Where it stands.
        outputs: How many.
        range_v: Lowest and highest voltage.
        settle_s: Time to settle, in seconds.
    """

    maker, model, firmware = "SPINHW", "SYNAPSE-CONTROLLER", "1.0"
    number_format = "{:.9g}"
    suffers = frozenset({"overload"})
    bits: ClassVar[int] = 16

    def __init__(
        self,
        name: str,
        serial: str | None = None,
        lab: Any = None,
        outputs: int = 64,
        range_v: tuple[float, float] = (-2.0, 2.0),
        settle_s: float = 1e-3,
    ) -> None:
        self.range_v, self.limits_v, self.settle_s = range_v, range_v, settle_s
        self.applied_v, self.staged_v = np.zeros(outputs, np.float32), np.zeros(outputs, np.float32)
        self.writes = 0  # Of SYN:APPLy: the bench programs the chip when it changes.
        self.used = np.zeros(outputs, bool)  # Outputs that were anything but 0 V since all of them were switched on.
        self._overloads: tuple[int, ...] = ()
        super().__init__(name, serial, lab)
        self.status.errors = ErrorQueue(_QUEUE)

    def reset(self) -> None:
        super().reset()
        self.applied_v[:] = 0.0
        self.staged_v[:] = 0.0
        self.used[:] = False
        self._overloads = ()
        self.writes += 1

    def reboot(self) -> None:
        super().reboot()
        self.status.errors = ErrorQueue(_QUEUE)

    def at_connectors(self) -> dict[str, Level]:
        """Give the lowest and the highest of all its outputs."""
        given = self.outputs_v
        return {"all": Level(lowest_v=float(given.min()), highest_v=float(given.max()))}

    @property
    def resolution_v(self) -> float:
        """Get the smallest step of an output, in volts."""
        return (self.range_v[1] - self.range_v[0]) / (2**self.bits - 1)

    @property
    def outputs_v(self) -> np.ndarray:
        """Get what the outputs give: 0 V while they are off."""
        return self.applied_v if self.get("on") else np.zeros_like(self.applied_v)

    def disturb(self, kind: str) -> None:
        super().disturb(kind)
        if kind == "overload":
            self._overloads = (0,)

    def _order(self) -> str:
        return ">f4" if self.get("byte_order") == "NORM" else "<f4"

    def stage(self, call: Call) -> None:
        """Carry out SYNapse:DATA first, block; refused whole."""
        first = call.args.integer(0)
        data = call.args.block(1)
        if len(data) % 4:
            raise ScpiError(-161)
        volts = np.frombuffer(data, self._order())
        lowest, highest = self.limits_v
        slack = 0.5 * self.resolution_v
        inside = (volts >= lowest - slack) & (volts <= highest + slack)  # NaN is not
        if not 0 <= first <= len(self.staged_v) - len(volts) or not inside.all():
            raise ScpiError(-222)
        self.staged_v[first : first + len(volts)] = volts

    def apply(self, call: Call) -> None:
        """Carry out SYNapse:APPLy: rounds to the resolution, with 0 V a level; overloads are looked for anew."""
        self.applied_v[:] = np.rint(self.staged_v.astype(np.float64) / self.resolution_v) * self.resolution_v
        self.writes += 1
        self.used = (self.used & bool(self.get("on"))) | (self.applied_v != 0)
        self._overloads = ()

    def read(self, call: Call, values: np.ndarray) -> bytes:
        """Answer SYNapse:DATA? and SYNapse:STAGed? first, count."""
        first, count = call.args.integer(0), call.args.integer(1)
        if count < 0 or not 0 <= first <= len(values) - count:
            raise ScpiError(-222)
        return block(values[first : first + count].astype(self._order()).tobytes())

    def set_limits(self, call: Call) -> None:
        """Carry out SYNapse:LIMit lowest, highest."""
        lowest, highest = call.args.number(0, "V"), call.args.number(1, "V")
        held = self.applied_v
        if lowest < self.range_v[0] or highest > self.range_v[1] or lowest > highest:
            raise ScpiError(-222)
        if held.min() < lowest - self.resolution_v or held.max() > highest + self.resolution_v:
            raise ScpiError(-222)
        self.limits_v = (lowest, highest)

    def _pair(self, pair: tuple[float, float]) -> str:
        return ",".join(self.number_format.format(value) for value in pair)

    def overloads(self, call: Call) -> str:
        """Answer SYNapse:OVERload?."""
        return ",".join(str(one) for one in self._overloads[:_MOST_OVERLOADS]) or "NONE"

    commands: ClassVar[tuple[Command, ...]] = (
        constant("SYSTem:VERSion", "SPINHW-SYNAPSE-1"),
        choice("FORMat:BORDer", "byte_order", ("NORMal", "SWAPped")),
        ask("SYNapse:COUNt", lambda self, call: len(self.applied_v)),
        ask("SYNapse:RANGe", lambda self, call: self._pair(self.range_v)),
        both("SYNapse:LIMit", set_limits, lambda self, call: self._pair(self.limits_v)),
        ask("SYNapse:RESolution", lambda self, call: self.resolution_v),
        ask("SYNapse:SETTle", lambda self, call: self.settle_s),
        both("SYNapse:DATA", stage, lambda self, call: self.read(call, self.applied_v)),
        ask("SYNapse:STAGed", lambda self, call: self.read(call, self.staged_v)),
        do("SYNapse:APPLy", apply),
        ask("SYNapse:OVERload", overloads),
        switch("OUTPut[:STATe]", "on"),
    )
