"""How batches are to be corrected, and how they were."""

from dataclasses import dataclass

from torch import Tensor

from spinhw.device.multiplex.coupled import Waveforms
from spinhw.device.multiplex.rest import Rest
from spinhw.energy import Spent

# Taken for converged where no tolerance is given and the noise is lower: rms, in units of full power.
TOLERANCE = 2e-3


@dataclass(frozen=True)
class CorrectionPlan:
    """How to correct.

    Args:
        tolerance: Rms change of the waveforms by a further pass that is taken for converged, in units of full power;
            None for 2e-3, or the noise floor where that is higher.
        passes: Most measurements of a batch.
        damping: Share of each correction that is taken once the passes get nowhere, above 0 to 1.
    """

    tolerance: float | None = None
    passes: int = 6
    damping: float = 0.5


@dataclass(frozen=True)
class Correction:
    """How a batch was corrected; rms values in units of full power.

    Args:
        images: Sequences of the batch.
        changes: By how much the waveforms changed after each measurement: the error of what had been played. What came
            out is better than the last one by about the rate.
        misfits: What was measured in each pass less what had been predicted, the noise taken off.
        tolerance: For the changes.
        floor: Noise of a sample of one pass.
        damped: Whether the passes got nowhere and damped relaxation took over.
        rest: Before each segment, at the last pass.
        shots: Shots of the bank, averages and uploads counted.
        uploads: Of the bank.
        played_s: What was played in all, rests and averages included, by all oscillators side by side, in seconds.
        energy_j: What the bank measured for all that, in joules; None where it measures none.
    """

    images: int
    changes: tuple[float, ...]
    misfits: tuple[float, ...]
    tolerance: float
    floor: float
    damped: bool
    rest: Rest
    shots: int
    uploads: int
    played_s: float
    energy_j: float | None

    @property
    def passes(self) -> int:
        """Measurements of the batch."""
        return len(self.changes)

    def spent(self, oscillators: int) -> Spent:
        """Sum up what the bank was played for the batch.

        Args:
            oscillators: Of the bank, all of them on meanwhile.
        """
        return Spent(self.images, self.passes, self.uploads, self.shots, oscillators, self.played_s, self.energy_j)

    @property
    def converged(self) -> bool:
        """Whether the last change was within the tolerance."""
        return self.changes[-1] <= self.tolerance

    @property
    def rate(self) -> float | None:
        """Share of the change that a pass leaves, as the geometric mean; None after a single pass."""
        first, last = self.changes[0], self.changes[-1]
        return None if self.passes < 2 or first == 0 else (last / first) ** (1 / (self.passes - 1))


@dataclass(frozen=True)
class Corrected:
    """What a batch gave.

    Args:
        waveforms: Of the whole network.
        quality: Of each sample of the power, (batch, time + 1, neuron).
        noise: Rms noise that is left in the power.
        defect: What the surrogate missed, (batch, time + 1, neuron).
        correction: How it was found.
    """

    waveforms: Waveforms
    quality: Tensor
    noise: float
    defect: Tensor
    correction: Correction
