"""What every virtual instrument of a bench has behind its SCPI dialect."""

from dataclasses import dataclass
from typing import ClassVar

from spinhw.virtual.lab import EmptyLab, Lab, Shot, SourceOutput
from spinhw.virtual.scpi import Instrument


@dataclass(frozen=True)
class Level:
    """What an output connector gives now, into what hangs on it; all zero where it is off.

    Args:
        lowest_v: Lowest voltage of what it plays, or its steady voltage.
        highest_v: Highest voltage, or its steady voltage.
        current_a: Steady current, signed, for sources of current.
        power_w: RF power at the connector, corrections of the display taken off.
    """

    lowest_v: float = 0.0
    highest_v: float = 0.0
    current_a: float = 0.0
    power_w: float = 0.0


class Panel(Instrument):
    """An instrument with terminals. Subclasses fill what their terminals do; the defaults are "nothing there".

    Args:
        name: Name on the bench.
        serial: Serial number that it tells; None for that of its kind.
        lab: Where it stands; by default on a table without wires.
    """

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self.lab: Lab = lab or EmptyLab()
        self.disturbance: str | None = None
        self.power_on: tuple[str, ...] = ()  # Messages that it carries out when it is switched on.
        super().__init__(name, serial)

    suffers: ClassVar[frozenset[str]] = frozenset()  # Which of "nan", "clipped", "stuck", "overload" it knows.

    def at_connectors(self) -> dict[str, Level]:
        """Give what every output connector gives now, by output; none for instruments that only measure."""
        return {}

    @property
    def armed(self) -> bool:
        """Whether it waits for a trigger to record."""
        return False

    @property
    def runs_freely(self) -> bool:
        """Whether it plays without a trigger."""
        return False

    def played(self, external: bool) -> dict[int, SourceOutput]:
        """Give what each channel that is on plays after a trigger, by channel.

        Args:
            external: Whether the trigger comes over the line, and not from its own bus or key.
        """
        return {}

    def record(self, shot: Shot) -> None:
        """Record after a trigger, if armed."""

    def give_up(self) -> None:
        """Wait for no trigger any more: recording after it failed."""

    def disturb(self, kind: str) -> None:
        """Let the next reading or output go wrong: "nan", "clipped", "stuck", "overload"."""
        self.disturbance = kind

    def take_disturbance(self, *kinds: str) -> str | None:
        """Give what goes wrong now, if it is one of these, and be well again."""
        kind = self.disturbance
        if kind not in kinds:
            return None
        self.disturbance = None
        return kind

    def reboot(self) -> None:
        self.disturbance = None
        super().reboot()
        self.come_up()

    def come_up(self) -> None:
        """Carry out the messages that say in what state it comes up; a reset does not."""
        for message in self.power_on:
            self.execute(message.encode("latin-1"), lambda data: None)
