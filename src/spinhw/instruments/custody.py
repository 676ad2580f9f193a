"""Which outputs of a bench are ours: what this session switched on, and nothing else."""

import logging
from collections.abc import Iterable
from typing import Protocol

from spinhw.errors import DeviceError, OccupiedError
from spinhw.instruments.memory import BenchMemory, Left

_log = logging.getLogger(__name__)


class Held(Protocol):
    """What custody asks of an instrument."""

    name: str
    by_hand: frozenset[str]

    @property
    def generation(self) -> int:
        """Get how often the connection was made."""

    def all_outputs(self) -> list[str]:
        """List every output that the model has, used or not."""

    def sources(self) -> list[str]:
        """List those of them that can put something onto a wire; a crosspoint cannot."""

    def reads_on(self, output: str) -> bool:
        """Read whether an output is on; changes nothing."""

    def describe_output(self, output: str) -> str:
        """Read what an output gives, in words; changes nothing."""

    def examine(self) -> list[str]:
        """Read what was found, before anything is set, and list in words what is wired otherwise than stated."""

    def bring_down(self, output: str) -> bool:
        """Ramp an output down, switch it off, and tell whether it reads as off."""


class Guarding(Protocol):
    """What custody tells the guard of a session."""

    def start(self) -> None:
        """Start it; it need not be ready yet."""

    def took(self, output: str) -> None:
        """Tell that an output is about to be switched on; raises where there is no guard that is ready."""

    def gave(self, output: str) -> None:
        """Tell that an output was confirmed off."""


