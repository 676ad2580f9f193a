"""What every baseline is measured by: the task, the size and the training that it stands beside."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from spinhw.baselines.baseline import Baseline
from spinhw.config import Settings
from spinhw.energy import EnergySettings
from spinhw.tasks import Part, TaskSettings
from spinhw.training import Progress, TrainingSettings


@dataclass(frozen=True)
class Ground:
    """What a baseline stands beside.

    Args:
        task: The task of both.
        units: Neurons of the network.
        training: How the network is trained.
        energy: What a multiply-add costs.
    """

    task: TaskSettings
    units: int
    training: TrainingSettings
    energy: EnergySettings


class ModelSettings(Settings, ABC):
    """A model that is fitted in software, as written in YAML."""

    @abstractmethod
    def measured(self, ground: Ground, seeds: Sequence[int], part: Part, progress: Progress) -> Baseline:
        """Fit a model for each seed, and measure it.

        Args:
            ground: What it stands beside.
            seeds: One for each model.
            part: On which sequences they are measured.
            progress: Told what happens.

        Raises:
            ConfigError: The task has no such part.
            Diverged: A training went to infinity.
            Interrupted: The user asked to stop.
        """
