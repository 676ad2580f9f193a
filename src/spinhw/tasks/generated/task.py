"""Series from a formula, for training and for measuring."""

from torch import Tensor

from spinhw.streams import torch_stream
from spinhw.tasks.base import Batch, Feed, Part
from spinhw.tasks.drawn import DrawnTask
from spinhw.tasks.generated.settings import GeneratedSettings


class GeneratedTask(DrawnTask):
    """Series of any number of seeds.

    Args:
        settings: The task.
        feed: How sequences are shown.
    """

    def __init__(self, settings: GeneratedSettings, feed: Feed) -> None:
        super().__init__(settings.sequences, settings.fresh, "series order", feed)
        self._settings = settings

    def held_out_sequences(self, part: Part) -> int:
        return {"validation": self._settings.held_out, "test": self._settings.tested}[part]

    def as_inputs(self, values: Tensor) -> Tensor:
        return self._played(values)

    def _training(self, count: int, seed: int, *when: int) -> Batch:
        return self._draw(count, "training", seed, *when)

    def _measuring(self, part: Part) -> Batch:
        return self._draw(self.held_out_sequences(part), "held out", part)

    def _draw(self, count: int, *key: str | int) -> Batch:
        """Draw sequences of one member, whose axis is in front."""
        settings = self._settings
        series, target = settings.draw(count, torch_stream("series", settings.kind, *key))
        return Batch(self._played(series)[None, ..., None], target, washout=settings.washout)

    def _played(self, series: Tensor) -> Tensor:
        """Map the range of the series to what is played, of any shape."""
        settings, (low, high) = self._settings, self._settings.series_range
        share = (series - low) / (high - low)
        return (settings.input_low + (settings.input_high - settings.input_low) * share).float()
