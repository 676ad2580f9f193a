"""An instrument that understands program messages: it keeps settings, an error queue and status registers."""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from spinhw.virtual.scpi.arguments import Arguments
from spinhw.virtual.scpi.commands import Call, Command, Handler, ask, both, do
from spinhw.virtual.scpi.errors import ScpiError
from spinhw.virtual.scpi.framing import split_units
from spinhw.virtual.scpi.headers import Headers
from spinhw.virtual.scpi.status import OPERATION_COMPLETE, POWER_ON, Status

Reply = Callable[[bytes], None]

_HEADER = re.compile(rb"[^\s]+")
_MOST_KNOWN = 4096  # Spellings of headers that are remembered; a client that makes them up must not fill the memory.


@dataclass
class _Job:
    """A message that is being carried out: what is left of it, and what it has answered."""

    units: deque[bytes]
    answers: list[bytes]
    reply: Reply
    path: str = ""


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
        self._jobs: deque[_Job] = deque()
        self.reset()

    # Settings

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

    def execute(self, message: bytes, reply: Reply) -> None:
        """Carry out a program message without its end.

        Args:
            message: One or more commands and queries, separated by semicolons.
            reply: Is called with the response message, its line feed included; at once, or when an operation ends.
        """
        self._jobs.append(_Job(deque(split_units(message)), [], reply))
        if len(self._jobs) == 1:
            self.proceed()

    def clear_input(self) -> None:
        """Forget messages that wait and answers that are half done (device clear)."""
        self._jobs.clear()

    def proceed(self) -> None:
        """Carry on with the messages that waited; call it when an operation ends."""
        while self._jobs:
            job = self._jobs[0]
            if not self._run(job):
                return
            if job.answers:
                job.reply(b";".join(job.answers) + b"\n")
            # Only now: whoever waits for the answer must not see that there is nothing to wait for before it is there.
            if self._jobs and self._jobs[0] is job:  # A reboot in the middle empties the list.
                self._jobs.popleft()

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
            except ScpiError as error:
                # What follows is carried out: `...;:SYST:ERR?` must answer. Makers differ in this.
                self.status.report(error)
                continue
            finally:
                self.observer()
            if answer is not None:
                job.answers.append(answer)
        return True

    def _unit(self, unit: bytes, job: _Job) -> bytes | None:
        """Carry out one command or query; give the answer of a query."""
        match = _HEADER.match(unit)
        written = unit if match is None else match[0]
        known = self._known.get((written, job.path))
        if known is None:
            known = self._resolve(written, job.path)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[written, job.path] = known
        job.path = known.path
        self._job = job
        raw = memoryview(unit)[len(written) :] if b"#" in unit else unit[len(written) :].strip()
        result = known.handler(self, Call(known.suffixes, Arguments(raw)))
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
