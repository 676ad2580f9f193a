"""Which inputs of digitizers are recorded together, and which crosspoints are closed for that."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from spinhw.instruments.references import split_path, split_reference


@dataclass
class Round:
    """What one acquisition of all digitizers records.

    Args:
        inputs: What is on which input: ("neuron", 3) by reference, such as "scope.1".
        crosspoints: Closed for it, by switch.
    """

    inputs: dict[str, tuple[str, int]] = field(default_factory=dict)
    crosspoints: dict[str, list[str]] = field(default_factory=dict)

    def channels(self) -> dict[str, tuple[str, ...]]:
        """List the inputs of each digitizer, by its name."""
        found: dict[str, list[str]] = {}
        for reference in self.inputs:
            name, channel = split_reference(reference)
            found.setdefault(name, []).append(channel)
        return {name: tuple(channels) for name, channels in found.items()}


def plan_rounds(wanted: Iterable[tuple[str, int]], paths: Mapping[str, Mapping[int, str]]) -> list[Round]:
    """Put signals into as few rounds as a look at one after another gives; no input serves two in one round.

    Args:
        wanted: Signals, such as ("neuron", 3).
        paths: Read-out paths of each kind of signal by number, such as "scope.1 via matrix.1101".
    """
    rounds: list[Round] = []
    for kind, number in wanted:
        reference, crosspoint = split_path(paths[kind][number])
        free = next((one for one in rounds if reference not in one.inputs), None)
        if free is None:
            rounds.append(free := Round())
        free.inputs[reference] = (kind, number)
        if crosspoint is not None:
            switch, route = split_reference(crosspoint)
            free.crosspoints.setdefault(switch, []).append(route)
    return rounds


def inputs_of(paths: Sequence[str]) -> int:
    """Count the inputs that several paths share among them: so many signals can be recorded at a time."""
    return len({split_path(path)[0] for path in paths})
