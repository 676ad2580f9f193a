"""A bench of instruments: opened together, left safe together."""

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from spinhw.errors import ConfigError, nearest
from spinhw.instruments.build import Connect, build_instruments
from spinhw.instruments.lock import BenchLock
from spinhw.instruments.memory import BenchMemory, Left
from spinhw.instruments.raw import Raw
from spinhw.instruments.roles import Instrument
from spinhw.instruments.settings import StationSettings, load_station
from spinhw.instruments.traffic import Traffic
from spinhw.instruments.wires import IN_PROCESS, keep_virtual, open_wire
from spinhw.safety import close_after, release, unconfirmed_error, uninterrupted, watch

_log = logging.getLogger(__name__)

InstrumentT = TypeVar("InstrumentT", bound=Instrument[Any])


class Station:
    """All instruments of a bench. Connecting changes nothing; leaving it ramps down and switches off.

    Args:
        settings: The bench file.
        source: Its path, for messages and for profiles beside it.
        traffic_file: Every message is appended to it as a JSON line; None for the last ones in memory only.
        state_folder: Where locks and what was left on are kept; None for a folder in the user's home.
        connect: Opens a wire; replaced in tests.
    """

    def __init__(
        self,
        settings: StationSettings,
        source: str,
        *,
        traffic_file: Path | None = None,
        state_folder: Path | None = None,
        connect: Connect = open_wire,
    ) -> None:
        self.name, self.settings, self.source = settings.id, settings, source
        self.unconfirmed: tuple[str, ...] = ()  # Outputs that the last close could not confirm off.
        self.left = Left()  # What the session before this one left on.
        self.traffic = Traffic(traffic_file)
        self._instruments = build_instruments(settings, source, self.traffic, connect)
        addresses = [one.address for one in settings.instruments.values()]
        kept = state_folder is not None or not settings.backend.endswith(IN_PROCESS)
        folder = state_folder or Path.home() / ".spinhw" / "benches"
        self._lock = BenchLock(folder, addresses) if kept else None
        self._memory = BenchMemory(folder / f"{self.name}-{_key(addresses)}.json") if kept else None
        self._is_open = False
        self._kept: list[Any] = []
        self._connect = connect

    def __getitem__(self, name: str) -> Instrument[Any]:
        """Give an instrument by its name in the bench file."""
        found = self._instruments.get(name)
        if found is None:
            raise ConfigError(
                f"{self.source}: there is no instrument {name!r}",
                allowed=", ".join(self._instruments),
                todo=nearest(name, self._instruments),
            )
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._instruments)

    def get(self, name: str, role: type[InstrumentT]) -> InstrumentT:
        """Give an instrument by name, as the role that it must have, such as `WaveformSource`."""
        found = self[name]
        if not isinstance(found, role):
            raise ConfigError(f"{self.source}: instruments.{name}: a {role.role} is needed", seen=found.role)
        return found

    def raw(self, name: str) -> Raw:
        """Give a way to send messages of one's own to an instrument; see `Raw` for what that costs."""
        return Raw(self[name])

    def open(self) -> dict[str, str]:
        """Connect to all instruments and return who answers, by name. Changes nothing at any of them.

        What the last session left on is in `left`, and is logged.

        Raises:
            DeviceError: One does not answer or is another one, or another process has it. All are disconnected again.
        """
        if self._is_open:
            return self.identities()
        if self._lock is not None:
            self._lock.acquire(self.name)
        try:
            if self._connect is open_wire:
                self._kept = self._kept or keep_virtual([self.settings.backend])
            self._remember_the_past()
            self.connect()
        except BaseException:
            self._let_go()
            raise
        self._is_open = True
        watch(self, self.close)
        if self._memory is not None:
            self._memory.opened(self.left.unconfirmed)
        return self.identities()

    def connect(self) -> None:
        """Connect those instruments that are not, after `disconnect`; changes nothing at any of them."""
        try:
            for instrument in self._instruments.values():
                instrument.open()
        except BaseException:
            self.disconnect()
            raise

    def disconnect(self) -> None:
        """Disconnect and leave every output as it is; for recovery only."""
        for instrument in self._instruments.values():
            try:
                instrument.close()
            except Exception as error:  # the others must still be closed
                _log.error("%s: could not be closed: %s", instrument.name, error)

    def identities(self) -> dict[str, str]:
        """Give who answered, by name."""
        return {name: instrument.identity for name, instrument in self._instruments.items()}

    def survey(self) -> dict[str, Any]:
        """Read all settings of all instruments back, and give the snapshot."""
        for instrument in self._instruments.values():
            instrument.survey()
        return self.snapshot()

    def snapshot(self) -> dict[str, Any]:
        """Give identities and settings as last read back, without asking any instrument. Plain data for JSON."""
        return {
            name: {
                "identity": instrument.identity,
                "role": instrument.role,
                "driver": self.settings.instruments[name].driver,
                "address": self.settings.instruments[name].address,
                "settings": instrument.cached(),
            }
            for name, instrument in self._instruments.items()
        }

    def make_safe(self) -> list[str]:
        """Ramp down and switch off everything, last instrument first; return the outputs not confirmed off."""
        with uninterrupted():
            unconfirmed = []
            for instrument in reversed(self._instruments.values()):
                try:
                    unconfirmed += instrument.make_safe()
                except Exception as error:  # whatever it was, the next one must still be switched off
                    _log.error("%s: could not be made safe: %s", instrument.name, error)
                    unconfirmed += [f"{instrument.name}.{output}" for output in instrument.outputs()]
            return unconfirmed

    def close(self) -> None:
        """Make everything safe and disconnect. Does nothing where nothing is open.

        Raises:
            DeviceError: Names the outputs that could not be confirmed off.
        """
        if not self._is_open:
            return
        with uninterrupted():
            self.unconfirmed = tuple(self.make_safe())
            self.disconnect()
            self._is_open = False
            release(self)
            if self._memory is not None:
                self._memory.closed(self.unconfirmed)
            self._let_go()
        if self.unconfirmed:
            raise unconfirmed_error(self.name, self.unconfirmed)

    def bring_down(self) -> list[str]:
        """Switch everything off where nothing is open, whether or not every instrument answers.

        Returns:
            Outputs not confirmed off.
        """
        if self._lock is not None:
            self._lock.acquire(self.name)
        try:
            unconfirmed = []
            for name, instrument in reversed(self._instruments.items()):
                try:
                    instrument.open()
                    unconfirmed += instrument.make_safe()
                except Exception as error:  # whatever it was, the next one must still be switched off
                    _log.error("%s", error)
                    unconfirmed += [f"{name}.{output}" for output in instrument.outputs()]
            self.disconnect()
            if self._memory is not None:
                self._memory.closed(tuple(unconfirmed))
            return unconfirmed
        finally:
            self._let_go()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close_after(error, self.close)

    def _remember_the_past(self) -> None:
        if self._memory is not None:
            self.left = self._memory.read()
            if self.left:
                _log.warning("%s: %s", self.name, self.left.sentence())

    def _let_go(self) -> None:
        if self._lock is not None:
            self._lock.release()
        self.traffic.close()


def open_station(
    path: str | Path,
    overrides: tuple[str, ...] = (),
    *,
    traffic_file: Path | None = None,
    state_folder: Path | None = None,
) -> Station:
    """Read a bench file and make its station; connect with ``with``.

    Args:
        path: The bench file.
        overrides: Such as ("backend=@ivi",).
        traffic_file: Every message is appended to it as a JSON line.
        state_folder: Where locks and what was left on are kept; None for a folder in the user's home.
    """
    settings = load_station(Path(path), overrides)
    return Station(settings, str(path), traffic_file=traffic_file, state_folder=state_folder)


def switch_off(path: str | Path, overrides: tuple[str, ...] = (), *, state_folder: Path | None = None) -> list[str]:
    """Bring a bench down by itself: connect to each instrument that answers, ramp down, switch off, read back.

    Returns:
        Outputs not confirmed off, those of instruments that do not answer included.
    """
    return open_station(path, overrides, state_folder=state_folder).bring_down()


def _key(addresses: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(addresses)).upper().encode()).hexdigest()[:12]
