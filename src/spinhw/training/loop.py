"""The training loop, in a straight line. It knows neither networks nor devices: these are the trainee's."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from spinhw.training.interrupt import Interrupt, Interrupted
from spinhw.training.progress import Progress
from spinhw.training.run_folder import RunFolder


class Trainee(Protocol):
    """What a run trains, and its place in the run."""

    @property
    def epochs(self) -> int:
        """Epochs of the whole run."""

    @property
    def batches(self) -> int:
        """Batches of an epoch."""

    @property
    def epoch(self) -> int:
        """Epochs that are done."""

    @property
    def batch(self) -> int:
        """Batches of the next epoch that are done."""

    @property
    def loss(self) -> float:
        """Mean loss of the epoch so far, over all networks."""

    @property
    def accuracy(self) -> float | None:
        """Share of right answers of the epoch so far, 0 to 1; None where answers are no classes."""

    def training_time(self) -> AbstractContextManager[None]:
        """Count the time within the context as time in the training loop."""

    def step(self) -> None:
        """Take a step of the optimiser with the next batch."""

    def refuse_to_go_on(self, folder: RunFolder) -> None:
        """Save and raise where something that was watched says to stop."""

    def row(self) -> Mapping[str, Any]:
        """Sum up the epoch that was just trained: its line of ``metrics.jsonl``."""

    def finish_epoch(self) -> None:
        """Move on to the next epoch."""

    def is_over(self, folder: RunFolder) -> bool:
        """Tell whether no further epoch is wanted, by what the folder says of those that are done."""

    @property
    def is_due(self) -> bool:
        """Whether a checkpoint is due after the epoch that was just finished."""

    def save(self, folder: RunFolder) -> None:
        """Write the checkpoint."""


def train_until(epochs: int, trainee: Trainee, folder: RunFolder, progress: Progress, interrupt: Interrupt) -> None:
    """Train from where the trainee stands; the folder gets metrics and checkpoints.

    Args:
        epochs: Epochs that shall be done then.
        trainee: What is trained.
        folder: Where to write.
        progress: Told what happens.
        interrupt: Asked after each batch whether to stop.

    Raises:
        Interrupted: The user asked to stop; the batch was finished and saved.
        ConfigError: Training diverged, or the disk is full; metrics and checkpoints up to then are kept.
        CalibrationError: The device has drifted, and the settings say to stop; the batch was finished and saved.
    """
    total = trainee.epochs, trainee.batches
    with trainee.training_time():
        over = trainee.is_over(folder)
        while trainee.epoch < epochs and not over:
            while trainee.batch < trainee.batches:
                trainee.step()
                progress.on_batch(trainee.epoch, trainee.batch, total, trainee.loss, trainee.accuracy)
                trainee.refuse_to_go_on(folder)
                if interrupt.requested:
                    trainee.save(folder)
                    place = f"epoch {trainee.epoch + 1}, after batch {trainee.batch} of {trainee.batches}"
                    raise Interrupted(
                        f"interrupted and saved in {place}",
                        todo=f"go on with: {folder.resume_command}",
                    )
            row = trainee.row()
            folder.append_metrics(row)
            progress.on_epoch(row)
            trainee.finish_epoch()
            over = trainee.is_over(folder)
            if trainee.is_due or over:
                trainee.save(folder)
