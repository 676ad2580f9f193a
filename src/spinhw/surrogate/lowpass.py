"""A first-order low-pass of signals that are cubic within each step: exact, at the nodes and between them.

For a polynomial x the equation lag dy/dt = x - y has the solution p = x - lag x' + lag^2 x'' - lag^3 x'''; what y
differs from it at the start of a step decays as exp(-t / lag).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Cubic:
    """Signals within steps, x(t) = c0 + c1 t + c2 t^2 + c3 t^3 with t from the start of each step in seconds.

    Args:
        c0: At the start, (signal, batch, step, oscillator); the others have the same shape.
        c1: First coefficient, and so on.
        c2: Second.
        c3: Third.
    """

    c0: Tensor
    c1: Tensor
    c2: Tensor
    c3: Tensor

    @classmethod
    def through(cls, values: Tensor, starts: Tensor, ends: Tensor, step_s: float) -> "Cubic":
        """Make them from values at the nodes, (..., step + 1, oscillator), and slopes at both ends of each step."""
        return cls.joining(values[:, :, :-1], values[:, :, 1:], starts, ends, step_s)

    @classmethod
    def joining(cls, left: Tensor, right: Tensor, starts: Tensor, ends: Tensor, step_s: float) -> "Cubic":
        """Make them from values and slopes at both ends of each step, (signal, batch, step, oscillator)."""
        change = right - left
        second = (3 * change - step_s * (2 * starts + ends)) / step_s**2
        third = (step_s * (starts + ends) - 2 * change) / step_s**3
        return cls(left, starts, second, third)

    def gathered(self, node: Tensor) -> "Cubic":
        """Pick a step for each time and oscillator, (time, oscillator)."""
        return Cubic(*(gather(one, node) for one in (self.c0, self.c1, self.c2, self.c3)))

    def particular(self, time_s: Tensor | float, lag_s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give the solution p without anything that decays, dp/dt, and dp/dlag at a time within the step."""
        t, lag = time_s, lag_s
        third = 6 * self.c3
        second = 2 * self.c2 + third * t
        first = self.c1 + t * (2 * self.c2 + t * 3 * self.c3)
        value = self.c0 + t * (self.c1 + t * (self.c2 + t * self.c3))
        return (
            value - lag * (first - lag * (second - lag * third)),
            first - lag * (second - lag * third),
            -first + lag * (2 * second - 3 * lag * third),
        )


def gather(signal: Tensor, node: Tensor) -> Tensor:
    """Pick from (signal, batch, step, oscillator) one step for each time and oscillator, (time, oscillator)."""
    return signal.gather(2, node.expand(*signal.shape[:2], *node.shape))


def lowpass(values: Tensor, cubic: Cubic, step_s: float, lag_s: Tensor) -> tuple[Tensor, Tensor]:
    """Pass signals through the low-pass, from rest.

    Args:
        values: x at the nodes, (signal, batch, step + 1, oscillator); only the first one counts.
        cubic: x within the steps.
        step_s: Step in seconds.
        lag_s: Time constant in seconds, above zero, (oscillator,).

    Returns:
        y at the nodes, shaped as `values`, and the derivative of the first signal's by the lag, (1, ...).
    """
    at_start, _, start_by_lag = cubic.particular(0.0, lag_s)
    at_end, _, end_by_lag = cubic.particular(step_s, lag_s)
    keep = torch.exp(-step_s / lag_s)
    found = _recurrence(values[:, :, 0], (at_end - keep * at_start).movedim(2, 0).contiguous(), keep)
    apart = found[:-1, :1] - at_start[:1].movedim(2, 0)
    pushed = (end_by_lag[:1] - keep * start_by_lag[:1]).movedim(2, 0) + apart * (keep * step_s / lag_s**2)
    by_lag = _recurrence(torch.zeros_like(values[:1, :, 0]), pushed.contiguous(), keep)
    return found.movedim(0, 2), by_lag.movedim(0, 2)


def _recurrence(start: Tensor, pushed: Tensor, keep: Tensor) -> Tensor:
    """Step y' = keep y + pushed, (step, ...); give all y, (step + 1, ...)."""
    found = start.new_empty(len(pushed) + 1, *start.shape)
    found[0], kept = start, keep.expand_as(start)
    for step in range(len(pushed)):
        torch.addcmul(pushed[step], found[step], kept, out=found[step + 1])
    return found


def between(
    cubic: Cubic, lagged: Tensor, by_lag: Tensor, place: Tensor, step_s: float, lag_s: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Give y at times between the nodes.

    Args:
        cubic: x within the steps.
        lagged: y at the nodes.
        by_lag: Its derivative by the lag, of the first signal.
        place: Times in steps from the first node, (time, oscillator).
        step_s: Step in seconds.
        lag_s: Time constant in seconds, (oscillator,).

    Returns:
        y, (signal, batch, time, oscillator); dy/dt and dy/dlag of the first signal, each (batch, time, oscillator).
    """
    node = place.floor().clamp(0, lagged.shape[2] - 2).long()
    time_s = (place - node) * step_s
    inside = cubic.gathered(node)
    start, _, start_by_lag = inside.particular(0.0, lag_s)
    here, rate, here_by_lag = inside.particular(time_s, lag_s)
    keep = torch.exp(-time_s / lag_s)
    apart = gather(lagged, node) - start
    value = here + apart * keep
    first, slow = apart[0], gather(by_lag, node)[0] - start_by_lag[0]
    late = here_by_lag[0] + slow * keep + first * keep * time_s / lag_s**2
    return value, rate[0] - first * keep / lag_s, late
