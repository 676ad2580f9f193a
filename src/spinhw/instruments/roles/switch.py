"""Switch matrices."""

from abc import abstractmethod
from collections.abc import Iterable

from spinhw.errors import DeviceError, LimitError
from spinhw.instruments.channels import Routes
from spinhw.instruments.roles.base import Build, Instrument

# All crosspoints are one channel in a bench file.
MATRIX = "matrix"


class Switch(Instrument[Routes]):
    """A switch matrix. Its safe state is all crosspoints open but those that are set by hand.

    Crosspoints move only while every source of the bench reads off.
    """

    role = "switch"

    def __init__(self, build: Build[Routes]) -> None:
        super().__init__(build)
        self._connected: frozenset[str] = frozenset()  # Crosspoints that this session closed.

    @abstractmethod
    def _close(self, routes: tuple[str, ...]) -> None:
        """Close crosspoints, and return when they are."""

    @abstractmethod
    def _open(self, routes: tuple[str, ...]) -> None:
        """Open crosspoints, and return when they are."""

    @abstractmethod
    def _closed(self) -> tuple[str, ...]:
        """Read back which crosspoints are closed."""

    def outputs(self) -> list[str]:
        return list(self.channels)

    def sources(self) -> list[str]:
        return [output for output in self.all_outputs() if output != MATRIX]

    def connect(self, routes: Iterable[str]) -> tuple[str, ...]:
        """Close exactly these crosspoints: first the others are opened. Returns what reads back as closed.

        Raises:
            LimitError: One is not allowed on this bench, or they are too many; nothing was sent.
            OccupiedError: Something on the bench is on that is not ours.
            DeviceError: A source is on, or others are closed than were asked for.
        """
        limits, wanted = self._channel(MATRIX), tuple(dict.fromkeys(routes))
        self._check_routes(wanted, limits)
        self.ready()
        before = self._movable()
        if not self._connected.issuperset(before):
            raise self.custody.refuse([(self.name, MATRIX)])
        surplus = tuple(route for route in before if route not in wanted)
        missing = tuple(route for route in wanted if route not in before)
        if surplus or missing:
            self._move(surplus, missing)
            self._wait(limits.settle_s)
        seen = self.closed()
        self._agree_flag(f"crosspoints {', '.join(wanted)}", MATRIX, True, set(seen) == set(wanted))
        return seen

    def closed(self) -> tuple[str, ...]:
        """Read back which crosspoints are closed, but for those that are set by hand."""
        seen = self._movable()
        self._keep(f"{MATRIX}.closed", ",".join(seen))
        return seen

    def confirm(self, routes: Iterable[str]) -> None:
        """Find out whether the crosspoints still are as `connect` left them.

        Raises:
            DeviceError: They are not.
        """
        seen, wanted = self.closed(), tuple(routes)
        if set(seen) != set(wanted):
            told = ", ".join(seen) or "none closed"
            raise DeviceError(f"{self.name}: crosspoints have changed", seen=told, allowed=", ".join(wanted))

    def _survey(self) -> None:
        self.closed()

    def _describe(self, output: str) -> str:
        return f"closed: {', '.join(self._movable())}"

    def _read_output(self, output: str) -> bool:
        return bool(self._movable())

    def _cut_off(self, output: str) -> None:
        closed = self._movable()
        if closed:
            self.custody.require_sources_off(self.name)
            self._open(closed)
        self._connected = frozenset()

    def _movable(self) -> tuple[str, ...]:
        """Read which crosspoints are closed that are not set by hand."""
        limits = self.channels.get(MATRIX)
        return tuple(route for route in self._closed() if limits is None or route not in limits.by_hand)

    def _move(self, surplus: tuple[str, ...], missing: tuple[str, ...]) -> None:
        self.custody.require_sources_off(self.name)
        if surplus:
            self._open(surplus)
        if missing:
            self.custody.take(self.name, MATRIX)
            self._connected = frozenset(missing).union(self._connected)
            self._close(missing)

    def _check_routes(self, wanted: tuple[str, ...], limits: Routes) -> None:
        foreign = [route for route in wanted if route not in limits.allowed]
        if foreign or len(wanted) > limits.most_closed:
            raise LimitError(
                f"{self.name}: these crosspoints must not be closed and nothing was sent",
                seen=", ".join(foreign) or f"{len(wanted)} at a time",
                allowed=f"those under '{MATRIX}: allowed', at most {limits.most_closed} at a time",
                todo="list them in the bench file if the wiring allows it",
            )
