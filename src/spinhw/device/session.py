"""The life of anything with outputs: open, check who answers, recover from faults, leave it safe."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from spinhw.conversion import Conversion
from spinhw.device.batch import Keeper
from spinhw.device.description import Description
from spinhw.errors import DeviceError
from spinhw.safety import close_after, close_at_exit, release, unconfirmed_error, uninterrupted

_log = logging.getLogger(__name__)

# How often a whole batch is repeated after a fault before the session stops safe.
MOST_REPEATS = 3

# Key of a state under which the number of recorded batches stands.
_RECORDED = "recorded"

Result = TypeVar("Result")


class Session(ABC):
    """Base of devices and banks. Backends fill the hooks; a hook reports trouble as `DeviceError` and repeats nothing.

    Args:
        description: What the device or bank is; its name is used in messages.
        conversion: Between model units and SI.
    """

    def __init__(self, description: Description, conversion: Conversion) -> None:
        self.name = description.name
        self._description, self._conversion = description, conversion
        self.unconfirmed: tuple[str, ...] = ()  # Outputs that the last close could not confirm off.
        self.faults = 0  # Faults since the session was made, recovered or not.
        self._is_open, self._identity = False, ""
        self._keeper: Keeper | None = None  # Records what is measured.

    @abstractmethod
    def _open(self) -> str:
        """Connect without changing any output, and return the identity that answered."""

    @abstractmethod
    def _make_safe(self) -> list[str]:
        """Bring every output to its safe state, read it back, and return the names of those not confirmed safe."""

    @abstractmethod
    def _close(self) -> None:
        """Disconnect; allowed on a connection that is broken or was never made."""

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """Return what a replay of the same shots needs, as plain data for JSON; empty for a physical device."""

    @abstractmethod
    def _restore(self, state: dict[str, Any]) -> None:
        """Go back to a state that `_state` gave."""

    def _snapshot(self) -> dict[str, Any]:
        """Return identities and settings as last read back, as plain data for JSON; empty for a simulated device."""
        return {}

    def _found(self) -> dict[str, Any]:
        """Read what is found before anything is set, as plain data for JSON; empty for a simulated device."""
        return {}

    def look_over(self) -> dict[str, Any]:
        """Read how everything was found, before anything is set; plain data, empty for a simulated device.

        Raises:
            OccupiedError: Something is on that is not ours, or wired otherwise than stated; nothing was changed.
        """
        self._require_open()
        return self._found()

    def describe(self) -> Description:
        """Tell sample periods, limits, observables, members and capabilities. Works where nothing is open."""
        return self._description

    @property
    def conversion(self) -> Conversion:
        """Get the conversion between model units and SI."""
        return self._conversion

    def open(self) -> None:
        """Connect and remember who answers. Changes no output.

        Raises:
            DeviceError: Nothing answers; it is closed again.
        """
        if self._is_open:
            return
        close_at_exit(self, self.close)
        self._is_open = True
        try:
            self._identity = self._open()
        except BaseException:
            self._leave_safe()
            raise

    def close(self) -> None:
        """Make every output safe and disconnect. Does nothing where nothing is open.

        Raises:
            DeviceError: Names the outputs that could not be confirmed off.
        """
        if not self._is_open:
            return
        self._leave_safe()
        if self.unconfirmed:
            raise unconfirmed_error(self.name, self.unconfirmed)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close_after(error, self.close)

    def state(self) -> dict[str, Any]:
        """Return shots, drift and the place in a recording as plain data for JSON.

        Empty for a device that can neither replay its noise nor is recorded.
        """
        return self._state() | ({} if self._keeper is None else {_RECORDED: self._keeper.count})

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state that `state` gave; a recording goes on there."""
        if self._keeper is not None:
            self._keeper.rewind(state.get(_RECORDED, 0))
        self._restore({name: value for name, value in state.items() if name != _RECORDED})

    def snapshot(self) -> dict[str, Any]:
        """Return identities and settings of all instruments as last read back, without asking any; plain data."""
        return self._snapshot()

    def _attempt(self, work: Callable[[], Result], prepare: Callable[[], None] | None = None) -> tuple[Result, int]:
        """Do a whole piece of work; after a fault recover and repeat all of it, at most `MOST_REPEATS` times.

        Args:
            work: Sends and measures a whole batch.
            prepare: Brings settings back after reopening: reads back, reprograms.

        Returns:
            Its result and how often it was repeated.

        Raises:
            DeviceError: The session is closed safe by then. What no repeat can mend is not repeated.
        """
        self._require_open()
        for repeats in range(MOST_REPEATS + 1):
            try:
                if repeats:
                    self._reopen(prepare)
                return work(), repeats
            except DeviceError as fault:
                self.faults += 1
                last = fault
                _log.warning("%s: fault %d of at most %d: %s", self.name, repeats + 1, MOST_REPEATS + 1, fault)
                if not fault.may_pass:
                    self._leave_safe()
                    raise
        self._leave_safe()
        raise self._gave_up(last) from last

    def _reopen(self, prepare: Callable[[], None] | None) -> None:
        self._close()
        identity = self._open()
        if identity != self._identity:
            raise DeviceError(
                f"{self.name}: another device answers after reopening", seen=identity, allowed=self._identity
            )
        if prepare is not None:
            prepare()

    def _require_open(self) -> None:
        if not self._is_open:
            raise DeviceError(f"{self.name} is not open", todo="use it inside 'with open_device(...) as device:'")

    def _leave_safe(self) -> None:
        with uninterrupted():
            try:
                self.unconfirmed = tuple(self._make_safe())
            except Exception as error:  # whatever it was, nothing is confirmed then
                _log.error("%s: could not be made safe: %s", self.name, error)
                self.unconfirmed = (f"every output of {self.name}",)
            try:
                self._close()
            except Exception as error:  # the outputs are what matters, and they are known by now
                _log.error("%s: could not be closed: %s", self.name, error)
            self._is_open = False
            release(self)

    def _gave_up(self, last: DeviceError) -> DeviceError:
        safe = f"; NOT confirmed off: {', '.join(self.unconfirmed)}" if self.unconfirmed else "; all outputs are off"
        return DeviceError(
            f"{self.name}: gave up after {MOST_REPEATS} repeats{safe}", seen=last, todo="look at the bench, then resume"
        )
