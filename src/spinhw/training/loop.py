"""The training loop, in a straight line."""

from dataclasses import replace
from typing import Any

from torch import Tensor

from spinhw.errors import CalibrationError
from spinhw.tasks import Batch, Task, loss, metrics, right_answers
from spinhw.training.alignment import summed_up
from spinhw.training.checkpoint import save_checkpoint
from spinhw.training.deploy import answer_on_device
from spinhw.training.forward import logits
from spinhw.training.held_out import held_out_answers
from spinhw.training.interrupt import Interrupt, Interrupted
from spinhw.training.learner import Learner
from spinhw.training.progress import Progress
from spinhw.training.run_folder import RunFolder
from spinhw.training.schedule import learning_rates
from spinhw.training.settings import RunSettings, TrainingSettings


def train_until(
    learner: Learner,
    task: Task,
    settings: RunSettings,
    folder: RunFolder,
    progress: Progress,
    interrupt: Interrupt,
    until: int | None = None,
) -> None:
    """Train from where the learner stands; the folder gets metrics and checkpoints.

    Args:
        learner: Networks, optimiser, and the loop with a device while there is one.
        task: What they are trained on.
        settings: The run: how to train.
        folder: Where to write.
        progress: Told what happens.
        interrupt: Asked after each batch whether to stop.
        until: Epochs that shall be done then; None for all.

    Raises:
        Interrupted: The user asked to stop; the batch was finished and saved.
        ConfigError: Training diverged, or the disk is full; metrics and checkpoints up to then are kept.
        CalibrationError: The device has drifted, and the settings say to stop; the batch was finished and saved.
    """
    batches, training = task.batches, settings.training
    with learner.training_time():
        while learner.epoch < (training.epochs if until is None else until):
            rates = learning_rates(training, learner.epoch)
            while learner.batch < batches:
                shown = task.train(learner.seeds, learner.epoch, learner.batch)
                losses, answers = train_step(learner, shown, training, rates)
                learner.sums.add(losses, right_answers(answers, shown), shown.size)
                learner.batch += 1
                _tell(progress, learner, (training.epochs, batches))
                _stop_on_drift(learner, folder)
                if interrupt.requested:
                    save(learner, folder)
                    raise _interrupted(learner, folder, batches)
            row = _metrics_row(learner, task, settings, rates)
            folder.append_metrics(row)
            progress.on_epoch(row)
            learner.finish_epoch()
            if learner.epoch % training.checkpoint_every == 0 or learner.epoch == training.epochs:
                save(learner, folder)


def train_step(learner: Learner, batch: Batch, training: TrainingSettings, rates: list[float]) -> tuple[Tensor, Tensor]:
    """Take one step of the optimiser; return the losses (member,) before it and the answers.

    Args:
        learner: Networks and optimiser; changed.
        batch: Sequences of all members.
        training: Label smoothing and gradient clipping.
        rates: Learning rate of each member.

    Raises:
        ConfigError: Training diverged.
    """
    if learner.surrogate is not None and learner.surrogate.draws:
        learner.network.use_neurons(learner.surrogate.drawn(learner.steps))
    answers = _answers(learner, batch, training)
    losses = loss(answers, batch, training.label_smoothing)  # (member,)
    learner.refuse_divergence(losses.isfinite())
    learner.adam.zero_grad()
    losses.sum().backward()
    _compare(learner, batch, training.align_every)
    if learner.surrogate is not None and learner.surrogate.draws:
        learner.network.use_neurons(learner.surrogate.neurons())  # What is evaluated is what is most probable.
    learner.adam.clip(training.gradient_clip)
    learner.adam.step(rates)
    learner.network.limit_weights_()
    learner.refuse_divergence(learner.finite_weights())
    learner.steps += 1
    if learner.average is not None:
        learner.average.update(learner.steps)
    return losses.detach(), answers.detach()


def _answers(learner: Learner, batch: Batch, training: TrainingSettings) -> Tensor:
    """Return the answers, (member, batch, answer, output), measured where a device is in the loop."""
    if learner.loop is not None:
        return learner.loop.hardware.answers(batch.inputs, batch.lengths)
    steps = replace(learner.network.steps, substeps=training.substeps_in(learner.epoch))
    if learner.chips is not None:
        return learner.chips.logits(learner.network, batch, learner.steps, steps, training.engine)
    return logits(learner.network, batch, steps, training.engine)


def _compare(learner: Learner, batch: Batch, every: int | None) -> None:
    """Compare the gradients just taken with the device's own, each so many steps in the loop."""
    loop = learner.loop
    if loop is None or every is None or learner.steps % every:
        return
    named = dict(learner.network.named_parameters())
    held = {name: named[name].grad for name in loop.device.describe().parameters}
    taken = {name: gradient.clone() for name, gradient in held.items() if gradient is not None}
    loop.compare(batch, taken, learner.steps)


def save(learner: Learner, folder: RunFolder) -> None:
    """Write the checkpoint."""
    save_checkpoint(folder.checkpoint, learner.tensors(), learner.facts())


def _metrics_row(learner: Learner, task: Task, settings: RunSettings, rates: list[float]) -> dict[str, Any]:
    """Sum an epoch up. What is looked at on the way is the validation part; the test part is measured once, in the end.

    A task without a validation part shows nothing but its loss, and of classes how many were right as they were shown.
    """
    epoch = learner.epoch + 1
    look = settings.looks_after(epoch)
    return {
        "epoch": epoch,
        "loss": learner.sums.mean_loss(),
        **learner.sums.shares(),
        **(_looked(learner, task, settings.training) if look else {}),
        **_on_device(learner, task, settings.training, look),
        "learning_rate": rates,
        "wall_s": learner.wall_s,
    }


def _looked(learner: Learner, task: Task, training: TrainingSettings) -> dict[str, Any]:
    answers, batch = held_out_answers(learner.evaluated, task, learner.seeds, "validation", training)
    return {one.name: one.values for one in metrics(answers, batch)}


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
    if training.align_every is not None:
        found["alignment"] = summed_up(learner.loop.alignments) if learner.loop.alignments else None
        learner.loop.alignments = []
    if look:
        seen = answer_on_device(
            learner.evaluated, task, learner.seeds, "validation", learner.loop.device, lambda done, total: None
        )
        found |= {f"{one.name}_on_device": one.values for one in metrics(seen.answers, seen.batch)}
    return found


def _stop_on_drift(learner: Learner, folder: RunFolder) -> None:
    """Save the run and stop where the device has drifted and the settings say so."""
    changed = "" if learner.loop is None or learner.loop.watch is None else learner.loop.watch.stop()
    if changed:
        save(learner, folder)
        raise CalibrationError(
            f"the device has drifted; stopped and saved in epoch {learner.epoch + 1}, after batch {learner.batch}",
            seen=changed,
            allowed="neurons as they were in the first batches in the loop",
            todo=f"see to it, then go on with the device as it is: {folder.resume_command}",
        )


def _tell(progress: Progress, learner: Learner, total: tuple[int, int]) -> None:
    losses, shares = learner.sums.mean_loss(), learner.sums.shares().get("train_accuracy")
    accuracy = None if shares is None else sum(shares) / len(shares)
    progress.on_batch(learner.epoch, learner.batch, total, sum(losses) / len(losses), accuracy)


def _interrupted(learner: Learner, folder: RunFolder, batches: int) -> Interrupted:
    return Interrupted(
        f"interrupted and saved in epoch {learner.epoch + 1}, after batch {learner.batch} of {batches}",
        todo=f"go on with: {folder.resume_command}",
    )
