"""Messages of one's own to an instrument: possible, logged, and known to make the cached settings worthless."""

from typing import Any

from spinhw.errors import DeviceError
from spinhw.instruments.roles import Instrument
from spinhw.instruments.words import Words


class Raw:
    """Talks past the driver. No limit is checked here: which message moves an output only its manual knows.

    Therefore the bench is looked over first; from then on every output that the model can have counts as ours, listed
    in the bench file or not, and is brought down at the end, but for those that are set by hand. Each message makes
    the station forget what it knew of this instrument.

    Args:
        instrument: The instrument.
    """

    def __init__(self, instrument: Instrument[Any]) -> None:
        if not isinstance(instrument.port, Words):
            raise DeviceError(f"{instrument.name}: it has no messages of its own; use its driver's object instead")
        self._instrument, self._link = instrument, instrument.port.link

    def write(self, message: str) -> None:
        """Send a message and look into the error queue.

        Raises:
            OccupiedError: Something on the bench is on that is not ours; nothing was sent.
        """
        self._take()
        self._link.set_and_check(message)

    def query(self, message: str) -> str:
        """Send a message and return its reply. Never repeated; as for `write`, since it may hold a setting too."""
        self._take()
        return self._link.ask_once(message)

    def _take(self) -> None:
        instrument = self._instrument
        instrument.custody.look_over()
        for output in instrument.all_outputs():
            if output not in instrument.by_hand:
                instrument.custody.take(instrument.name, output)
        instrument.port.pin()
        instrument.forget()
