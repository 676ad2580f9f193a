"""A bank of RF resonators on a bench of instruments behind VISA addresses."""

from dataclasses import dataclass
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
from spinhw.instruments import DCVoltmeter, RFSource, Station, Switch, SynapseController
from spinhw.instruments.references import split_path, split_reference
from spinhw.instruments.roles import ALL


@dataclass(frozen=True)
class WiredChain:
    """What a chain of resonators hangs on.

    Args:
        tuning: The synapse controller, such as "board.all".
        tone: Output of the RF source.
        meter: Path to the voltmeter, such as "nvm.1", or "nvm.1 via chains.1101".
        addresses: Output of the controller for each resonator, (resonator,).
        outputs: Outputs of the controller that are programmed; those of no resonator of the chain to 0 V.
    """

    tuning: str
    tone: str
    meter: str
    addresses: NDArray[np.int64]
    outputs: int


class VisaSynapseBank(SynapseBank):
    """Resonators on a bench: a controller tunes them, an RF source feeds the chain, a voltmeter reads it.

    Args:
        connection: To the instruments; nobody else uses them meanwhile.
        chain: What hangs on which channel.
        description: What the bank is.
        conversion: Used by the base class.
    """

    def __init__(
        self, connection: Connection, chain: WiredChain, description: Description, conversion: Conversion
    ) -> None:
        super().__init__(description, conversion)
        self._connection, self._chain, station = connection, chain, connection.station
        self._board = station.get(split_reference(chain.tuning)[0], SynapseController)
        meter_channel, crosspoint = split_path(chain.meter)
        tone, self._tone_channel = split_reference(chain.tone)
        meter, self._meter_channel = split_reference(meter_channel)
        self._tone, self._meter = station.get(tone, RFSource), station.get(meter, DCVoltmeter)
        self._switch, self._route = None, ""
        if crosspoint is not None:
            name, self._route = split_reference(crosspoint)
            self._switch = station.get(name, Switch)
        self._forget()

    @property
    def station(self) -> Station:
        """Get the instruments, for looking; what is set there past this class is forgotten at the next batch."""
        return self._connection.station

    def _forget(self) -> None:
        """Forget what was set: whoever was disconnected may have been switched off and on."""
        self._tuned: NDArray[np.float64] | None = None
        self._is_routed = self._switch is None
        self._frequency_hz = self._power_w = float("nan")

    def _open(self) -> str:
        self._forget()
        return self._connection.open()

    def _measure(self, tuning: Tensor, rf_hz: Tensor, power: Tensor) -> Samples:
        self._connection.prepare()
        self._lead_out()
        volts = []
        points = zip(tuning.double().numpy(), rf_hz.tolist(), power.tolist(), strict=True)
        for tuning_v, frequency_hz, power_w in points:
            self._tune(tuning_v)
            self._set_tone(frequency_hz, power_w)
            volts.append(self._meter.measure_voltage(self._meter_channel))
        self._confirm()
        return Samples(torch.tensor(volts, dtype=torch.float64), torch.zeros(1))

    def _lead_out(self) -> None:
        """Lead the chain to its meter, once after each connecting, while every source is off."""
        if self._switch is not None and not self._is_routed:
            self._switch.connect([self._route])
            self._is_routed = True

    def _tune(self, tuning_v: NDArray[np.float64]) -> None:
        if self._tuned is not None and np.array_equal(tuning_v, self._tuned):
            return
        volts = np.zeros(self._chain.outputs)
        volts[self._chain.addresses] = tuning_v
        self._board.program(volts)
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
        if self._switch is not None:
            self._switch.confirm([self._route])
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
