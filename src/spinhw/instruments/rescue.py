"""What a guard does when its session was killed: takes the bench, brings down what was named, and writes that down."""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from spinhw.errors import DeviceError
from spinhw.instruments.memory import BenchMemory, memory_file
from spinhw.instruments.references import split_reference
from spinhw.instruments.settings import StationSettings
from spinhw.instruments.shared import open_shared
from spinhw.instruments.station import Station
from spinhw.instruments.traffic import SENT, Buffer, Traffic
from spinhw.instruments.wires import clear_device
from spinhw.watchdog import clock_s

_log = logging.getLogger(__name__)

# Who opens a bench and meets a guard lets it go at once: whoever has it longer is at work there.
ASKS_FOR_S, ASKS_EVERY_S = 10.0, 0.1
# An output that could not be confirmed off is tried again, after pauses that double.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
_CLEARS_WITHIN_S = 2.0
# A log that is longer begins anew.
_LONGEST_LOG = 1 << 20


class TooLateError(BaseException):
    """Nothing may be sent any more."""


class TimedTraffic(Traffic):
    """A log of messages that refuses those that come too late.

    Args:
        until_s: When, on the clock of `clock_s`.
    """

    def __init__(self, until_s: float = float("inf")) -> None:
        super().__init__()
        self.until_s = until_s

    def note(self, instrument: str, direction: str, *parts: Buffer) -> None:
        if direction == SENT and clock_s() > self.until_s:
            raise TooLateError
        super().note(instrument, direction, *parts)


class Rescue:
    """The bench of a session that may be killed, as that session had it. Connects to nothing before `act`.

    Args:
        hello: What the session said of itself: `pid`, `session`, `settings`, `source`, `folder`.
    """

    def __init__(self, hello: Mapping[str, Any]) -> None:
        self._pid, self._session = hello["pid"], hello["session"]
        settings = StationSettings.model_validate(hello["settings"])
        folder = Path(hello["folder"])
        self._traffic = TimedTraffic()
        self._station = Station(settings, hello["source"], state_folder=folder, traffic=self._traffic)
        path = memory_file(folder, settings.id, self._station.addresses)
        self.memory = self._station.memory or BenchMemory(path)
        self._log_file = path.with_suffix(".log")

    def say(self, sentence: str) -> None:
        """Write a sentence into the log of the bench."""
        self._begin_log()
        _log.warning("%s: process %d: %s", self._station.name, self._pid, sentence)

    def act(self, outputs: Sequence[str], until_s: float) -> None:
        """Bring outputs down, and nothing else, or say why not.

        Args:
            outputs: Those that the session named, such as "supply.1".
            until_s: When to stop at the latest, on the clock of `clock_s`.
        """
        self._traffic.until_s = until_s
        self._begin_log()
        try:
            named = ", ".join(outputs) or "nothing"
            if clock_s() > until_s:
                self.say(f"it ended too long ago, and nothing was sent; it had on: {named}")
                return
            self.say(f"it ended without closing the bench; it had on: {named}")
            self._take_and_bring_down(outputs, min(until_s, clock_s() + ASKS_FOR_S))
        except Exception as error:  # there is nobody else to tell
            self.say(f"{type(error).__name__}: {error}")

    def _take_and_bring_down(self, outputs: Sequence[str], ask_until_s: float) -> None:
        while True:
            try:
                with self._station.held():
                    self._bring_down(outputs)
                return
            except DeviceError as error:
                # Where nothing could be written down, nobody knows whether it was there in between.
                if self._session is None or clock_s() > ask_until_s:
                    self.say(f"nothing was sent: {error}")
                    return
            time.sleep(ASKS_EVERY_S)

    def _bring_down(self, outputs: Sequence[str]) -> None:
        """Bring outputs down while the locks are held; raises no error for people."""
        if self._session is not None and self.memory.session() != self._session:
            self.say("nothing was sent: somebody else has used the bench since")
            return
        self.memory.go_on(outputs)
        left = list(outputs)
        try:
            self._clear()
            pause_s = FIRST_PAUSE_S
            while left := self._unconfirmed(left):
                self.say(f"not confirmed off: {', '.join(left)}")
                if clock_s() + pause_s > self._traffic.until_s:
                    break
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        except TooLateError:
            left = [one for one in outputs if one in self.memory.ours()]
        done = [one for one in outputs if one not in left]
        note = self._note(done, left)
        self.say(note)
        self.memory.closed(self.memory.ours(), note)

    def _clear(self) -> None:
        """Let the instruments forget what they were told in part: an upload may have been cut."""
        settings = self._station.settings
        for name, one in settings.instruments.items():
            try:
                clear_device(one.address, one.backend or settings.backend, _CLEARS_WITHIN_S)
            except Exception as error:  # it may do without
                _log.warning("%s: could not be cleared: %s", name, error)

    def _unconfirmed(self, outputs: Sequence[str]) -> list[str]:
        """Bring outputs down as far as their instruments answer; return those not confirmed off."""
        for name in self._station:  # All of them: crosspoints move only where every source reads off.
            try:
                self._station.connect_one(name)
            except Exception as error:  # the others must still be reached
                _log.error("%s", error)
                self._station[name].close()
        return self._station.custody.bring_down([split_reference(one) for one in outputs])

    def _note(self, done: Sequence[str], left: Sequence[str]) -> str:
        said = [f"process {self._pid} was killed"]
        said += [f"its guard switched off {', '.join(done)}"] if done else []
        said += [f"its guard could not switch off {', '.join(left)}"] if left else []
        return "; ".join(said) if done or left else f"{said[0]}; it had nothing on"

    def _begin_log(self) -> None:
        if any(isinstance(one, _LogFile) for one in logging.getLogger().handlers):
            return
        with suppress(OSError):
            file, writable = open_shared(self._log_file)
            if not writable:
                os.close(file)
                return
            if os.fstat(file).st_size > _LONGEST_LOG:
                os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_END)
            handler = _LogFile(os.fdopen(file, "a", encoding="utf-8"))
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            logging.getLogger().addHandler(handler)


class _LogFile(logging.StreamHandler):
    """Writes into the log of the bench."""
