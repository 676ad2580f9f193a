"""How long a study will take: one training step of every distinct network is timed, the rest is counted."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import torch

from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.studies.point import Point
from spinhw.training import RunSettings
from spinhw.training.summary import looks

# What a network's time per step depends on; everything else only multiplies it.
Shape = tuple[object, ...]


def forecast_s(points: Iterable[Point]) -> dict[str, float]:
    """Estimate the processor time of each point on this machine, in seconds, by key.

    Checkpoints, figures and the start of a process are left out: a few seconds for each point at most. What a plateau
    may end is counted in full.
    """
    timed: dict[Shape, tuple[float, float]] = {}
    predicted = {}
    for point in points:
        settings = point.settings
        shape = _shape(settings)
        if shape not in timed:
            timed[shape] = _time_step(settings)
        done = 0 if point.shorter is None else point.shorter.settings.training.epochs
        predicted[point.key] = _total_s(settings, done, *timed[shape])
    return predicted


def _shape(settings: RunSettings) -> Shape:
    network, training, task = settings.network, settings.training, settings.task
    densities = (network.density_input, network.density_inter, network.density_intra)
    bounded = network.saturation.kind
    sizes = (network.inputs, *network.layers, network.outputs, task.samples)
    return (network.kind, sizes, densities, bounded, training.order, training.batch_size, len(training.seeds))


def _total_s(settings: RunSettings, done: int, training_step_s: float, forward_s: float) -> float:
    """Count steps after the epochs that are done; times are of a batch with one integration step for each sample."""
    training = settings.training
    task = settings.open_task()
    integrations = sum(training.substeps_in(epoch) for epoch in range(done, training.epochs))
    shown = 1 + looks(settings, training.epochs)
    held_out = math.ceil(task.held_out_sequences(settings.final_part) / training.batch_size)
    evaluated = held_out * (settings.fine_steps.substeps + shown * training.substeps)
    return training_step_s * task.batches * integrations + forward_s * evaluated


def _time_step(settings: RunSettings) -> tuple[float, float]:
    """Time a training step and a forward pass with one integration step for each sample, in seconds."""
    network = _network(settings.network, replace(settings.steps, substeps=1), len(settings.training.seeds))
    batch = settings.training.batch_size
    inputs = torch.zeros(len(settings.training.seeds), batch, settings.task.samples, settings.network.inputs)

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return network(inputs)

    def both() -> None:
        network(inputs).square().sum().backward()

    return _shortest_s(both), _shortest_s(forward)


def _network(settings: NetworkSettings, steps: Steps, members: int) -> SpintronicNetwork:
    return SpintronicNetwork(settings, steps, range(members))


def _shortest_s(action: Callable[[], object], repeats: int = 3) -> float:
    """Time an action on the processor, after one call that may compile and allocate."""
    action()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = []
        for _ in range(repeats):
            begun = time.process_time()
            action()
            times.append(time.process_time() - begun)
        return min(times)
    finally:
        torch.set_num_threads(threads)
