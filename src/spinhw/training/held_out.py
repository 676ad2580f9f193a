"""How well trained networks do on sequences that they have not seen, by simulation."""

from collections.abc import Sequence

import torch
from torch import Tensor

from spinhw.network import SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.sequences import in_one
from spinhw.tasks import Batch, Part, Task, chosen, joined
from spinhw.training.divergence import Diverged
from spinhw.training.forward import logits
from spinhw.training.progress import Tick
from spinhw.training.settings import RunSettings


@torch.no_grad()
def held_out_answers(
    network: SpintronicNetwork,
    task: Task,
    seeds: Sequence[int],
    part: Part,
    settings: RunSettings,
    steps: Steps | None = None,
    tick: Tick | None = None,
) -> tuple[Tensor, Batch]:
    """Return the answers (member, sequence, answer, output) to the held-out sequences, by simulation, and these.

    Args:
        network: The networks.
        task: Their task.
        seeds: Seed of each member.
        part: Which held-out sequences.
        settings: The run: its engine, and what its keys are called.
        steps: Another time grid than the network's own.
        tick: Told of the progress.

    Raises:
        Diverged: Some answers are not finite.
    """
    batches = list(task.held_out(seeds, part))
    answers, done, total = [], 0, task.held_out_sequences(part)
    for batch in batches:
        answers.append(logits(network, batch, steps, settings.training.engine))
        done += batch.size
        if tick is not None:
            tick(done, total)
    found = in_one(answers)
    refuse_non_finite(found, seeds, settings)
    return found, joined(batches)


def first_held_out(task: Task, seeds: Sequence[int], part: Part, count: int) -> Batch:
    """Return the first so many held-out sequences of every member, or all where there are fewer."""
    batches, found = [], 0
    for batch in task.held_out(seeds, part):
        batches.append(batch)
        found += batch.size
        if found >= count:
            break
    return chosen(joined(batches), slice(count))


def refuse_non_finite(answers: Tensor, seeds: Sequence[int], settings: RunSettings) -> None:
    """Stop where the networks' answers are no numbers to count with.

    Args:
        answers: (member, sequence, answer, output).
        seeds: Seed of each member.
        settings: The run, for what its keys are called.

    Raises:
        Diverged: Names the seeds.
    """
    fine = answers.isfinite().flatten(1).all(1)
    if not fine.all():
        raise Diverged(
            "the answers of the networks overflow",
            fine,
            seeds,
            seen="answers that are not finite",
            todo="bring network.weight_limit, out_gain, gain, sigma, drive_rate and "
            f"{settings.task.scale_key} nearer to one",
        )
