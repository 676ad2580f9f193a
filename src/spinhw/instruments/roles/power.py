"""Meters of RF power."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spinhw.instruments.channels import PowerInput
from spinhw.instruments.roles.base import Instrument
from spinhw.instruments.roles.rf import to_watts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Spectrum:
    """Power by frequency: hertz and watts within the resolution bandwidth, both (point,)."""

    frequency_hz: "NDArray[np.float64]"
    power_w: "NDArray[np.float64]"


class PowerReadout(Instrument[PowerInput]):
    """A meter of RF power in a band. Power is in watts here; drivers speak dBm."""

    role = "power-readout"

    @abstractmethod
    def _limits(self) -> tuple[float, float]:
        """Return the range of frequencies in hertz."""

    @abstractmethod
    def _tune(self, channel: str, centre_hz: float, span_hz: float, bandwidth_hz: float, reference_dbm: float) -> None:
        """Set the band and the resolution, and stop sweeping."""

    @abstractmethod
    def _sweep(self) -> None:
        """Measure once, and return when it is done."""

    @abstractmethod
    def _read_power_dbm(self) -> float:
        """Read the power in the band of the last sweep, in dBm."""

    @abstractmethod
    def _read_trace_dbm(self) -> "NDArray[np.float64]":
        """Read the last sweep, in dBm, (point,)."""

    def tune(self, channel: str, centre_hz: float, span_hz: float, bandwidth_hz: float) -> None:
        """Set the band to measure in, in hertz, and the resolution bandwidth.

        Raises:
            LimitError: The band is not within what the instrument can do; nothing was sent.
        """
        settings, limits = self._channel(channel), self._limits()
        for edge in (centre_hz - span_hz / 2, centre_hz + span_hz / 2):
            self._check("band edge", channel, edge, limits, "Hz")
        self.ready()
        reference_dbm = 10 * math.log10(settings.reference_w / 1e-3)
        self._tune(channel, centre_hz, span_hz, bandwidth_hz, reference_dbm)
        self._keep("centre_hz", centre_hz)
        self._keep("span_hz", span_hz)

    def measure_power(self) -> float:
        """Measure the power in the band, in watts."""
        self._sweep()
        return to_watts(self._read_power_dbm())

    def measure_spectrum(self) -> Spectrum:
        """Measure the power over the band, in watts within the resolution bandwidth."""
        import numpy as np

        centre, span = float(self.cached()["centre_hz"]), float(self.cached()["span_hz"])
        self._sweep()
        trace = self._read_trace_dbm()
        frequency = np.linspace(centre - span / 2, centre + span / 2, len(trace))
        return Spectrum(frequency, 1e-3 * 10 ** (trace / 10))
