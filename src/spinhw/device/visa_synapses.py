"""A bank of RF resonators on a bench of instruments behind VISA addresses."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinhw.conversion import Conversion
from spinhw.device.banks import SynapseBank
from spinhw.device.description import Description
from spinhw.device.reading import Samples
from spinhw.device.visa_connection import Connection
from spinhw.errors import DeviceError
from spinhw.instruments import DCVoltmeter, RFSource, Station, SynapseController
from spinhw.instruments.references import split_reference
from spinhw.instruments.roles import ALL
from spinhw.instruments.wiring import ResonatorWiring


class VisaSynapseBank(SynapseBank):
    """Resonators on a bench: a controller tunes them, an RF source feeds the chain, a voltmeter reads it.

    Args:
        station: The instruments; nobody else uses them meanwhile.
        wiring: What hangs on which channel.
        description: What the bank is.
        conversion: Used by the base class.
    """

    def __init__(
        self, station: Station, wiring: ResonatorWiring, description: Description, conversion: Conversion
    ) -> None:
        super().__init__(description, conversion)
        self._connection = Connection(station)
        self._board = station.get(split_reference(wiring.tuning)[0], SynapseController)
        tone, self._tone_channel = split_reference(wiring.tone)
        meter, self._meter_channel = split_reference(wiring.meter)
        self._tone, self._meter = station.get(tone, RFSource), station.get(meter, DCVoltmeter)
        self._forget()

    @property
    def station(self) -> Station:
        """Get the instruments, for looking; what is set there past this class is forgotten at the next batch."""
        return self._connection.station

    def _forget(self) -> None:
        """Forget what was set: whoever was disconnected may have been switched off and on."""
        self._tuned: NDArray[np.float64] | None = None
        self._frequency_hz = self._power_w = float("nan")

    def _open(self) -> str:
        self._forget()
        return self._connection.open()

    def _measure(self, tuning: Tensor, rf_hz: Tensor, power: Tensor) -> Samples:
        self._connection.prepare()
        volts = []
        points = zip(tuning.double().numpy(), rf_hz.tolist(), power.tolist(), strict=True)
        for tuning_v, frequency_hz, power_w in points:
            self._tune(tuning_v)
            self._set_tone(frequency_hz, power_w)
            volts.append(self._meter.measure_voltage(self._meter_channel))
        self._confirm()
        return Samples(torch.tensor(volts, dtype=torch.float64), torch.zeros(1))

    def _tune(self, tuning_v: NDArray[np.float64]) -> None:
        if self._tuned is not None and np.array_equal(tuning_v, self._tuned):
            return
        self._board.program(tuning_v)
        if self._tuned is None:
            self._board.set_output(True)
        self._tuned = tuning_v

    def _set_tone(self, frequency_hz: float, power_w: float) -> None:
        """Set frequency and power where they differ; no power is an output that is off."""
        channel = self._tone_channel
        if frequency_hz != self._frequency_hz:
            self._tone.set_frequency(channel, frequency_hz)
            self._frequency_hz = frequency_hz
        if power_w == self._power_w:
            return
        if power_w == 0:
            self._tone.set_output(channel, False)
        else:
            self._tone.set_power(channel, power_w)
            self._tone.set_output(channel, True)
        self._power_w = power_w

    def _confirm(self) -> None:
        """Find out whether everything still is as it was set.

        Raises:
            DeviceError: An output tripped, or an instrument lost its connection meanwhile.
        """
        if self._tone.output_enabled(self._tone_channel) != (self._power_w > 0):
            raise DeviceError(
                f"{self._tone.name}: output {self._tone_channel} switched itself off", todo="look at what hangs on it"
            )
        overloads = self._board.overloads()
        if overloads or not self._board.output_enabled(ALL):
            raise DeviceError(
                f"{self._board.name}: resonators do not get their tuning voltage",
                seen=f"outputs {', '.join(map(str, overloads))} are overloaded" if overloads else "outputs are off",
                allowed="every output on and within its load",
                todo="look for a short circuit at these outputs",
            )
        self._connection.confirm()

    def _make_safe(self) -> list[str]:
        return self._connection.make_safe()

    def _close(self) -> None:
        self._connection.disconnect()

    def _state(self) -> dict[str, Any]:
        return {}

    def _restore(self, state: dict[str, Any]) -> None:
        pass

    def _found(self) -> dict[str, Any]:
        return self._connection.look_over()

    def _snapshot(self) -> dict[str, Any]:
        return self.station.snapshot()
