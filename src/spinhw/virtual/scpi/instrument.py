"""An instrument that understands program messages: it keeps settings, an error queue and status registers."""

import logging
import re
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from spinhw.virtual.scpi.arguments import Arguments
from spinhw.virtual.scpi.commands import Call, Command, Handler, ask, both, do
from spinhw.virtual.scpi.errors import ScpiError, as_error
from spinhw.virtual.scpi.framing import MOST_UNITS, split_units
from spinhw.virtual.scpi.headers import Headers
from spinhw.virtual.scpi.status import OPERATION_COMPLETE, POWER_ON, Status

_log = logging.getLogger(__name__)

Reply = Callable[[bytes], None]

_HEADER = re.compile(rb"[^\s]+")
_LONGEST_HEADER = 255
MOST_ANSWER_BYTES = 1 << 28  # Of one message.
_MOST_KNOWN = 4096  # Spellings of headers that are remembered; a client that makes them up must not fill the memory.


@dataclass
class _Job:
    """A message that is being carried out: what is left of it, and what it has answered."""

    units: deque[bytes]
    answers: list[bytes]
    reply: Reply
    path: str = ""
    size: int = 0  # Of the answers, in bytes.

    def add(self, answer: bytes) -> None:
        """Add an answer."""
        self.answers.append(answer)
        self.size += len(answer)


@dataclass(frozen=True)
class _Known:
    """What a header was found to mean: handler, suffixes, the path that it leaves, whether it is a query."""

    handler: Handler
    suffixes: tuple[int, ...]
    path: str
    is_query: bool


