"""Switch matrices."""

from abc import abstractmethod
from collections.abc import Iterable

from spinhw.errors import LimitError
from spinhw.instruments.channels import Routes
from spinhw.instruments.roles.base import Instrument, wait

# All crosspoints are one channel in a bench file.
MATRIX = "matrix"


class Switch(Instrument[Routes]):
    """A switch matrix. Its safe state is all crosspoints open."""

    role = "switch"

    @abstractmethod
    def _close(self, routes: tuple[str, ...]) -> None:
        """Close crosspoints, and return when they are."""

    @abstractmethod
    def _open(self, routes: tuple[str, ...]) -> None:
        """Open crosspoints, and return when they are."""

    @abstractmethod
    def _closed(self) -> tuple[str, ...]:
        """Read back which crosspoints are closed."""

    @abstractmethod
    def _open_all(self) -> None:
        """Open every crosspoint."""

    def outputs(self) -> list[str]:
        return list(self.channels)

    def connect(self, routes: Iterable[str]) -> tuple[str, ...]:
        """Close exactly these crosspoints: first the others are opened. Returns what reads back as closed.

        Raises:
            LimitError: One is not allowed on this bench, or they are too many; nothing was sent.
            DeviceError: Others are closed than were asked for.
        """
        limits, wanted = self._channel(MATRIX), tuple(dict.fromkeys(routes))
        self._check_routes(wanted, limits)
        before = self._closed()
        surplus = tuple(route for route in before if route not in wanted)
        if surplus:
            self._open(surplus)
        missing = tuple(route for route in wanted if route not in before)
        if missing:
            self._close(missing)
        if surplus or missing:
            wait(limits.settle_s)
        seen = self.closed()
        self._agree_flag(f"crosspoints {', '.join(wanted)}", MATRIX, True, set(seen) == set(wanted))
        return seen

    def closed(self) -> tuple[str, ...]:
        """Read back which crosspoints are closed."""
        seen = self._closed()
        self._keep(f"{MATRIX}.closed", ",".join(seen))
        return seen

    def _survey(self) -> None:
        self.closed()

    def _read_output(self, output: str) -> bool:
        return bool(self._closed())

    def _switch_off(self, output: str) -> None:
        self._open_all()

    def _check_routes(self, wanted: tuple[str, ...], limits: Routes) -> None:
        foreign = [route for route in wanted if route not in limits.allowed]
        if foreign or len(wanted) > limits.most_closed:
            raise LimitError(
                f"{self.name}: these crosspoints must not be closed and nothing was sent",
                seen=", ".join(foreign) or f"{len(wanted)} at a time",
                allowed=f"those under '{MATRIX}: allowed', at most {limits.most_closed} at a time",
                todo="list them in the bench file if the wiring allows it",
            )
