"""Messages of one's own to an instrument: possible, logged, and known to make the cached settings worthless."""

from typing import Any

from spinhw.errors import DeviceError
from spinhw.instruments.roles import Instrument
from spinhw.instruments.words import Words


class Raw:
    """Talks past the driver. No limit is checked here: which message moves an output only its manual knows.

    Therefore each message makes the station forget what it knew of this instrument, and at the end every output that
    the model can have is switched off, listed in the bench file or not.

    Args:
        instrument: The instrument.
    """

    def __init__(self, instrument: Instrument[Any]) -> None:
        if not isinstance(instrument.port, Words):
            raise DeviceError(f"{instrument.name}: it has no messages of its own; use its driver's object instead")
        self._instrument, self._link = instrument, instrument.port.link

    def write(self, message: str) -> None:
        """Send a message and look into the error queue."""
        self._instrument.forget(foreign_words=True)
        self._link.set_and_check(message)

    def query(self, message: str) -> str:
        """Send a message and return its reply. Never repeated."""
        self._instrument.forget(foreign_words=True)
        return self._link.ask_once(message)
