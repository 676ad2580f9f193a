"""Which neurons are observed in which repeat of a batch: a scope has fewer channels than a chip has neurons."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class ObservationPlan:
    """Neurons by repeat.

    Args:
        repeats: For each repeat of the batch the numbers of the neurons observed, counted from 0 over all layers. An
            empty repeat observes only the outputs. No neuron may stand twice.
    """

    repeats: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if not self.repeats:
            raise ValueError(
                "an observation plan needs at least one repeat; for outputs only use ObservationPlan.nothing()"
            )
        twice = sorted({neuron for neuron in self.neurons if self.neurons.count(neuron) > 1})
        if twice or min(self.neurons, default=0) < 0:
            raise ValueError(
                f"an observation plan names each neuron once, by a number from 0; wrong are {twice or 'negatives'}"
            )

    @classmethod
    def nothing(cls) -> "ObservationPlan":
        """Observe no neuron, only the outputs: one repeat."""
        return cls(((),))

    @classmethod
    def split(cls, neurons: int | Iterable[int], channels: int | None = None) -> "ObservationPlan":
        """Observe neurons in as few repeats as possible, of nearly equal size.

        Args:
            neurons: How many (all from 0 on), or which.
            channels: How many at a time; None for all at once.
        """
        wanted = list(range(neurons)) if isinstance(neurons, int) else list(neurons)
        if channels is not None and channels < 1:
            raise ValueError(f"a device needs at least one channel to observe neurons, not {channels}")
        if not wanted:
            return cls.nothing()
        count = 1 if channels is None else -(-len(wanted) // channels)
        ends = [round(len(wanted) * index / count) for index in range(count + 1)]
        return cls(tuple(tuple(wanted[start:end]) for start, end in zip(ends, ends[1:], strict=False)))

    @property
    def neurons(self) -> tuple[int, ...]:
        """All neurons observed, in the order of the repeats."""
        return tuple(neuron for repeat in self.repeats for neuron in repeat)

    def completed(self, neurons: int, channels: int | None) -> "ObservationPlan":
        """Observe every neuron, those that are observed already first, in as few repeats as possible.

        Args:
            neurons: Neurons that the device has.
            channels: Neurons that it can observe at a time; None for all.
        """
        seen = self.neurons
        others = sorted(set(range(neurons)) - set(seen))
        return ObservationPlan.split([*seen, *others], channels) if others else self

    def check(self, neurons: int, channels: int | None) -> None:
        """Check that a device can do this.

        Args:
            neurons: Neurons that the device has.
            channels: Neurons that it can observe at a time; None for all.

        Raises:
            ValueError: It can't; the message says why.
        """
        beyond = [neuron for neuron in self.neurons if neuron >= neurons]
        if beyond:
            raise ValueError(f"the observation plan names neurons {beyond}; the device has 0 to {neurons - 1}")
        widest = max(len(repeat) for repeat in self.repeats)
        if channels is not None and widest > channels:
            raise ValueError(
                f"the observation plan has {widest} neurons in one repeat; the device observes {channels} at a time"
            )
