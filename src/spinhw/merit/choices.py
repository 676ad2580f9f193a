"""How figures of merit are measured: how many sequences, how long, and what counts."""

from dataclasses import dataclass
from typing import Literal

from spinhw.errors import ConfigError

# Sequences by which a read-out for NARMA-10 is fitted, as a share; the others are for its error.
FITTED = 0.75


@dataclass(frozen=True)
class MeritChoices:
    """How figures of merit are measured.

    Args:
        sequences: Random sequences for capacities and NARMA-10, at least 4.
        samples: Of each, those of the washout counted.
        washout: Samples at the beginning of each whose answers do not count; also the longest delay, at least 1.
        neurons: Whether the states are those of the last layer, which the read-out sees, or of all neurons.
        shuffles: Shuffled targets whose largest capacity is the threshold, at least 1.
        rank_samples: Samples of the sequences for ranks, at least 1.
        shared: So many samples at the end of those for the generalisation rank are the same for all of them.
        tolerance: Singular values below this times the largest of the kernel do not count for a rank; above 0, below 1.
        averages: Shots on a device over which states are averaged, at least 1.

    Raises:
        ConfigError: They do not go together; names the option of the command line.
    """

    sequences: int = 40
    samples: int = 200
    washout: int = 50
    neurons: Literal["last", "all"] = "last"
    shuffles: int = 1000
    rank_samples: int = 15
    shared: int = 3
    tolerance: float = 1e-3
    averages: int = 1

    def __post_init__(self) -> None:
        for name, least in {"sequences": 4, "washout": 1, "shuffles": 1, "rank_samples": 1, "averages": 1}.items():
            self._refuse(name, getattr(self, name) < least, f"{least} or more")
        self._refuse("samples", self.samples <= self.washout, f"above the washout of {self.washout}")
        self._refuse("shared", not 0 <= self.shared < self.rank_samples, f"0 to below {self.rank_samples}")
        self._refuse("tolerance", not 0 < self.tolerance < 1, "above 0 and below 1")
        self._refuse("neurons", self.neurons not in ("last", "all"), "last or all")

    @property
    def rows(self) -> int:
        """Answers that count, of all sequences."""
        return self.sequences * (self.samples - self.washout)

    def _refuse(self, name: str, wrong: bool, allowed: str) -> None:
        if wrong:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(
                f"{option}: figures of merit cannot be measured so",
                seen=getattr(self, name),
                allowed=allowed,
                todo=f"choose another {option}",
            )
