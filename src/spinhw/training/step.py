"""One step of the optimiser: answers, loss, its gradient, and what is projected and averaged afterwards."""

from dataclasses import replace

import torch
from torch import Tensor

from spinhw.gradients import follow
from spinhw.gradients.shown import last_layer, modelled
from spinhw.rollout import Steps
from spinhw.tasks import Batch, loss
from spinhw.training.forward import logits
from spinhw.training.learner import Learner
from spinhw.training.training_settings import TrainingSettings


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
        learner.surrogate.draw_into(learner.network, learner.steps, learner.loop is None)
    answers = _answers(learner, batch, training)
    losses = loss(answers, batch, training.label_smoothing)  # (member,)
    learner.refuse_divergence(losses.isfinite())
    learner.adam.zero_grad()
    losses.sum().backward()
    _compare(learner, batch, training.loop.align_every)
    if learner.surrogate is not None and learner.surrogate.draws:
        learner.surrogate.put_into(learner.network, learner.loop is None)  # What is evaluated is what is most probable.
    learner.adam.clip(training.optimiser.gradient_clip)
    learner.adam.clip_norms(training.optimiser.gradient_norm)
    learner.adam.step(rates)
    learner.network.limit_weights_()
    learner.refuse_divergence(learner.finite_weights())
    learner.steps += 1
    if learner.kept is not None:  # Chains that have moved are taken out of what is kept as well.
        follow(learner.kept.network, learner.network)
    if learner.average is not None:
        learner.average.update(learner.steps)
    return losses.detach(), answers.detach()


@torch.no_grad()
def readout_step(learner: Learner, batch: Batch, steps: Steps) -> None:
    """Show a batch once to networks whose read-out is solved for, and keep what their last layer did.

    Args:
        learner: With a `SolvedReadout`, which takes it in.
        batch: Sequences of all members.
        steps: Time grid, where they are simulated.
    """
    network, readout = learner.network, learner.readout
    if readout is None:
        raise RuntimeError("there is no read-out in closed form to be trained here")
    if learner.loop is not None:
        states = learner.loop.hardware.states(batch.inputs, batch.lengths)
    else:
        run = network.run(batch.inputs, steps, record_last=network.answer.last if batch.lengths is None else None)
        ends_s = torch.arange(1, run.filtered.shape[2] + 1) * network.steps.sample_interval_s
        states = last_layer(modelled(run.filtered, ends_s), network, batch.lengths)
        learner.refuse_divergence(states.values.isfinite().flatten(1).all(1))
    readout.take_in(states, batch, network.answer)
    learner.steps += 1


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
