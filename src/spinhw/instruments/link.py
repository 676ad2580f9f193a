"""One instrument on the line: whole exchanges under one lock, one family of errors, no late replies."""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from spinhw.instruments import blocks
from spinhw.instruments.failures import (
    LATE,
    IdentityError,
    LinkError,
    RefusedError,
    complaint,
    error_number,
    refused,
    short,
)
from spinhw.instruments.traffic import EVENT, RECEIVED, SENT, Buffer, Traffic
from spinhw.instruments.wires import Wire

if TYPE_CHECKING:
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

# Entries taken out of an error queue before it counts as broken.
_MOST_ERRORS = 32


class Link:
    """The only way to one instrument.

    A failure of any kind leaves the link dirty: before the next word it is closed, opened and asked who is there, so
    that a reply that comes late can never be taken for the reply to another question. Questions that change nothing
    may be asked again; settings, triggers and measurements never are. After a question without an answer the error
    queue is read: an error belongs to the message that made it.

    Args:
        name: Of the instrument in its station, for messages.
        connect: Opens a wire.
        identity: Pattern that the reply to the identity question must match somewhere.
        ask_identity: The identity question.
        ask_error: The question that takes one entry out of the error queue; empty for instruments without one.
        joined: Whether a setting and `ask_error` may stand in one message, ``...;:SYST:ERR?``.
        timeout_s: How long one reply may take, in seconds, unless the exchange says otherwise.
        retries: How often a question that changes nothing is asked again, 0 or more.
        traffic: Log.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Wire],
        *,
        identity: str = "",
        ask_identity: str = "*IDN?",
        ask_error: str = ":SYST:ERR?",
        joined: bool = True,
        timeout_s: float = 2.0,
        retries: int = 1,
        traffic: Traffic | None = None,
    ) -> None:
        self.name, self.traffic, self.timeout_s = name, traffic or Traffic(), timeout_s
        self.identity, self.generation = "", 0  # Who answers; how often the link was opened.
        self._connect, self._pattern, self._ask_identity = connect, re.compile(identity), ask_identity
        self._ask_error, self._joined, self._retries = ask_error, joined, retries
        self._tail = f";{ask_error if ask_error[:1] in ':*' else ':' + ask_error}\n".encode("ascii")
        self._lock = threading.RLock()
        self._wire: Wire | None = None
        self._wanted = self._dirty = False
        self._pinned: int | None = None  # The opening for which settings were allowed; None: any.
        self._emptied = 0  # The opening after which the error queue was last emptied.

    def open(self) -> str:
        """Connect, ask who is there, and return it. Changes nothing at the instrument.

        Raises:
            LinkError: Nobody answers.
            IdentityError: Somebody else answers.
        """
        with self._lock:
            self._wanted = True
            try:
                self._ready()
            except BaseException:
                self.close()
                raise
            return self.identity

    def close(self) -> None:
        """Disconnect; allowed on a link that is broken or was never open."""
        with self._lock:
            self._wanted = self._dirty = False
            self._hang_up()

    def pin(self) -> None:
        """Refuse settings from now on once the link was opened again, until this is called again.

        Whoever was disconnected may have been switched off and on: what was set before is not known to stand. What
        is in the error queue from before is read and logged, once for each opening.
        """
        with self._lock:
            self._ready()
            self._pinned = self.generation
            if self._ask_error and self._emptied != self.generation:
                self._emptied = self.generation
                for error in self._take_errors():
                    _log.warning("%s: was in the error queue before anything was set here: %s", self.name, error)

    @property
    def wire(self) -> Wire | None:
        """Get the wire in use, for looking; None where nothing is connected. After a failure there is another one."""
        return self._wire

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other threads out for several exchanges that belong together."""
        with self._lock:
            yield

    def write(self, message: str) -> None:
        """Send a message without a reply, and do not look whether the instrument liked it."""
        with self._lock:
            self._may_set(message)
            self._exchange(message, lambda wire: self._send(wire, _line(message)))

    def query(self, message: str, *, timeout_s: float | None = None) -> str:
        """Ask a question that changes nothing; after a failure it is asked again, a bounded number of times."""
        with self._lock:
            for _ in range(self._retries):
                try:
                    return self.ask_once(message, timeout_s=timeout_s)
                except (IdentityError, RefusedError):
                    raise
                except LinkError as error:
                    _log.warning("%s: asking %r again after: %s", self.name, message, error)
            return self.ask_once(message, timeout_s=timeout_s)

    def ask_once(self, message: str, *, timeout_s: float | None = None) -> str:
        """Send a message that may change something (``:READ?``, ``*OPC?``) and return its reply. Never repeated.

        Raises:
            RefusedError: No reply came, and the instrument's error queue says why.
            LinkError: The connection failed.
        """

        def talk(wire: Wire) -> str:
            self._send(wire, _line(message))
            return self._line(wire)

        with self._lock:
            try:
                return self._exchange(message, talk, timeout_s)
            except LinkError as error:
                self._explain(message, error, timeout_s)
                raise

    def set_and_check(self, message: str, *, timeout_s: float | None = None) -> None:
        """Send a setting and look into the error queue, in one round trip where the instrument allows it.

        Raises:
            RefusedError: The instrument put an error into its queue.
            LinkError: The connection failed; whether the setting arrived is not known.
        """
        with self._lock:
            self._may_set(message)
            if not self._ask_error:
                self.write(message)
                return
            if not self._joined:
                self.write(message)
                self.check(message)
                return

            def talk(wire: Wire) -> str:
                self._send(wire, message.encode("ascii") + self._tail)
                return self._line(wire)

            self._judge(message, self._exchange(message, talk, timeout_s))

    def check(self, about: str = "earlier messages") -> None:
        """Look into the error queue.

        Raises:
            RefusedError: There are errors in it; it is empty now.
        """
        if self._ask_error:
            with self._lock:
                self._judge(about, self.ask_once(self._ask_error))

    def write_block(self, prefix: str, values: "NDArray[Any]", dtype: str, *, timeout_s: float | None = None) -> None:
        """Send a message that ends with a block; look into the error queue afterwards with `check`.

        The prefix has its comma or blank; the type is that on the line, such as "<f4" or ">i2".
        """
        import numpy as np

        data = np.ascontiguousarray(values, dtype=dtype).reshape(-1).view(np.uint8).data
        self.write_bytes(prefix, data, timeout_s=timeout_s)

    def write_bytes(self, prefix: str, data: Buffer, *, timeout_s: float | None = None) -> None:
        """Send a message that ends with a block of bytes."""
        head = prefix.encode("ascii") + blocks.header(len(data))
        with self._lock:
            self._may_set(prefix)
            self._exchange(prefix, lambda wire: self._send(wire, head, data, b"\n"), timeout_s)

    def query_block(
        self,
        message: str,
        dtype: str,
        *,
        count: int | None = None,
        most: int | None = None,
        timeout_s: float | None = None,
    ) -> "NDArray[Any]":
        """Ask for a block and return its numbers. Never repeated: the data may be gone after the first reply.

        `count` is how many there must be; it is needed where the block does not say its length (``#0``). `most` is how
        many there may be. A block that announces something else is refused before any of it is read.

        Raises:
            LinkError: It is no block, or not that long, or there is a float in it that is no finite number.
        """
        import numpy as np

        size = np.dtype(dtype).itemsize
        data = self.query_bytes(
            message,
            expected=None if count is None else count * size,
            most=blocks.MOST_BYTES if most is None else min(most * size, blocks.MOST_BYTES),
            timeout_s=timeout_s,
        )
        if len(data) % size:
            raise self._error(f"sent {len(data)} bytes, no whole number of values", message)
        values = np.frombuffer(data, dtype)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise self._error(f"sent values that are no numbers, the first at {_first_odd(values)}", message)
        return values

    def query_bytes(
        self,
        message: str,
        *,
        expected: int | None = None,
        most: int = blocks.MOST_BYTES,
        timeout_s: float | None = None,
    ) -> Buffer:
        """Ask for a block and return its bytes; `expected` is how many there must be, `most` how many there may be."""

        def talk(wire: Wire) -> Buffer:
            self._send(wire, _line(message))
            data = blocks.read(wire.receive, expected, most)
            wire.end_block()
            self.traffic.note(self.name, RECEIVED, blocks.header(len(data)), data, b"\n")
            return data

        with self._lock:
            return self._exchange(message, talk, timeout_s)

    def _exchange(self, about: str, talk: Callable[[Wire], Result], timeout_s: float | None = None) -> Result:
        wire = self._ready()
        try:
            if timeout_s is None:
                return talk(wire)
            wire.set_timeout(timeout_s)
            result = talk(wire)
            wire.set_timeout(self.timeout_s)
            return result
        except Exception as error:
            self._dirty = True
            raise self._failure(error, about) from error
        except BaseException:  # Ctrl-C in the middle of a reply: the rest of it must not answer the next question
            self._dirty = True
            raise

    def _ready(self) -> Wire:
        """Return a wire that is clean, opening it again if it is not."""
        if self._wire is not None and not self._dirty:
            return self._wire
        if not self._wanted:
            raise LinkError(f"{self.name}: not open", todo="open the station first")
        self._hang_up()
        try:
            self._wire = wire = self._connect()
            wire.set_timeout(self.timeout_s)
            self._send(wire, _line(self._ask_identity))
            seen = self._line(wire, "latin-1")  # Makers write their names as they like.
        except Exception as error:
            self._hang_up()
            raise self._failure(error, "connecting") from error
        except BaseException:
            self._hang_up()
            raise
        self._recognise(seen)
        self._dirty = False
        self.generation += 1
        return wire

    def _recognise(self, seen: str) -> None:
        other = self.identity and seen != self.identity
        if other or not self._pattern.search(seen):
            self._hang_up()
            raise IdentityError(
                f"{self.name}: another instrument answers than configured",
                seen=seen,
                allowed=self.identity if other else f"an identity like {self._pattern.pattern!r}",
                todo="check the address and the driver in the bench file",
            )
        self.identity = seen

    def _hang_up(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            self.traffic.note(self.name, EVENT, b"closed")
            with suppress(Exception):  # it is being thrown away
                wire.close()

    def _send(self, wire: Wire, *parts: Buffer) -> None:
        self.traffic.note(self.name, SENT, *parts)
        wire.send(*parts)

    def _line(self, wire: Wire, encoding: str = "ascii") -> str:
        data = wire.receive_line()
        self.traffic.note(self.name, RECEIVED, data + b"\n")
        return data.decode(encoding).strip()

    def _may_set(self, about: str) -> None:
        """Make sure that a setting meets the instrument whose state is known."""
        self._ready()
        if self._pinned is not None and self._pinned != self.generation:
            raise LinkError(
                f"{self.name}: the instrument was connected anew and may have been restarted; nothing was sent",
                seen=short(about),
                allowed="settings on the connection for which its state is known",
                todo="open it again: its state is then made anew",
            )

    def _explain(self, message: str, error: LinkError, timeout_s: float | None) -> None:
        """Look after a question that was not answered whether the instrument refused it, and say so.

        Raises:
            RefusedError: It did.
        """
        if not self._ask_error or message == self._ask_error or not isinstance(error.__cause__, Exception):
            return
        if complaint(error.__cause__) != LATE:
            return
        try:
            errors = self._take_errors(timeout_s)
        except LinkError:
            return  # It does not answer at all: the first complaint stands.
        if errors:
            raise refused(self.name, short(message), errors) from error

    def _take_errors(self, timeout_s: float | None = None) -> list[str]:
        """Take everything out of the error queue."""
        errors: list[str] = []
        for _ in range(_MOST_ERRORS):
            reply = self._exchange(self._ask_error, self._ask_for_error, timeout_s)
            number = error_number(reply)
            if number is None:
                self._dirty = True
                raise self._error("gave no answer of an error queue", self._ask_error, seen=reply)
            if number == 0:
                break
            errors.append(reply.strip())
        if errors:
            self.traffic.note(self.name, EVENT, "; ".join(errors).encode("ascii", "replace"))
        return errors

    def _ask_for_error(self, wire: Wire) -> str:
        self._send(wire, _line(self._ask_error))
        return self._line(wire)

    def _judge(self, about: str, reply: str) -> None:
        if reply.startswith(("0,", "+0,")):
            return
        number = error_number(reply)
        if number is None:
            self._dirty = True
            raise self._error("gave no answer of an error queue", about, seen=reply)
        if number:
            raise refused(self.name, short(about), [reply.strip(), *self._take_errors()])

    def _failure(self, error: Exception, about: str) -> LinkError:
        if isinstance(error, LinkError):
            return error
        said = str(error) or type(error).__name__
        self.traffic.note(self.name, EVENT, said.encode("ascii", "replace"))
        return self._error(complaint(error), about, seen=said)

    def _error(self, what: str, about: str, seen: object = None) -> LinkError:
        return LinkError(
            f"{self.name}: the instrument {what} ({short(about)})",
            seen=seen,
            allowed=f"an answer within {self.timeout_s:g} s",
            todo="check power, cable and address, then try again",
        )


def _first_odd(values: "NDArray[Any]") -> int:
    import numpy as np

    return int(np.argmin(np.isfinite(values)))


def _line(message: str) -> bytes:
    return message.encode("ascii") + b"\n"
