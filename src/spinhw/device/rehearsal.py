"""A dry run: what would be sent to a bench, found out on virtual instruments of the same models without any wires."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from spinhw.device import visa_readout
from spinhw.device.bank_promises import probe_drive
from spinhw.device.network_promises import probe_inputs, probe_parameters
from spinhw.device.plan import ObservationPlan
from spinhw.device.visa_opening import open_visa_bank, open_visa_device
from spinhw.errors import ConfigError
from spinhw.instruments import Station, StationSettings
from spinhw.instruments.settings import named
from spinhw.instruments.traffic import SENT, Buffer
from spinhw.instruments.wires import Wire
from spinhw.network import NetworkSettings

_OUTPUTS = 1 << 16  # Of a synapse controller in a rehearsal: enough for any network.
_NEWLINE = b"\n"


def rehearse_device(settings: StationSettings, network: NetworkSettings, sample_interval_s: float) -> list[str]:
    """List what a bench with a chip would be sent to program it, to run one small batch, and to be switched off.

    Raises:
        ConfigError: There is no virtual instrument of one of the models, or the bench does not fit the network.
    """
    stage = _Stage(settings)
    device = open_visa_device(stage.settings, network, sample_interval_s, connect=stage.connect)
    with _quiet(), device:
        about = device.describe()
        device.program(probe_parameters(about, scale=0.1))
        device.run(probe_inputs(about) * 0.1, observe=ObservationPlan(((0,),)))
    return _sent(device.station)


def rehearse_bank(settings: StationSettings, network: NetworkSettings, sample_interval_s: float) -> list[str]:
    """List what a bench with oscillators would be sent to play one small batch, and to be switched off."""
    stage = _Stage(settings)
    bank = open_visa_bank(stage.settings, network, sample_interval_s, connect=stage.connect)
    with _quiet(), bank:
        bank.play(probe_drive(bank))
    return _sent(bank.station)


@contextmanager
def _quiet() -> Iterator[None]:
    """Say nothing of bad samples: where nothing is wired there are no others."""
    log = logging.getLogger(visa_readout.__name__)
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _sent(station: Station) -> list[str]:
    return [message.text() for message in station.traffic.recent() if message.direction == SENT]


class _Stage:
    """Virtual instruments in place of those of a bench.

    Args:
        settings: The bench.
    """

    def __init__(self, settings: StationSettings) -> None:
        from spinhw.virtual.instruments import MODELS, SynapseController
        from spinhw.virtual.lab import EmptyLab

        # The backend's name keeps locks and memory of the true bench out of this.
        self.settings = settings.model_copy(update={"backend": "rehearsal@spinhw"})
        lab, self._panels = EmptyLab(), {}
        for name, one, place in named(settings, settings.id):
            kind = MODELS.get(one.driver)
            if kind is None:
                raise ConfigError(f"{place}: no virtual instrument stands in for it", seen=one.driver)
            panel = kind(name, None, lab, outputs=_OUTPUTS) if kind is SynapseController else kind(name, None, lab)
            lab.panels.append(panel)
            self._panels[one.address] = panel

    def connect(self, address: str, backend: str, timeout_s: float) -> Wire:
        """Open a wire to the stand-in at an address."""
        return _DirectWire(self._panels[address])


class _DirectWire(Wire):
    """Bytes to and from a virtual instrument, without a door.

    Args:
        panel: The instrument.
    """

    def __init__(self, panel: object) -> None:
        from spinhw.virtual.scpi import Framer

        self._panel, self._framer, self._waiting = panel, Framer(), bytearray()

    def send(self, *parts: Buffer) -> None:
        for message in self._framer.feed(b"".join(parts)):
            self._panel.execute(message, self._waiting.extend)  # type: ignore[attr-defined]

    def receive_line(self) -> bytes:
        end = self._waiting.find(_NEWLINE)
        if end < 0:
            raise TimeoutError("nothing was answered")
        return self.receive(end + 1).rstrip(b"\r\n")

    def receive(self, count: int) -> bytes:
        if len(self._waiting) < count:
            raise TimeoutError("less was answered")
        data = bytes(self._waiting[:count])
        del self._waiting[:count]
        return data

    def end_block(self) -> None:
        self.receive_line()

    def set_timeout(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass
