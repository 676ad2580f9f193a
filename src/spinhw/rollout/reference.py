"""The reference rollout: plain torch, differentiable by autograd, the meaning every faster engine must reproduce."""

import torch
from torch import Tensor

from spinhw.physics import thermal_step
from spinhw.rollout.cells import Cell, make_cell
from spinhw.rollout.drivers import Driver, GivenDriver, NetworkDriver
from spinhw.rollout.parameters import Extras, Rollout
from spinhw.rollout.problem import DrivenProblem, NetworkProblem
from spinhw.rollout.recurrence import recurrence
from spinhw.rollout.steps import Steps


def rollout(problem: NetworkProblem) -> Rollout:
    """Integrate a whole network."""
    neurons, steps = problem.neurons, problem.steps
    scale = (neurons.gain * problem.drive_rate_per_s)[:, None]  # (member or 1, 1, neuron)
    cell = make_cell(problem.cell, neurons, steps.step_s)
    synapses = recurrence(problem.weights, problem.inputs, problem.overrides).scaled(scale)
    driver = NetworkDriver(cell, synapses, steps.substeps, problem.loop_delay_s / steps.step_s)
    start = start_state(cell, problem.initial, synapses.held[:, :, 0])
    recorded = range(problem.samples - problem.recorded, problem.samples)
    return integrate(cell, driver, start, recorded, steps, problem.extras, problem.record_drive)


def rollout_driven(problem: DrivenProblem) -> Rollout:
    """Integrate uncoupled oscillators."""
    drive, steps = problem.drive, problem.steps
    cell = make_cell("spintronic", problem.neurons, steps.step_s)
    driver = GivenDriver(drive, steps.substeps, problem.at_nodes)
    start = start_state(cell, problem.initial, drive[:, :, 0])
    return integrate(cell, driver, start, range(problem.samples), steps, problem.extras, False)


def start_state(cell: Cell, initial: str | Tensor, like: Tensor) -> Tensor:
    """Give the state before the first sample, shaped as `like`, (member, batch, neuron)."""
    if isinstance(initial, Tensor):
        return initial.expand_as(like)
    return (cell.rest() if initial == "rest" else torch.full_like(like, 0.5)).expand_as(like)


def integrate(
    cell: Cell, driver: Driver, start: Tensor, recorded: range, steps: Steps, extras: Extras, record_drive: bool
) -> Rollout:
    """Step a cell through all sample intervals.

    Args:
        cell: Kind of neuron, prepared for the step length.
        driver: Where the drive comes from.
        start: State before the first sample, (member, batch, neuron).
        recorded: Sample intervals that are returned; the last one is the last that is integrated.
        steps: Time grid.
        extras: Noise and defect.
        record_drive: Whether to return the mean drive of each interval.
    """
    state, output = start, cell.silence(start)
    states, outputs, drives = [], [], []
    defect = None if extras.defect is None else extras.defect.unbind(2)
    for time in range(recorded.stop):
        total = None
        for step in range(time * steps.substeps, (time + 1) * steps.substeps):
            shift = None if defect is None else defect[step + 1] - defect[step]
            drive, moved = advance(cell, driver, step, steps.order, state, output, shift)
            if extras.noise is not None and extras.diffusion_per_s is not None:
                moved = thermal_step(moved, extras.diffusion_per_s[:, None], steps.step_s, extras.noise[:, :, step])
            output = cell.emit(output, change(state, moved, shift), moved)
            state = moved
            if record_drive:
                total = drive if total is None else total + drive
        if time not in recorded:
            continue
        states.append(state)
        outputs.append(output)
        if total is not None:
            drives.append(total / steps.substeps)
    drive_trace = torch.stack(drives, dim=2) if record_drive else None
    return Rollout(start, torch.stack(states, dim=2), torch.stack(outputs, dim=2), drive_trace)


def advance(
    cell: Cell, driver: Driver, step: int, order: int, state: Tensor, output: Tensor, shift: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Take one step without noise; give the drive that it was taken with, and the state after it.

    Args:
        cell: Kind of neuron.
        driver: Where the drive comes from.
        step: Number of the step, from 0.
        order: 1 or 2.
        state: Before the step, (member, batch, neuron).
        output: Before the step.
        shift: Change of the defect over the step.
    """
    drive = driver.at_start(step, output)
    moved = cell.advance(state, drive)
    if order == 2:
        predicted = cell.emit(output, change(state, moved, shift), moved)
        drive = driver.at_middle(step, output, predicted)
        moved = cell.advance(state, drive)
    return drive, moved


def change(before: Tensor, after: Tensor, shift: Tensor | None = None) -> Tensor:
    """Give what the high-pass sees change over a step."""
    return after - before if shift is None else after - before + shift
