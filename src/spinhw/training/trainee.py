"""Networks of oscillators as the training loop sees them: an ensemble side by side, with or without a device."""

from contextlib import AbstractContextManager
from typing import Any

from spinhw.errors import CalibrationError
from spinhw.tasks import Task, loss, right_answers
from spinhw.training.alignment import summed_up
from spinhw.training.checkpoint import save_checkpoint
from spinhw.training.deploy import answer_on_device
from spinhw.training.held_out import held_out_answers
from spinhw.training.learner import EpochSums, Learner
from spinhw.training.plateau import on_plateau
from spinhw.training.readout import SolvedReadout, put
from spinhw.training.run_folder import RunFolder
from spinhw.training.schedule import learning_rates
from spinhw.training.settings import RunSettings
from spinhw.training.step import readout_step, train_step
from spinhw.training.training_settings import TrainingSettings


class EnsembleTrainee:
    """A learner and what it is trained on.

    Args:
        learner: Networks, optimiser, and the loop with a device while there is one.
        task: What they are trained on.
        settings: The run.
    """

    def __init__(self, learner: Learner, task: Task, settings: RunSettings) -> None:
        self._learner, self._task, self._settings = learner, task, settings
        self.epochs, self.batches = settings.training.epochs, task.batches

    @property
    def epoch(self) -> int:
        return self._learner.epoch

    @property
    def batch(self) -> int:
        return self._learner.batch

    @property
    def loss(self) -> float:
        losses = self._learner.sums.mean_loss()
        return sum(losses) / len(losses)

    @property
    def accuracy(self) -> float | None:
        shares = self._learner.sums.shares().get("train_accuracy")
        return None if shares is None else sum(shares) / len(shares)

    @property
    def is_due(self) -> bool:
        every = self._settings.training.checkpoint_every
        return self.epoch % every == 0 or self.epoch == self.epochs

    def training_time(self) -> AbstractContextManager[None]:
        return self._learner.training_time()

    def step(self) -> None:
        learner, training = self._learner, self._settings.training
        shown = self._task.train(learner.seeds, learner.epoch, learner.batch)
        readout = self._solved_now
        if readout is not None:
            # One look may be fine, whatever the steps were that a gradient asked for.
            readout_step(learner, shown, self._settings.fine_steps if training.solve_readout else learner.network.steps)
            learner.batch += 1
            if learner.batch == self.batches:
                self._solve(readout)
            return
        losses, answers = train_step(learner, shown, training, self._rates(learner.batch))
        learner.sums.add(losses, right_answers(answers, shown), shown.size)
        learner.batch += 1

    @property
    def _solved_now(self) -> SolvedReadout | None:
        """The read-out that this epoch solves for; None in epochs of the optimiser."""
        return self._learner.readout if self.epoch == self.epochs - 1 else None

    def _solve(self, readout: SolvedReadout) -> None:
        """Give the networks their read-out, now that every sequence was looked at."""
        learner = self._learner
        found = readout.solve(self._settings.training.ridge)
        put(found, learner.network)
        learner.sums = EpochSums([one * self._task.sequences for one in found.errors], None, self._task.sequences)

    def refuse_to_go_on(self, folder: RunFolder) -> None:
        learner = self._learner
        changed = "" if learner.loop is None or learner.loop.watch is None else learner.loop.watch.stop()
        if changed:
            self.save(folder)
            raise CalibrationError(
                f"the device has drifted; stopped and saved in epoch {learner.epoch + 1}, after batch {learner.batch}",
                seen=changed,
                allowed="neurons as they were in the first batches in the loop",
                todo=f"see to it, then go on with the device as it is: {folder.resume_command}",
            )

    def row(self) -> dict[str, Any]:
        """Sum an epoch up. What is looked at on the way is the validation part; the test part is measured in the end.

        A task without a validation part shows nothing but its loss, and of classes how many were right as they were
        shown.
        """
        learner, task, training = self._learner, self._task, self._settings.training
        look = self._settings.looks_after(learner.epoch + 1)
        return {
            "epoch": learner.epoch + 1,
            "loss": learner.sums.mean_loss(),
            **learner.sums.shares(),
            **(_looked(learner, task, self._settings) if look else {}),
            **_on_device(learner, task, training, look),
            **self._how(),
            "wall_s": learner.wall_s,
        }

    def _how(self) -> dict[str, Any]:
        """Say what the training went by: the learning rate at the end of the epoch, or the ridge."""
        readout = self._solved_now
        if readout is None:
            return {"learning_rate": self._rates(self.batches - 1)}
        return {"readout": readout.facts(self._settings.training.ridge)}

    def _rates(self, batch: int) -> list[float]:
        """Return the learning rates of a batch of this epoch."""
        return learning_rates(self._settings.training, self.epoch, batch, self.batches)

    def finish_epoch(self) -> None:
        self._learner.finish_epoch()

    def is_over(self, folder: RunFolder) -> bool:
        plateau = self._settings.training.plateau
        return plateau is not None and on_plateau(plateau, folder.metrics())

    def save(self, folder: RunFolder) -> None:
        save(self._learner, folder)


def save(learner: Learner, folder: RunFolder) -> None:
    """Write the checkpoint."""
    save_checkpoint(folder.checkpoint, learner.tensors(), learner.facts())


def _looked(learner: Learner, task: Task, settings: RunSettings) -> dict[str, Any]:
    answers, batch = held_out_answers(learner.looked_at, task, learner.seeds, "validation", settings)
    if learner.best is not None and learner.loop is None:
        learner.best.update(loss(answers, batch).tolist())
    return {one.name: one.values for one in task.metrics(answers, batch)}


def _on_device(learner: Learner, task: Task, training: TrainingSettings, look: bool) -> dict[str, Any]:
    """Look at the validation part on the device in the loop, and at what it took so far; nothing without one."""
    if learner.loop is None:
        return {}
    found: dict[str, Any] = {
        "inferences_on_device": learner.loop.inferences,
        "masked_channels": learner.loop.masked,
    }
    if learner.loop.watch is not None:
        found["watch"] = learner.loop.watch.taken()
    refits = learner.loop.hardware.refits
    shifts = [] if refits is None else refits.chain_shifts()
    if shifts:
        found["chain_shifts"] = shifts
    if training.loop.align_every is not None:
        found["alignment"] = summed_up(learner.loop.alignments) if learner.loop.alignments else None
        learner.loop.alignments = []
    if look:
        seen = answer_on_device(
            learner.looked_at, task, learner.seeds, "validation", learner.loop.device, lambda done, total: None
        )
        if learner.best is not None:
            learner.best.update(loss(seen.answers, seen.batch).tolist())
        found |= {f"{one.name}_on_device": one.values for one in task.metrics(seen.answers, seen.batch)}
    return found
