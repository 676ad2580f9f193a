"""How sequences are divided into parts, and long ones into windows."""

from typing import Literal

from pydantic import Field

from spinhw.config import Settings
from spinhw.errors import MisfitError


class SplitSettings(Settings):
    """Which sequences are held out; the same ones for every seed of a network."""

    kind: Literal["fraction", "group", "time"] = Field(
        default="fraction",
        description="'fraction' (of the sequences, of each class alike), 'group' (whole groups, as columns.group says) "
        "or 'time' (long series: the last samples are the test part, those before it the validation part).",
    )
    test: float | None = Field(
        default=None,
        ge=0.0,
        lt=1.0,
        description="Share of the test part, 0 (none) to below 1. Null: 0.2, or where a test file is given that.",
    )
    validation: float = Field(
        default=0.2,
        ge=0.0,
        lt=1.0,
        description="Share of what is left that is the validation part, 0 (none) to below 1.",
    )
    seed: int = Field(default=0, ge=0, description="Of the random draw of sequences or groups.")


class WindowSettings(Settings):
    """How long series are cut. Every window starts from the network's initial state."""

    samples: int | None = Field(
        default=None,
        ge=2,
        description="Samples of a window, washout included, at least 2; null for whole sequences.",
    )
    washout: int = Field(default=0, ge=0, description="Samples at the beginning whose answers do not count.")
    horizon: int = Field(
        default=0, ge=0, description="Samples by which the answer lies ahead of the input; 0 for none."
    )
    stride: int | None = Field(
        default=None, ge=1, description="Samples from one window's start to the next one's; null: they do not overlap."
    )
    reach_back: bool = Field(
        default=False,
        description="With split.kind 'time': whether the washout of a held-out part's first window lies in the part "
        "before it, so that the very first sample of the part is answered. What is answered never does.",
    )

    @property
    def reach(self) -> int:
        """Samples before a held-out part with which its first window begins; what it answers lies in the part."""
        return self.washout + self.horizon if self.reach_back else 0

    def refuse_reach(self, split: SplitSettings) -> None:
        """Refuse to reach back where no part lies before another.

        Raises:
            MisfitError: The split is not by time.
        """
        if self.reach_back and split.kind != "time":
            raise MisfitError(
                "window.reach_back lets a washout lie in the part before, and these parts do not follow each other",
                seen=f"split.kind {split.kind}",
                allowed="split.kind time",
                todo="leave reach_back out, or write split: {kind: time}",
            )
