"""What comes out behind the high-pass of each oscillator on the bench, whatever its power does, rests included."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from spinhw.virtual.response import ChipResponse

_LONGEST_STEP_S = 1e-9 / 16


@dataclass(frozen=True)
class HighPassed(ChipResponse):
    """The powers of oscillators, and the signal y behind the high-pass of each: dy/dt = -2 pi f_cut y + dx/dt.

    The step is exact for a power that changes linearly over it (`spinhw.physics.highpass_factors`). Before the drives
    arrive nothing moves, and y is zero.

    Args:
        powers: Gives the powers.
        start_s: When the first drive arrives after the trigger.
        cutoff_hz: Corners, (oscillator,).
        gain: Of the channel that records y over that of the power, (oscillator,).
    """

    powers: ChipResponse
    start_s: float
    cutoff_hz: np.ndarray
    gain: np.ndarray

    def signal(self, kind: str, number: int, times_s: np.ndarray) -> np.ndarray:
        """Give a signal, as the base class says; y at equidistant times only."""
        if kind != "filtered":
            return self.powers.signal(kind, number, times_s)
        interval_s = float(times_s[-1] - times_s[0]) / (len(times_s) - 1) if len(times_s) > 1 else _LONGEST_STEP_S
        finer = max(1, math.ceil(interval_s / _LONGEST_STEP_S - 1e-6))
        step_s = interval_s / finer
        early = max(0, math.ceil((float(times_s[0]) - self.start_s) / step_s))  # Steps before the first time.
        grid = times_s[0] + (np.arange(early + (len(times_s) - 1) * finer + 1) - early) * step_s
        power = self.powers.signal("power", number, grid)
        wh = 2 * math.pi * float(self.cutoff_hz[number]) * step_s
        passed = -math.expm1(-wh) / wh if wh > 0 else 1.0
        filtered: np.ndarray = lfilter([passed], [1.0, -math.exp(-wh)], np.diff(power, prepend=power[:1]))
        return self.gain[number] * filtered[early::finer]
