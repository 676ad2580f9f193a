"""The connection of a device or bank to the instruments of a bench: made, lost, made again, left safe."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from spinhw.errors import DeviceError
from spinhw.instruments import Station

_log = logging.getLogger(__name__)


class Connection:
    """All instruments of a bench as one session uses them. Repeats nothing.

    Args:
        station: The instruments.
    """

    def __init__(self, station: Station) -> None:
        self.station = station
        self._is_connected = self._is_prepared = self._is_held = False
        self._generations: dict[str, int] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Stay connected between sessions that use the bench one after another; each still leaves it switched off.

        Raises:
            DeviceError: Something does not answer, or could not be confirmed off at the end.
        """
        with self.station:
            self._is_held = True
            try:
                yield
            finally:
                self._is_held = False

    def open(self) -> str:
        """Connect, or connect again, without changing any output; return who answers."""
        self.station.open()
        self._is_connected = True
        self.station.connect()
        generations = {name: self.station[name].port.generation for name in self.station}
        # On connections that were kept nothing has to be looked at again.
        self._is_prepared = self._is_prepared and self._is_held and generations == self._generations
        self._generations = generations
        return "; ".join(f"{name}: {identity}" for name, identity in self.station.identities().items())

    def disconnect(self) -> None:
        """Disconnect and leave every output as it is; what is `held` stays connected once a session was left safe."""
        if self._is_held and not self._is_connected:
            return
        self.station.disconnect()

    def make_safe(self) -> list[str]:
        """Bring down what was switched on here, let the bench go, and return the outputs not confirmed off.

        A bench that is `held` is let go at the end of that.
        """
        if not self._is_connected:
            return []
        for name in self.station:
            try:
                self.station[name].open()
            except DeviceError as error:  # the others must still be switched off
                _log.error("%s: %s", name, error)
        self._is_connected = False
        if self._is_held:
            return self.station.make_safe()
        try:
            self.station.close()
        except DeviceError as error:
            _log.error("%s", error)
        return list(self.station.unconfirmed)

    def look_over(self) -> dict[str, Any]:
        """Read every output and how everything was found, before anything is set; see `Station.look_over`."""
        return self.station.look_over()

    def prepare(self) -> bool:
        """Look the bench over and read all settings for the snapshot, once after each connecting.

        Returns:
            Whether there was anything to do.
        """
        if self._is_prepared:
            return False
        self.station.look_over()
        self.station.survey()
        self._is_prepared = True
        return True

    def confirm(self) -> None:
        """Find out whether every connection is still the one that was opened.

        Raises:
            DeviceError: An instrument lost its connection meanwhile.
        """
        lost = [name for name, count in self._generations.items() if self.station[name].port.generation != count]
        if lost:
            raise DeviceError(
                f"{self.station.name}: an instrument was connected anew in the middle of a batch and may have lost its "
                "settings",
                seen=", ".join(lost),
            )