class Instrument:
    """A SCPI instrument. Subclasses add commands and a front panel; everything here is IEEE 488.2 and SCPI-99.

    Args:
        name: Name on the bench, for messages and logs.
        serial: Serial number that it tells; None for that of its kind.
    """

    maker: ClassVar[str] = "SPINHW"
    model: ClassVar[str] = "VIRTUAL"
    firmware: ClassVar[str] = "1.0"
    serial_number: ClassVar[str] = "0001"
    number_format: ClassVar[str] = "{:.6E}"
    no_error: ClassVar[str] = '0,"No error"'
    commands: ClassVar[tuple[Command, ...]] = ()
    channels: ClassVar[int] = 1
    answers_in_full: bool = False  # Whether words are answered in their long form.

    def __init__(self, name: str, serial: str | None = None) -> None:
        self.name, self.serial = name, serial or self.serial_number
        self.observer: Callable[[], None] = lambda: None  # Is called after every command and query, refused or not.
        self.status = Status()
        self._headers, self._resets = dialect(type(self))  # type: ignore[arg-type]  # mypy takes a class for unhashable.
        self._known: dict[tuple[bytes, str], _Known] = {}
        self._values: dict[tuple[str, int], Any] = {}
        self._jobs: dict[Hashable, deque[_Job]] = {}  # Messages under way, by who sent them.
        self._is_at_work = self._is_due = False
        self.freed: Callable[[Hashable], None] = lambda owner: None  # Is told when nothing of somebody's waits.
        self.reset()

    # Settings

    @property
    def settings(self) -> dict[tuple[str, int], Any]:
        """Get what was set since power-on, by name and channel; `get` gives the others too."""
        return dict(self._values)

    def get(self, name: str, channel: int = 1) -> Any:
        """Read a setting of a channel.

        Raises:
            ScpiError: There is no such channel.
        """
        value = self._values.get((name, channel))
        if value is not None:
            return value
        self._check(channel)
        return self._resets[name]

    def store(self, name: str, channel: int, value: Any) -> None:
        """Change a setting of a channel, and do what follows from it.

        Raises:
            ScpiError: There is no such channel, or the value conflicts with others; nothing was changed then.
        """
        self._check(channel)
        self.before(name, channel, value)
        self._values[name, channel] = value
        self.after(name, channel)

    def before(self, name: str, channel: int, value: Any) -> None:
        """Refuse a change by raising `ScpiError`."""

    def after(self, name: str, channel: int) -> None:
        """Do what follows from a change."""

    def reset(self) -> None:
        """Bring all settings to their values after power-on (*RST)."""
        self._values.clear()

    def reboot(self) -> None:
        """Do what a power cut does: settings, queue and half-done messages are lost."""
        self._jobs.clear()
        self.status = Status()
        self.status.event = POWER_ON
        self.reset()

    def _check(self, channel: int) -> None:
        if not 1 <= channel <= self.channels:
            raise ScpiError(-114)

    # Messages

    @property
    def busy(self) -> bool:
        """Whether something goes on that *OPC? and *WAI wait for."""
        return False

    @property
    def waiting(self) -> bool:
        """Whether a message waits for the end of an operation."""
        return bool(self._jobs)

    def waits_for(self, owner: Hashable) -> bool:
        """Say whether a message of somebody waits for the end of an operation."""
        return owner in self._jobs

    def execute(self, message: bytes, reply: Reply, owner: Hashable = None) -> None:
        """Carry out a program message without its end. Nothing that a handler raises gets out.

        Args:
            message: One or more commands and queries, separated by semicolons.
            reply: Is called with the response message, its line feed included; at once, or when an operation ends.
            owner: Who sent it: messages of one owner wait for each other, and for nobody else's.
        """
        units = split_units(message)
        if len(units) > MOST_UNITS:
            self.status.report(ScpiError(-223))
            return
        self._jobs.setdefault(owner, deque()).append(_Job(deque(units), [], reply))
        self.proceed()

    def clear_input(self, owner: Hashable = None) -> None:
        """Forget messages of somebody that wait and answers that are half done (device clear)."""
        self._jobs.pop(owner, None)

    def proceed(self) -> None:
        """Carry on with the messages that waited; call it when an operation ends."""
        self._is_due = True
        if self._is_at_work:  # A handler has called, or whoever was answered: first its own message is carried out.
            return
        self._is_at_work = True
        try:
            while self._is_due:
                self._is_due = False
                for owner in list(self._jobs):
                    self._carry_on(owner)
        finally:
            self._is_at_work = False

    def _carry_on(self, owner: Hashable) -> None:
        """Carry out messages of one owner as far as possible."""
        jobs = self._jobs.get(owner)
        while jobs and self._jobs.get(owner) is jobs:  # A reboot in the middle forgets them all.
            job = jobs[0]
            if not self._run(job):
                return
            if job.answers:
                job.reply(b";".join(job.answers) + b"\n")
            # Only now: whoever waits for the answer must not see that there is nothing to wait for before it is there.
            if jobs and jobs[0] is job:
                jobs.popleft()
            if not jobs and self._jobs.get(owner) is jobs:
                del self._jobs[owner]
                self.freed(owner)

    def refuse(self, error: Exception, message: bytes) -> None:
        """Put into the error queue what left a handler; what it did not mean to raise is logged."""
        if not isinstance(error, ScpiError):
            _log.debug("%s: %r broke its handler", self.name, message[:80], exc_info=error)
        self.status.report(as_error(error))

    def _run(self, job: _Job) -> bool:
        """Carry out a message as far as possible; False if it has to wait."""
        while job.units:
            unit = job.units[0].lstrip()
            if self.busy and unit[:5].upper() in {b"*OPC?", b"*WAI"}:
                return False
            job.units.popleft()
            if not unit or unit.isspace():
                continue
            try:
                answer = self._unit(unit, job)
            except Exception as error:
                # What follows is carried out: `...;:SYST:ERR?` must answer. Makers differ in this.
                self.refuse(error, unit)
                continue
            finally:
                self.observer()
            if answer is not None:
                job.add(answer)
                if job.size > MOST_ANSWER_BYTES and len(job.answers) > 1:
                    job.answers.clear()
                    self.status.report(ScpiError(-430))
                    return True
        return True

    def _unit(self, unit: bytes, job: _Job) -> bytes | None:
        """Carry out one command or query; give the answer of a query."""
        match = _HEADER.match(unit)
        written = unit if match is None else match[0]
        known = self._known.get((written, job.path))
        if known is None:
            if len(written) > _LONGEST_HEADER:
                raise ScpiError(-112)
            known = self._resolve(written, job.path)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[written, job.path] = known
        job.path = known.path
        self._job = job
        raw = memoryview(unit)[len(written) :] if b"#" in unit else unit[len(written) :].strip()
        result = known.handler(self, Call(known.suffixes, Arguments(raw), self.channels))
        return self.format(result) if known.is_query else None

    def _resolve(self, written: bytes, path: str) -> "_Known":
        """Find what a header means after others of the same message (SCPI-99, volume 1, 6.2.4)."""
        text = written.decode("latin-1")
        header = text.removesuffix("?")
        if header.startswith(("*", ":*")):
            full = header.lstrip(":")  # Common commands leave the path as it is.
        else:
            full = header[1:] if header.startswith(":") else path + header
            path = full[: full.rfind(":") + 1]
        command, suffixes = self._headers.find(full)
        handler = command.ask if text.endswith("?") else command.write
        if handler is None:
            raise ScpiError(-113)
        return _Known(handler, suffixes, path, text.endswith("?"))

    def format(self, value: Any) -> bytes:
        """Write an answer."""
        if isinstance(value, bytes):
            return value
        if isinstance(value, float):
            return self.number_format.format(value).encode()
        return str(value).encode("latin-1")

    # What all instruments share

    @property
    def identity(self) -> str:
        """Give the answer to *IDN?."""
        return f"{self.maker},{self.model},{self.serial},{self.firmware}"

    def next_error(self) -> str:
        """Take the oldest error out of the queue."""
        code, text = self.status.errors.pop()
        return f'{code},"{text}"' if code else self.no_error

    def self_test(self) -> str:
        """Answer *TST?."""
        return "0"

    def trigger(self) -> None:
        """Do what *TRG and a device trigger do."""

    def _complete(self) -> None:
        # An operation that goes on would set the bit when it ends; here they end before anybody can look.
        self.status.event |= OPERATION_COMPLETE

    def _set_masks(self, name: str, call: Call) -> None:
        setattr(self.status, name, call.args.integer(0, 0, 255))


