"""Which samples of a sequence answer, and how they are pooled: the one place that knows it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Answer:
    """Which samples of a sequence answer, and how they are pooled.

    Args:
        last: So many samples at the end of each sequence, at least 1; None for every sample.
        pooled: Whether their mean is the one answer of the sequence; otherwise each of them is an answer of its own.
    """

    last: int | None = 1
    pooled: bool = True

    def __post_init__(self) -> None:
        if self.last is not None and self.last < 1:
            raise ValueError(f"an answer needs 1 sample or more, not {self.last}")
        if self.last is None and self.pooled:
            raise ValueError("an answer that is pooled needs to be told how many samples at the end count")

    def take(self, values: "Tensor", lengths: "Tensor | None" = None) -> "Tensor":
        """Return the answers of sequences.

        Args:
            values: (..., time, channel), such as (member, batch, time, output).
            lengths: Samples of each sequence, whole numbers, (...), such as (member, batch); None where all end with
                the time axis. What comes after a sequence's own end is never looked at.

        Returns:
            (..., answer, channel): one answer where they are pooled, else as many as samples count.

        Raises:
            ValueError: A sequence is shorter than the samples that count.
        """
        return self.pool(self.cut(values, lengths))

    def cut(self, values: "Tensor", lengths: "Tensor | None" = None) -> "Tensor":
        """Return the samples that count, not pooled yet, (..., sample, channel); arguments and errors as of `take`."""
        if self.last is None:
            return values
        if lengths is None:
            return values[..., -self.last :, :]
        shortest = int(lengths.min())
        if shortest < self.last:
            raise ValueError(f"a sequence has {shortest} samples, but the last {self.last} are to answer")
        from torch import arange

        place = (lengths[..., None] - self.last + arange(self.last))[..., None]  # (..., sample, 1)
        return values.gather(-2, place.expand(*place.shape[:-1], values.shape[-1]))

    def pool(self, samples: "Tensor") -> "Tensor":
        """Return the answers (..., answer, channel) that samples which `cut` chose give."""
        return samples.mean(-2, keepdim=True) if self.pooled else samples

    def times(self, ends_s: "Tensor") -> "Tensor":
        """Return the time of each answer: of the last sample that it is made of, (answer,), in seconds.

        Args:
            ends_s: Ends of the input intervals, (time,), in seconds.
        """
        chosen = ends_s if self.last is None else ends_s[-self.last :]
        return chosen[-1:] if self.pooled else chosen


# Every sample answers for itself.
EVERY_STEP = Answer(None, pooled=False)