class Custody:
    """Which outputs of a bench this session switched on. Everything else that is on is somebody else's.

    Args:
        bench: Name of the bench, or of an instrument that stands alone.
        memory: Remembers what is ours beyond the end of this process; None for none.
    """

    def __init__(self, bench: str, memory: BenchMemory | None = None) -> None:
        self._bench, self._memory = bench, memory
        self.left = Left()  # What an earlier session is known to have left on.
        self.guard: Guarding | None = None  # Of this session, as long as it is open.
        self._instruments: dict[str, Held] = {}
        self._looked: dict[str, int] = {}
        self._ours: dict[tuple[str, str], None] = {}  # In the order in which they were switched on.
        self._lost: set[tuple[str, str]] = set()  # What was ours on a connection that is gone, and nobody was told.

    def join(self, instrument: Held) -> None:
        """Take an instrument of the bench in."""
        self._instruments[instrument.name] = instrument

    def is_ours(self, instrument: str, output: str) -> bool:
        """Tell whether this session switched an output on."""
        return (instrument, output) in self._ours

    def ours(self, instrument: str | None = None) -> list[tuple[str, str]]:
        """List what this session switched on, of one instrument or of all, as instrument and output."""
        return [one for one in self._ours if instrument in (None, one[0])]

    def take(self, instrument: str, output: str) -> None:
        """Note that an output is ours; called before it is switched on.

        Raises:
            GuardError: No guard watches over it; it must stay off.
        """
        self._lost.discard((instrument, output))
        if not self.is_ours(instrument, output):
            if self.guard is not None:
                self.guard.took(f"{instrument}.{output}")
            self._ours[instrument, output] = None
            if self._memory is not None:
                self._memory.took(f"{instrument}.{output}")

    def give(self, instrument: str, output: str) -> None:
        """Note that an output is no longer ours; called after it was confirmed off."""
        self._ours.pop((instrument, output), None)
        if self._memory is not None:
            self._memory.gave(f"{instrument}.{output}")
        if self.guard is not None:
            self.guard.gave(f"{instrument}.{output}")

    def tell_lost(self, instrument: str, output: str) -> bool:
        """Tell, once, whether an output was ours on a connection that is gone."""
        lost = (instrument, output) in self._lost
        self._lost.discard((instrument, output))
        return lost

    def forgive_lost(self) -> None:
        """Let nobody be told of what was lost: it is about to be made again."""
        self._lost.clear()

    def look_over(self) -> None:
        """Read every output of every instrument, before the first is switched on and after each new connection.

        What is ours on an instrument that was connected anew is brought down, to be made again.

        Raises:
            OccupiedError: Something is on that is not ours, or wired otherwise than the bench file says; nothing was
                changed.
            DeviceError: An output of ours could not be brought down.
        """
        fresh = {
            name: one.generation for name, one in self._instruments.items() if self._looked.get(name) != one.generation
        }
        if not fresh:
            return
        if self.guard is not None:
            self.guard.start()  # It is ready when the first output is about to go on.
        self._refuse_others(fresh)
        self._lost |= {one for one in self._ours if one[0] in fresh}
        unconfirmed = self.bring_down(self._ours, among=fresh)
        if unconfirmed:
            raise DeviceError(
                f"{self._bench}: outputs could not be brought down after their instruments were connected anew",
                seen=", ".join(unconfirmed),
                allowed="every output off",
                todo="switch them off at the bench",
            )
        self._looked |= fresh
        if len(fresh) == len(self._instruments):
            self.left = Left()  # What an earlier session had left on reads off.

    def found_on(self, among: Iterable[str] | None = None) -> list[tuple[str, str]]:
        """Read which outputs are on that are neither ours nor set by hand."""
        names = self._instruments if among is None else among
        return [
            (name, output)
            for name in names
            for output in self._instruments[name].all_outputs()
            if not self._is_settled(name, output) and self._instruments[name].reads_on(output)
        ]

    def refuse(self, found: Iterable[tuple[str, str]]) -> OccupiedError:
        """Make the error for outputs that are on and not ours."""
        seen, left = [], []
        for name, output in found:
            what = self._instruments[name].describe_output(output)
            seen.append(f"{name}.{output}" + (f" ({what})" if what else ""))
            if self.left.knows(f"{name}.{output}"):
                left.append(f"{name}.{output}")
        whose = f"an earlier session of spinhw left {', '.join(left)} on" if left else "somebody may be using it"
        return OccupiedError(
            f"{self._bench}: outputs are on that this session did not switch on; nothing was changed ({whose})",
            seen=", ".join(seen),
            allowed="every output off, or marked 'by_hand: true' in the bench file",
            todo="ask who uses the bench; 'spinhw off --device FILE' shows what is on and brings it down",
        )

    def require_sources_off(self, who: str) -> None:
        """Refuse to move crosspoints while any source of the bench reads on.

        Raises:
            DeviceError: Names those that are on.
        """
        on = [
            f"{name}.{output}"
            for name, one in self._instruments.items()
            for output in one.sources()
            if output not in one.by_hand and one.reads_on(output)
        ]
        if on:
            raise DeviceError(
                f"{who}: crosspoints must not move while a source is on; nothing was sent",
                seen=", ".join(on),
                allowed="every source of the bench off",
                todo="switch them off first",
            )

    def bring_down(self, outputs: Iterable[tuple[str, str]], among: Iterable[str] | None = None) -> list[str]:
        """Bring outputs down, the last instrument first and crosspoints after all sources.

        Args:
            outputs: Instrument and output.
            among: Only those of these instruments; None for all.

        Returns:
            Those not confirmed off, such as "supply.1".
        """
        names = list(self._instruments)
        chosen = [one for one in outputs if among is None or one[0] in among]
        place = {one: number for number, one in enumerate(chosen)}
        chosen.sort(key=lambda one: (self._is_source(*one), names.index(one[0]), place[one]), reverse=True)
        unconfirmed = []
        for name, output in chosen:
            if self._brought_down(name, output):
                self.give(name, output)
            else:
                unconfirmed.append(f"{name}.{output}")
        return unconfirmed

    def _brought_down(self, name: str, output: str) -> bool:
        try:
            return self._instruments[name].bring_down(output)
        except Exception as error:  # whatever it was, the next one must still be switched off
            _log.error("%s: output %s could not be switched off: %s", name, output, error)
            return False

    def _is_source(self, name: str, output: str) -> bool:
        return output in self._instruments[name].sources()

    def _is_settled(self, name: str, output: str) -> bool:
        return self.is_ours(name, output) or output in self._instruments[name].by_hand

    def _refuse_others(self, names: Iterable[str]) -> None:
        """Refuse the session for what is on, or wired otherwise; everything is named at once."""
        found = self.found_on(names)
        if found:
            raise self.refuse(found)
        otherwise = [text for name in names for text in self._instruments[name].examine()]
        if otherwise:
            raise OccupiedError(
                f"{self._bench}: instruments are wired or set otherwise than the bench file says; nothing was changed",
                seen="; ".join(otherwise),
                allowed="what stands under 'wired' in the bench file",
                todo="change it at the instrument, or correct the bench file if the wiring was changed on purpose",
            )
