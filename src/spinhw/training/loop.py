"""The training loop, in a straight line."""

from dataclasses import replace
from typing import Any

from torch import Tensor

from spinhw.errors import CalibrationError
from spinhw.training.alignment import LabelledBatch, summed_up
from spinhw.training.checkpoint import save_checkpoint
from spinhw.training.data import EnsembleData, training_batch
from spinhw.training.deploy import answer_on_device
from spinhw.training.forward import logits
from spinhw.training.held_out import accuracy, held_out_logits
from spinhw.training.interrupt import Interrupt, Interrupted
from spinhw.training.learner import Learner
from spinhw.training.loss import correct_answers, member_losses
from spinhw.training.progress import Progress
from spinhw.training.run_folder import RunFolder
from spinhw.training.schedule import learning_rates
from spinhw.training.settings import TrainingSettings


def train_until(
    learner: Learner,
    data: EnsembleData,
    training: TrainingSettings,
    folder: RunFolder,
    progress: Progress,
    interrupt: Interrupt,
    until: int | None = None,
) -> None:
    """Train from where the learner stands; the folder gets metrics and checkpoints.

    Args:
        learner: Networks, optimiser, and the loop with a device while there is one.
        data: Images of all members.
        training: How to train_until.
        folder: Where to write.
        progress: Told what happens.
        interrupt: Asked after each batch whether to stop.
        until: Epochs that shall be done then; None for all.

    Raises:
        Interrupted: The user asked to stop; the batch was finished and saved.
        ConfigError: Training diverged, or the disk is full; metrics and checkpoints up to then are kept.
        CalibrationError: The device has drifted, and the settings say to stop; the batch was finished and saved.
    """
    batches = data.batches(training.batch_size)
    with learner.training_time():
        while learner.epoch < (training.epochs if until is None else until):
            rates = learning_rates(training, learner.epoch)
            while learner.batch < batches:
                inputs, labels = training_batch(data, training, learner.epoch, learner.batch)
                losses, answers = train_step(learner, inputs, labels, training, rates)
                learner.sums.add(losses, correct_answers(answers, labels), labels.shape[1])
                learner.batch += 1
                _tell(progress, learner, (training.epochs, batches))
                _stop_on_drift(learner, folder)
                if interrupt.requested:
                    save(learner, folder)
                    raise _interrupted(learner, folder, batches)
            row = _metrics_row(learner, data, training, rates)
            folder.append_metrics(row)
            progress.on_epoch(row)
            learner.finish_epoch()
            if learner.epoch % training.checkpoint_every == 0 or learner.epoch == training.epochs:
                save(learner, folder)


def train_step(
    learner: Learner, inputs: Tensor, labels: Tensor, training: TrainingSettings, rates: list[float]
) -> tuple[Tensor, Tensor]:
    """Take one step of the optimiser; return the losses (member,) before it and the answers.

    Args:
        learner: Networks and optimiser; changed.
        inputs: (member, batch, time, input).
        labels: (member, batch).
        training: Label smoothing and gradient clipping.
        rates: Learning rate of each member.

    Raises:
        ConfigError: Training diverged.
    """
    if learner.surrogate is not None and learner.surrogate.draws:
        learner.network.use_neurons(learner.surrogate.drawn(learner.steps))
    answers = _answers(learner, inputs, training)
    losses = member_losses(answers, labels, training.label_smoothing)  # (member,)
    learner.refuse_divergence(losses.isfinite())
    learner.adam.zero_grad()
    losses.sum().backward()
    _compare(learner, LabelledBatch(inputs, labels), training.align_every)
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


def _answers(learner: Learner, inputs: Tensor, training: TrainingSettings) -> Tensor:
    """Return the answers, (member, batch, answer, output), measured where a device is in the loop."""
    if learner.loop is not None:
        return learner.loop.hardware.answers(inputs)
    steps = replace(learner.network.steps, substeps=training.substeps_in(learner.epoch))
    if learner.chips is not None:
        return learner.chips.logits(learner.network, inputs, learner.steps, steps, training.engine)
    return logits(learner.network, inputs, steps, training.engine)


def _compare(learner: Learner, batch: LabelledBatch, every: int | None) -> None:
    """Compare the gradients just taken with the device's own, each so many steps in the loop."""
    loop = learner.loop
    if loop is None or every is None or learner.steps % every:
        return
    named = dict(learner.network.named_parameters())
    held = {name: named[name].grad for name in loop.device.describe().parameter_shapes}
    taken = {name: gradient.clone() for name, gradient in held.items() if gradient is not None}
    loop.compare(batch, taken, learner.steps)


def save(learner: Learner, folder: RunFolder) -> None:
    """Write the checkpoint."""
    save_checkpoint(folder.checkpoint, learner.tensors(), learner.facts())


def _metrics_row(
    learner: Learner, data: EnsembleData, training: TrainingSettings, rates: list[float]
) -> dict[str, Any]:
    epoch = learner.epoch + 1
    look = epoch % training.evaluate_every == 0 or epoch == training.epochs
    return {
        "epoch": epoch,
        "loss": learner.sums.mean_loss(),
        "train_accuracy": learner.sums.accuracy(),
        "accuracy": accuracy(held_out_logits(learner.evaluated, data, training), data.test_labels) if look else None,
        **_on_device(learner, data, training, look),
        "learning_rate": rates,
        "wall_s": learner.wall_s,
    }


def _on_device(learner: Learner, data: EnsembleData, training: TrainingSettings, look: bool) -> dict[str, Any]:
    """Look at the accuracy on the device in the loop, and at what it took so far; nothing without one."""
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
        answers = answer_on_device(learner.evaluated, data, learner.loop.device, training.batch_size, _nobody)
        found["accuracy_on_device"] = accuracy(answers.logits, data.test_labels)
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


def _nobody(done: int, total: int) -> None:
    pass


def _tell(progress: Progress, learner: Learner, total: tuple[int, int]) -> None:
    losses, shares = learner.sums.mean_loss(), learner.sums.accuracy()
    progress.on_batch(learner.epoch, learner.batch, total, sum(losses) / len(losses), sum(shares) / len(shares))


def _interrupted(learner: Learner, folder: RunFolder, batches: int) -> Interrupted:
    return Interrupted(
        f"interrupted and saved in epoch {learner.epoch + 1}, after batch {learner.batch} of {batches}",
        todo=f"go on with: {folder.resume_command}",
    )
