"""A trained network that goes on by itself: what it foretells is shown to it as the next input."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinhw.atomic import write_atomically
from spinhw.errors import ConfigError
from spinhw.network import SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.tasks import Batch
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.handed_over import with_data
from spinhw.training.held_out import first_held_out, refuse_non_finite
from spinhw.training.learner import Learner
from spinhw.training.member import of_seeds
from spinhw.training.progress import SILENT, Progress, Tick
from spinhw.training.provenance import circumstances
from spinhw.training.run_folder import RunFolder
from spinhw.training.settings import RunSettings
from spinhw.training.statistics import over_seeds
from spinhw.training.versions import versions

# Sequences of each network that are gone on with: as many as an error over the horizon takes to be smooth.
SEQUENCES = 20
# A network is said to follow a series until its error is above this, in standard deviations of the series.
FOLLOWS = 0.5


@dataclass(frozen=True)
class Generation:
    """How networks went on with sequences of which they had seen the beginning.

    Args:
        prefix: Samples that they had seen.
        right: The inputs as they go on, (member, sequence, prefix + generated, channel).
        generated: What the networks made of that, (member, sequence, generated, channel).
        found: The same in figures, as plain data for JSON.
    """

    prefix: int
    right: NDArray[np.float32]
    generated: NDArray[np.float32]
    found: dict[str, Any]


@torch.no_grad()
def generate(
    network: SpintronicNetwork,
    prefix: Tensor,
    count: int,
    horizon: int = 1,
    steps: Steps | None = None,
    as_inputs: Callable[[Tensor], Tensor] = lambda values: values,
    tick: Tick | None = None,
) -> Tensor:
    """Let networks go on by themselves, by simulation: their answers become the next inputs.

    Args:
        network: An ensemble that answers after each sample, with the input that comes so many samples later.
        prefix: Inputs that are given, (member, sequence, time, channel); at least `horizon` samples.
        count: Samples to generate, at least 1.
        horizon: How many samples later that is, at least 1.
        steps: Another time grid than the network's own.
        as_inputs: Turns answers into inputs.
        tick: Told of the progress; may raise to stop.

    Returns:
        The inputs that follow, (member, sequence, count, channel).
    """
    given = prefix.shape[2]
    if not 1 <= horizon <= given or count < 1:
        raise ValueError(f"{given} samples are given and {count} to follow, {horizon} samples ahead")
    stepper, shown = network.stepper(steps), list(prefix.unbind(2))
    foretold: list[Tensor] = []
    for time in range(given + count - horizon):
        if time >= len(shown):
            shown.append(foretold[time - horizon])
        answers = network.read_out(stepper.step(shown[time])[:, :, None])
        foretold.append(as_inputs(answers[:, :, 0]))  # The input at time + horizon.
        if tick is not None:
            tick(time + 1, given + count - horizon)
    return torch.stack(foretold[given - horizon :], dim=2)


def generate_run(
    folder: str | Path,
    count: int,
    progress: Progress = SILENT,
    note: str = "",
    seeds: Sequence[int] | None = None,
    task: Any = None,
) -> Generation:
    """Let the trained networks of a run go on with held-out sequences by themselves, by simulation at the fine steps.

    Each sequence is shown up to so many samples before its end; the networks foretell the rest from their own answers.

    Args:
        folder: A run folder, finished or not.
        count: Samples to generate, at least 1.
        progress: Told what happens.
        note: Given back with what came out, in place of ``run.note``.
        seeds: Of the networks; None for all of the run.
        task: What `train` was given, where a task was handed over to it.

    Raises:
        ConfigError: It is no run folder, the run has no such seed, the task is another one than to foretell its own
            inputs, or its sequences are too short.
    """
    opened = RunFolder.open(Path(folder))
    settings = with_data(opened, opened.settings(), task)
    around = circumstances(settings.run, note)
    horizon = foretold_horizon(settings)
    learner = Learner(settings)
    learner.restore(*load_checkpoint(opened.checkpoint))
    settings, network = of_seeds(settings, learner.evaluated, seeds)
    shown, tick = settings.open_task(), partial(progress.on_evaluation, "generating")
    batch = first_held_out(shown, settings.training.seeds, settings.final_part, SEQUENCES)
    prefix = _prefix(batch, count, horizon)
    right = batch.inputs[:, :, : prefix + count]
    made = generate(network, right[:, :, :prefix], count, horizon, settings.fine_steps, shown.as_inputs, tick)
    refuse_non_finite(made, settings.training.seeds, settings)
    found = {
        "epochs": learner.epoch,
        "seeds": list(settings.training.seeds),
        "part": settings.final_part,
        "sequences": batch.size,
        "prefix": prefix,
        "horizon": horizon,
        **_errors(right[:, :, prefix:], made),
        "beyond_input_range": _beyond(settings, made),
        "versions": versions(),
        "provenance": around,
    }
    return Generation(prefix, right.numpy(), made.numpy(), found)


def write_generation(one: Generation, path: Path) -> None:
    """Write what was found as JSON.

    Raises:
        ConfigError: The file cannot be written.
    """
    write_atomically(path, (json.dumps(one.found, indent=2, allow_nan=False) + "\n").encode())


def foretold_horizon(settings: RunSettings) -> int:
    """Return how many samples ahead a run foretells its own inputs.

    Raises:
        ConfigError: It does something else.
    """
    horizon = settings.task.forecast_samples
    if horizon is None or not settings.task.per_step or settings.task.inputs != settings.task.outputs:
        raise ConfigError(
            "--generate: the answers of this task are not its inputs to come, so they cannot become the next ones",
            seen=f"task.kind {settings.task.kind}",
            allowed="a task that foretells its own series after each sample, such as mackey_glass",
            todo="leave out --generate, or train such a task",
        )
    return horizon


def refuse_device(settings: RunSettings, count: int, networks: int, asked: str) -> None:
    """Say why no device goes on by itself, with the number of shots that it would take.

    Args:
        settings: The run.
        count: Samples to generate.
        networks: How many.
        asked: Which option named the device.

    Raises:
        ConfigError: Always.
    """
    replays = -(-count // foretold_horizon(settings))
    raise ConfigError(
        "--generate runs on the simulator alone: no feedback of nanoseconds passes through a computer, so a device "
        "would replay everything before each sample that it generates",
        seen=f"{asked}: {replays} replays of {SEQUENCES} sequences for {networks} networks, "
        f"{replays * SEQUENCES * networks} shots",
        todo=f"leave out {asked.split()[0]}",
    )


def _prefix(batch: Batch, count: int, horizon: int) -> int:
    """Return how many samples are shown, so that as many as are generated are known of each sequence.

    Raises:
        ConfigError: Too few would be left.
    """
    shortest = batch.inputs.shape[2] if batch.lengths is None else int(batch.lengths.min())
    least = max(horizon, batch.washout, 1)
    if not 1 <= count <= shortest - least:
        raise ConfigError(
            "--generate: so many samples do not follow in the held-out sequences",
            seen=count,
            allowed=f"1 to {shortest - least}: the shortest has {shortest} samples, of which {least} are needed to "
            "begin with (task's washout and horizon)",
            todo="generate fewer, or train on longer sequences",
        )
    return shortest - count


def _errors(right: Tensor, made: Tensor) -> dict[str, Any]:
    """Sum up the error over the horizon: rms over sequences and channels, in standard deviations of what is right."""
    spread = (right - right.mean((1, 2), keepdim=True)).square().mean((1, 2, 3)).clamp_min(1e-30)  # (member,)
    errors = ((made - right).square().mean((1, 3)) / spread[:, None]).sqrt()  # (member, generated)
    lost = (errors > FOLLOWS).int()
    follows = torch.where(lost.any(1), lost.argmax(1), torch.full_like(lost[:, 0], errors.shape[1]).long())
    return {
        "nrmse_by_sample": [over_seeds(column.tolist()) for column in errors.unbind(1)],
        "follows_samples": over_seeds(follows.tolist()),
        "follows_up_to": FOLLOWS,
    }


def _beyond(settings: RunSettings, made: Tensor) -> float:
    """Return the share of what was generated that lies beyond the inputs of the task, 0 to 1."""
    low, high = settings.task.input_range
    return float(((made < low) | (made > high)).double().mean())
