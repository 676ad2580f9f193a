"""Ways from one value to another in small steps, and the way down of an output."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from spinhw.instruments.failures import LinkError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

# Where no step is stated, a way down has this many equal ones.
_STEPS = 100
# An instrument that fails to be reached this often in a row cannot be ramped.
_MOST_LOST = 3

ValueT = TypeVar("ValueT", float, "NDArray[np.float64]")


def steps(start: ValueT, target: ValueT, largest: float) -> list[ValueT]:
    """List the values to set one after another, equal steps of at most `largest`; the last is the target, bit for bit.

    Args:
        start: Value read back, or several.
        target: Value wanted, or as many.
        largest: Largest step of any of them, above zero.
    """
    farthest = abs(target - start) if isinstance(start, int | float) else float(abs(target - start).max(initial=0.0))
    count = max(1, math.ceil(farthest / largest - 1e-9))
    return [start + (target - start) * (k / count) for k in range(1, count)] + [target]


@dataclass(frozen=True)
class Lever:
    """A quantity of an output that a way down brings to its end.

    Args:
        quantity: What it is, such as "current".
        unit: Its unit.
        read: Reads it back.
        set: Sets it.
        end: Where the way down ends.
        step: Largest step; None for 100 equal ones.
        delay_s: Wait after each step, in seconds.
        last: What was set last, where it cannot be read; None where nothing was set.
    """

    quantity: str
    unit: str
    read: Callable[[], float]
    set: Callable[[float], None]
    end: float = 0.0
    step: float | None = None
    delay_s: float = 0.0
    last: float | None = None

    def lower(self, who: str, wait: Callable[[float], None], recover: Callable[[], None] = lambda: None) -> None:
        """Walk from what is read to the end; an error on the way is logged, and the next step is tried.

        Where nothing can be read and nothing was set there is no way: the output is cut, and that is said.

        Args:
            who: Instrument and output, for the log.
            wait: Waits so many seconds.
            recover: Connects again after a failed step, which is then tried once more.
        """
        start = self.start(who)
        if start is None or start == self.end or (self.end != 0 and start < self.end):
            return
        largest = self.step if self.step is not None else abs(self.end - start) / _STEPS
        lost = 0
        for value in steps(start, self.end, largest):
            try:
                self._set_surely(value, recover)
                lost = 0
            except Exception as error:  # whatever it was, it must come down
                _log.error("%s: %s %.6g %s on the way down: %s", who, self.quantity, value, self.unit, error)
                lost = lost + 1 if isinstance(error, LinkError) else 0
                if lost >= _MOST_LOST:
                    return
            wait(self.delay_s)

    def _set_surely(self, value: float, recover: Callable[[], None]) -> None:
        try:
            self.set(value)
        except LinkError:  # It may not have arrived; on a way down twice is as good as once.
            recover()
            self.set(value)

    def start(self, who: str) -> float | None:
        """Read where the way down begins: what was set last where that cannot be read, None where nothing was set."""
        try:
            found = self.read()
            if math.isfinite(found):
                return found
            _log.error("%s: %s reads back as %s", who, self.quantity, found)
        except Exception as error:  # what cannot be read must come down all the same
            _log.error("%s: %s cannot be read: %s", who, self.quantity, error)
        if self.last is None:
            _log.error("%s: %s is cut at once, since it cannot be read and was not set here", who, self.quantity)
        return self.last
