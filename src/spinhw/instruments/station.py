"""A bench of instruments: opened together, left as it was found."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from spinhw.errors import ConfigError, nearest
from spinhw.instruments.build import Connect, build_instruments, unknown_settings
from spinhw.instruments.custody import Custody
from spinhw.instruments.guard import Guard, take_after_guard
from spinhw.instruments.lock import BenchLock, NoLockError
from spinhw.instruments.memory import BenchMemory, Left, memory_file
from spinhw.instruments.outputs import BroughtDown, Choose, OutputState, nothing_else
from spinhw.instruments.raw import Raw
from spinhw.instruments.roles import Instrument
from spinhw.instruments.settings import StationSettings, load_station
from spinhw.instruments.traffic import Traffic
from spinhw.instruments.wires import IN_PROCESS, keep_virtual, open_wire
from spinhw.safety import close_after, close_at_exit, release, unconfirmed_error, uninterrupted

_log = logging.getLogger(__name__)

InstrumentT = TypeVar("InstrumentT", bound=Instrument[Any])


class Station:
    """All instruments of a bench. Connecting changes nothing; leaving brings down what was switched on here, no more.

    Args:
        settings: The bench file.
        source: Its path, for messages and for profiles beside it.
        traffic_file: Every message is appended to it as a JSON line; None for the last ones in memory only.
        traffic: What every message goes through, in place of a file.
        state_folder: Where locks and what was left on are kept; None for a folder that all users share.
        connect: Opens a wire; replaced in tests.
        wait: Waits so many seconds; replaced in tests.
    """

    def __init__(
        self,
        settings: StationSettings,
        source: str,
        *,
        traffic_file: Path | None = None,
        traffic: Traffic | None = None,
        state_folder: Path | None = None,
        connect: Connect = open_wire,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name, self.settings, self.source = settings.id, settings, source
        self.unconfirmed: tuple[str, ...] = ()  # Outputs that the last close could not confirm off.
        self.left = Left()  # What the session before this one left on.
        self.traffic = traffic or Traffic(traffic_file)
        self._instruments = build_instruments(settings, source, self.traffic, connect, wait)
        self.addresses = [one.address for one in settings.instruments.values()]
        kept = state_folder is not None or not settings.backend.endswith(IN_PROCESS)
        self._lock = BenchLock(state_folder, self.addresses) if kept else None
        self.memory = BenchMemory(memory_file(state_folder, self.name, self.addresses)) if kept else None
        self.custody = Custody(self.name, self.memory)
        for instrument in self._instruments.values():
            instrument.custody = self.custody
            self.custody.join(instrument)
        self._is_open = False
        self._kept: list[Any] = []
        self._connect, self._state_folder = connect, state_folder
        self._guard: Guard | None = None

    def __getitem__(self, name: str) -> Instrument[Any]:
        """Return an instrument by its name in the bench file."""
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
        """Return an instrument by name, as the role that it must have, such as `WaveformSource`."""
        found = self[name]
        if not isinstance(found, role):
            raise ConfigError(f"{self.source}: instruments.{name}: a {role.role} is needed", seen=found.role)
        return found

    def raw(self, name: str) -> Raw:
        """Return a way to send messages of one's own to an instrument; see `Raw` for what that costs."""
        return Raw(self[name])

    def open(self) -> dict[str, str]:
        """Connect to all instruments and return who answers, by name. Changes nothing at any of them.

        What the last session left on is in `left`, and is logged. So is what the profiles cannot make known, and that
        nobody watches over this session where the bench file says so. A guard at work is waited for.

        Raises:
            DeviceError: One does not answer or is another one, or another process has it. All are disconnected again.
        """
        if self._is_open:
            return self.identities()
        if self._lock is not None:
            take_after_guard(self._lock, self.name)
        try:
            self._connect_all()
        except BaseException:
            self._let_go()
            raise
        self._is_open = True
        close_at_exit(self, self.close)
        if self.memory is not None:
            self.memory.opened(self.left.unconfirmed)
        self.custody.guard = self._guard = self._new_guard()
        for sentence in unknown_settings(self.settings, self.source):
            _log.warning("%s", sentence)
        return self.identities()

    def connect(self) -> None:
        """Connect those instruments that are not, after `disconnect`; changes nothing at any of them."""
        try:
            for name in self._instruments:
                self.connect_one(name)
        except BaseException:
            self.disconnect()
            raise

    def connect_one(self, name: str) -> None:
        """Connect an instrument and keep other processes off the box that answered; changes nothing at it.

        Raises:
            DeviceError: It does not answer or is another one, or another process has it.
        """
        identity = self._instruments[name].open()
        if self._lock is not None:
            self._lock.acquire_identity(name, identity)

    def disconnect(self) -> None:
        """Disconnect and leave every output as it is; for recovery only."""
        for instrument in self._instruments.values():
            try:
                instrument.close()
            except Exception as error:  # the others must still be closed
                _log.error("%s: could not be closed: %s", instrument.name, error)

    def identities(self) -> dict[str, str]:
        """Return who answered, by name."""
        return {name: instrument.identity for name, instrument in self._instruments.items()}

    def look_over(self) -> dict[str, Any]:
        """Read every output and every setting of the known state before anything is set, and give what was found.

        What was ours on a connection that is gone is brought down, to be switched on again by whoever needs it.

        Raises:
            OccupiedError: Something is on that is not ours, or wired otherwise than stated; nothing was changed.
        """
        self.custody.look_over()
        self.custody.forgive_lost()
        return self.snapshot()

    def survey(self) -> dict[str, Any]:
        """Read all settings of all instruments back, and give the snapshot."""
        for instrument in self._instruments.values():
            instrument.survey()
        return self.snapshot()

    def snapshot(self) -> dict[str, Any]:
        """Return identities, what was found, and settings as last read back, without asking. Plain data for JSON."""
        return {
            name: {
                "identity": instrument.identity,
                "role": instrument.role,
                "driver": self.settings.instruments[name].driver,
                "address": self.settings.instruments[name].address,
                "found": instrument.found,
                "settings": instrument.cached(),
            }
            for name, instrument in self._instruments.items()
        }

    def outputs(self) -> list[OutputState]:
        """Read what every output of every instrument does; changes nothing, and goes on where one does not answer."""
        return [
            self._output_state(name, one, output)
            for name, one in self._instruments.items()
            for output in one.all_outputs()
        ]

    def make_safe(self) -> list[str]:
        """Bring down what this session switched on, and return the outputs not confirmed off."""
        with uninterrupted():
            return self.custody.bring_down(self.custody.ours())

    def close(self) -> None:
        """Bring down what this session switched on and disconnect. Does nothing where nothing is open.

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
            if self.memory is not None:
                left = self.custody.left
                self.memory.closed(tuple(dict.fromkeys((*self.unconfirmed, *left.unconfirmed, *left.ours))))
            if self._guard is not None:
                self._guard.over()
                self.custody.guard = self._guard = None
            self._let_go()
        if self.unconfirmed:
            raise unconfirmed_error(self.name, self.unconfirmed)

    def bring_down(self, choose: Choose, show: Callable[[list[OutputState]], None] | None = None) -> BroughtDown:
        """Bring a bench down where nothing is open, whether or not every instrument answers.

        What a session of spinhw is known to have switched on goes down at once; of the rest that is on, what is chosen.
        Where no lock can be kept, that is logged, and outputs are brought down all the same.

        Args:
            choose: Is shown what is on and not ours, and gives the names of what shall come down too.
            show: Is shown first what every output does.

        Raises:
            DeviceError: Another process has the bench.
        """
        with self.held(or_without=True):
            return self._bring_down(choose, show)

    @contextmanager
    def held(self, or_without: bool = False) -> Iterator[None]:
        """Keep other processes off the bench for a block that does not open it.

        Args:
            or_without: Whether to go on, with a warning, where no lock can be kept.

        Raises:
            DeviceError: Another process has the bench.
        """
        try:
            if self._lock is not None:
                take_after_guard(self._lock, self.name)
        except NoLockError as error:
            if not or_without:
                raise
            _log.warning("%s; going on without a lock: nobody else may use the bench now", error)
        try:
            self._read_memory()
            if self.left.guarded:
                _log.warning("%s: %s", self.name, self.left.guarded)
            yield
        finally:
            self._let_go()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close_after(error, self.close)

    def _bring_down(self, choose: Choose, show: Callable[[list[OutputState]], None] | None) -> BroughtDown:
        for instrument in self._instruments.values():
            try:
                instrument.open()
            except Exception as error:  # the others must still be reached
                _log.error("%s", error)
        states = self.outputs()
        if show is not None:
            show(states)
        taken = [one for one in states if one.ours and not one.by_hand]
        unconfirmed = self._down(taken)
        others = [one for one in states if one not in taken and not one.by_hand and one.on is not False]
        names = set(choose(others)) if others else set()
        chosen = [one for one in others if one.name in names]
        unconfirmed += self._down(chosen)
        left = [one for one in others if one not in chosen]
        unconfirmed += [one.name for one in left if one.on is None]
        self.disconnect()
        if self.memory is not None:
            self.memory.closed(tuple(name for name in unconfirmed if self.left.knows(name)))
        return BroughtDown(tuple(unconfirmed), tuple(one for one in left if one.on))

    def _down(self, states: list[OutputState]) -> list[str]:
        with uninterrupted():
            return self.custody.bring_down([_split(one.name) for one in states])

    def _connect_all(self) -> None:
        if self._connect is open_wire:
            self._kept = self._kept or keep_virtual([self.settings.backend])
        self._read_memory()
        if self.left:
            _log.warning("%s: %s", self.name, self.left.sentence())
        self.connect()

    def _new_guard(self) -> Guard | None:
        """Make the guard of a session, unless nobody else can reach the bench; it is started when it is needed."""
        backends = [one.backend or self.settings.backend for one in self.settings.instruments.values()]
        if self._connect is not open_wire or all(one.endswith(IN_PROCESS) for one in backends):
            return None
        if not self.settings.guard:
            _log.warning(
                "%s: 'guard: false' in the bench file: what is on stays on if this process is killed", self.name
            )
            return None
        session = None if self.memory is None else self.memory.session()
        return Guard(self.settings, self.source, self._state_folder, session)

    def _read_memory(self) -> None:
        if self.memory is not None:
            self.left = self.custody.left = self.memory.read()

    def _output_state(self, name: str, instrument: Instrument[Any], output: str) -> OutputState:
        full = f"{name}.{output}"
        ours, by_hand = self.left.knows(full), output in instrument.by_hand
        try:
            on = instrument.reads_on(output)
            return OutputState(full, on, instrument.describe_output(output) if on else "", ours and on, by_hand)
        except Exception as error:  # the others must still be read
            return OutputState(full, None, str(error), ours, by_hand)

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
        state_folder: Where locks and what was left on are kept; None for a folder that all users share.
    """
    settings = load_station(Path(path), overrides)
    return Station(settings, str(path), traffic_file=traffic_file, state_folder=state_folder)


def switch_off(
    path: str | Path,
    overrides: tuple[str, ...] = (),
    *,
    state_folder: Path | None = None,
    choose: Choose = nothing_else,
    show: Callable[[list[OutputState]], None] | None = None,
) -> BroughtDown:
    """Bring a bench down by itself: connect to each instrument that answers, ramp down, switch off, read back.

    Args:
        path: The bench file.
        overrides: Such as ("backend=@ivi",).
        state_folder: Where locks and what was left on are kept; None for a folder that all users share.
        choose: What else shall come down than what spinhw is known to have switched on; nothing by default.
        show: Is shown first what every output does.
    """
    return open_station(path, overrides, state_folder=state_folder).bring_down(choose, show)


def _split(name: str) -> tuple[str, str]:
    instrument, _, output = name.partition(".")
    return instrument, output
