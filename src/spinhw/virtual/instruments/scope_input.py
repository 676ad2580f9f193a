"""What an oscilloscope does to a voltage between the connector of a channel and its converter, and after it."""

from dataclasses import dataclass

import numpy as np

from spinhw.virtual.instruments.panel import Level
from spinhw.virtual.lab import Window
from spinhw.virtual.records import lowpass

# Probes of a bench file give the voltage into this; the sources behind them have it too.
SOURCE_OHM = 50.0
MEGOHM = 1e6
# How many samples high resolution averages here; real ones take as many as the converter is faster.
_SMOOTHED = 8


@dataclass(frozen=True)
class ScopeInput:
    """How one channel is set, apart from its range.

    Args:
        ohm: Its termination. A source of 50 ohms gives nearly twice the voltage into a megohm.
        coupling: "DC", "AC" or "GND". AC takes the mean of the record off: its corner lies far below any record here.
        bandwidth_hz: Corner of the bandwidth limit; None for none.
        inverted: Whether it is turned over.
        factor: Of the probe and of external attenuators: what is shown over what is at the connector.
        bias_v: Voltage that the termination is tied to, as far as it adds to what is there.
        skew_s: Delay of the cable that is taken off.
    """

    ohm: float = SOURCE_OHM
    coupling: str = "DC"
    bandwidth_hz: float | None = None
    inverted: bool = False
    factor: float = 1.0
    bias_v: float = 0.0
    skew_s: float = 0.0

    def window(self, window: Window) -> Window:
        """Give when its samples are truly taken."""
        return Window(window.start_s + self.skew_s, window.interval_s, window.points) if self.skew_s else window

    def seen(self, volts: np.ndarray, interval_s: float) -> np.ndarray:
        """Give what its converter sees of the voltage that its cable brings into 50 ohms, in volts as shown."""
        if self.ohm != SOURCE_OHM:
            volts = volts * (2 * self.ohm / (self.ohm + SOURCE_OHM))
        if self.bias_v:
            volts = volts + self.bias_v / 2  # Half of it stays on the source's side.
        if self.coupling == "GND":
            volts = np.zeros_like(volts)
        elif self.coupling == "AC":
            volts = volts - volts.mean()
        volts = lowpass(volts, interval_s, self.bandwidth_hz)
        scale = -self.factor if self.inverted else self.factor
        return volts if scale == 1.0 else volts * scale


def processed(volts: np.ndarray, kind: str) -> np.ndarray:
    """Give what an acquisition of a kind makes of samples: "smooth" averages neighbours, "peak" keeps extremes."""
    if kind == "smooth":
        ends = np.pad(volts, (_SMOOTHED // 2, _SMOOTHED - 1 - _SMOOTHED // 2), mode="edge")
        return np.convolve(ends, np.full(_SMOOTHED, 1 / _SMOOTHED), "valid")
    if kind == "peak":
        pairs = volts[: len(volts) // 2 * 2].reshape(-1, 2)
        extremes = np.stack([pairs.min(axis=1), pairs.max(axis=1)], axis=1).reshape(-1)
        return np.concatenate([extremes, volts[len(extremes) :]])
    return volts


def generated(amplitude_v: float, offset_v: float, shown_ohm: float, load_ohm: float, steady: bool) -> Level:
    """Give what the generator of an oscilloscope puts out.

    Args:
        amplitude_v: Peak to peak, as shown.
        offset_v: As shown.
        shown_ohm: Load that the numbers are shown for.
        load_ohm: What truly hangs on it.
        steady: Whether it gives nothing but its offset.
    """
    scale = (shown_ohm + SOURCE_OHM) / shown_ohm * load_ohm / (load_ohm + SOURCE_OHM)
    half = 0.0 if steady else amplitude_v / 2
    return Level(lowest_v=scale * (offset_v - half), highest_v=scale * (offset_v + half))
