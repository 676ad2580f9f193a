"""How long runs with simulated chips in the loop will take: one chip's batch is timed, the rest is counted."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from spinhw.gradients.shown import readout_plan
from spinhw.network import SpintronicNetwork
from spinhw.studies.forecast import forecast_s
from spinhw.studies.point import Point
from spinhw.training import RunSettings
from spinhw.training.deploy import device_for
from spinhw.training.device_loop import put_in_loop
from spinhw.training.model import make_refits
from spinhw.training.summary import looks


@dataclass(frozen=True)
class _Times:
    """Processor time of one chip, in seconds.

    Args:
        play_s: A batch that is only measured.
        step_s: A training step; zero where nothing is trained.
        look_s: A training step whose batch a refit looks at.
    """

    play_s: float
    step_s: float = 0.0
    look_s: float = 0.0


def forecast_in_loop_s(points: Iterable[Point]) -> dict[str, float]:
    """Estimate the processor time of each point on this machine, in seconds, by key.

    A refit's first look, at nothing known, is taken for each of its looks: rather too long than too short.
    """
    each = list(points)
    predicted = forecast_s(point for point in each if point.settings.device is None)
    timed: dict[tuple[object, ...], _Times] = {}
    for point in each:
        settings = point.settings
        if settings.device is None:
            continue
        training = settings.training
        kind = (
            training.gradient,
            training.refit.when,
            training.refit.sequences,
            training.batch_size,
            training.loop.directions,
        )
        if kind not in timed:
            timed[kind] = _time_batches(settings)
        predicted[point.key] = _total_s(settings, timed[kind])
    return predicted


def _total_s(settings: RunSettings, times: _Times) -> float:
    training = settings.training
    task = settings.open_task()
    batches = (training.epochs - training.loop_start) * task.batches
    held_out = math.ceil(task.held_out_sequences(settings.final_part) / training.batch_size)
    shown = looks(settings, training.epochs) if batches else 0
    refits = _refits(batches, training.refit.every)
    # Played once more in the end, and integrated as finely by simulation.
    one = (batches - refits) * times.step_s + refits * times.look_s + (shown + 2) * held_out * times.play_s
    return len(training.seeds) * one


def _refits(batches: int, every: int) -> int:
    """Count the batches that a refit looks at: the first three, then after gaps that double."""
    return sum(turn < 3 or turn % every == 0 or turn & (turn - 1) == 0 for turn in range(batches))


def _time_batches(settings: RunSettings) -> _Times:
    """Time a batch on one chip."""
    training = settings.training
    alone = settings.model_copy(update={"training": training.model_copy(update={"seeds": training.seeds[:1]})})
    if alone.device is None or training.gradient is None:
        raise RuntimeError("a run without a device plays nothing")
    network = SpintronicNetwork(alone.network, alone.steps, alone.training.seeds)
    inputs = torch.zeros(1, training.batch_size, alone.task.samples, alone.task.inputs)
    with device_for(alone, alone.device) as device:
        values = {name: value.detach() for name, value in network.member_programmed().items()}
        device.program(values, network.member_masks())
        plan = readout_plan(device.describe(), alone.network)
        play_s = _shortest_s(lambda: device.run(inputs, plan))
        if training.loop_start == training.epochs:
            return _Times(play_s)
        plain = put_in_loop(training, network, device, training.gradient)
        step_s = _shortest_s(lambda: plain(inputs).square().sum().backward())
        if make_refits(alone, device) is None:
            return _Times(play_s, step_s, step_s)

        def first_look() -> None:
            refits = make_refits(alone, device)
            refitted = put_in_loop(training, network, device, training.gradient or "output", refits)
            refitted(inputs).square().sum().backward()

        return _Times(play_s, step_s, _shortest_s(first_look, repeats=1))


def _shortest_s(action: Callable[[], object], repeats: int = 2) -> float:
    """Time an action after one call that may compile and allocate."""
    action()
    return min(_cpu_s(action) for _ in range(repeats))


def _cpu_s(action: Callable[[], object]) -> float:
    begun = time.process_time()
    action()
    return time.process_time() - begun