COMMON = (
    ask("*IDN", lambda self, call: self.identity),
    do("*RST", lambda self, call: self.reset()),
    do("*CLS", lambda self, call: self.status.clear()),
    both("*OPC", lambda self, call: self._complete(), lambda self, call: "1"),
    do("*WAI", lambda self, call: None),
    ask("*ESR", lambda self, call: self.status.take_event()),
    both("*ESE", lambda self, call: self._set_masks("event_enable", call), lambda self, call: self.status.event_enable),
    both(
        "*SRE",
        lambda self, call: self._set_masks("service_enable", call),
        lambda self, call: self.status.service_enable,
    ),
    ask("*STB", lambda self, call: self.status.byte(bool(self._job.answers))),
    ask("*TST", lambda self, call: self.self_test()),
    do("*TRG", lambda self, call: self.trigger()),
    ask("*OPT", lambda self, call: "0"),
    ask("SYSTem:ERRor[:NEXT]", lambda self, call: self.next_error()),
    ask("SYSTem:ERRor:COUNt", lambda self, call: len(self.status.errors)),
    ask("SYSTem:VERSion", lambda self, call: "1999.0"),
)


@cache
def dialect(kind: type[Instrument]) -> tuple[Headers[Command], dict[str, Any]]:
    """Make the headers of a kind of instrument and the reset values of its settings; its own commands come first."""
    headers: Headers[Command] = Headers()
    resets: dict[str, Any] = {}
    for command in (*kind.commands, *COMMON):
        headers.add(command.header, command)
        if command.name:
            resets.setdefault(command.name, command.reset)
    return headers, resets
