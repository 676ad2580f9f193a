"""The reference rollout: plain torch, differentiable by autograd, the meaning every faster engine must reproduce."""

from collections.abc import Mapping

import torch
from torch import Tensor

from spinhw.physics import thermal_step
from spinhw.rollout.cells import CELLS, Cell
from spinhw.rollout.checks import check_driven, check_network
from spinhw.rollout.drivers import Driver, GivenDriver, NetworkDriver
from spinhw.rollout.parameters import Extras, Neurons, Rollout, Steps, Weights
from spinhw.rollout.recurrence import recurrence


def rollout(
    weights: Weights,
    neurons: Neurons,
    inputs: Tensor,
    steps: Steps,
    *,
    cell: str = "spintronic",
    drive_rate_per_s: float = 1e9,
    initial: str | Tensor = "rest",
    extras: Extras = Extras(),
    overrides: Mapping[int, Tensor] | None = None,
    loop_delay_s: float = 0.0,
    record_drive: bool = False,
) -> Rollout:
    """Integrate whole networks over time; all layers advance together (Plouet et al. 2024, eq. 1 to 8).

    The drive of a neuron of layer l is sat(drive_rate S (W_ext y_{l-1} + W_int y_l + b) + I_bias), where the first
    layer's y_{l-1} is the input, held over each sample interval.

    Args:
        weights: Synapses and trainable biases, dimensionless.
        neurons: Per-neuron parameters, (member, neuron), or (1, neuron) for all members alike.
        inputs: u, dimensionless, (member, batch, time, input).
        steps: Time grid; "steps" in shapes below is time * substeps.
        cell: "spintronic" or "ctrnn".
        drive_rate_per_s: Drive of a unit synaptic sum at S = 1, in 1/s.
        initial: "rest" (where the bias drive alone leads), "half" (x = 1/2, the paper's), or x itself, (member, batch
            or 1, neuron), within [0, 1].
        extras: Noise and defect.
        overrides: For a layer (1 or above), the y of the layer before at every step node, (member, batch, steps + 1,
            source), in place of the rollout's own.
        loop_delay_s: Delay of every y on its way to a drive (y = 0 before the first sample), in seconds, zero or above.
        record_drive: Whether to return the drive.

    Returns:
        States and outputs at the end of each sample interval.

    Raises:
        ValueError: An argument whose shape does not fit; the message names it.
    """
    overrides = overrides or {}
    check_network(weights, neurons, inputs, steps, extras, overrides)
    scale = (neurons.gain * drive_rate_per_s)[:, None]  # (member or 1, 1, neuron)
    kind = CELLS[cell](neurons, steps.step_s)
    synapses = recurrence(weights, inputs, overrides).scaled(scale)
    driver = NetworkDriver(kind, synapses, steps.substeps, loop_delay_s / steps.step_s)
    start = start_state(kind, initial, synapses.held[:, :, 0])
    return integrate(kind, driver, start, inputs.shape[2], steps, extras, record_drive)


def rollout_driven(
    drive: Tensor,
    neurons: Neurons,
    steps: Steps,
    *,
    at_nodes: bool = False,
    initial: str | Tensor = "rest",
    extras: Extras = Extras(),
) -> Rollout:
    """Integrate uncoupled oscillators under a given drive: the drive-only form, without a network.

    Args:
        drive: I in 1/s as the devices see it: (member, batch, time, neuron), held over each sample interval, or,
            `at_nodes`, (member, batch, steps + 1, neuron): a step then uses the node it starts from (order 1) or the
            mean of its two nodes (order 2). Neither the bias nor the bounds of the neurons are applied to it.
        neurons: As for `rollout`; bias_drive serves `initial="rest"` only.
        steps: As for `rollout`.
        at_nodes: Whether the drive is given at the step nodes.
        initial: As for `rollout`.
        extras: As for `rollout`.

    Raises:
        ValueError: An argument whose shape does not fit; the message names it.
    """
    times = check_driven(drive, neurons, steps, at_nodes, extras)
    kind = CELLS["spintronic"](neurons, steps.step_s)
    driver = GivenDriver(drive, steps.substeps, at_nodes)
    return integrate(kind, driver, start_state(kind, initial, drive[:, :, 0]), times, steps, extras, record_drive=False)


def start_state(cell: Cell, initial: str | Tensor, like: Tensor) -> Tensor:
    """Give the state before the first sample, shaped as `like`, (member, batch, neuron)."""
    if isinstance(initial, Tensor):
        return initial.expand_as(like)
    if initial not in ("rest", "half"):
        raise ValueError(f"initial must be 'rest', 'half' or a tensor, not {initial!r}")
    return (cell.rest() if initial == "rest" else torch.full_like(like, 0.5)).expand_as(like)


def integrate(
    cell: Cell, driver: Driver, start: Tensor, times: int, steps: Steps, extras: Extras, record_drive: bool
) -> Rollout:
    """Step a cell through all sample intervals.

    Args:
        cell: Kind of neuron, prepared for the step length.
        driver: Where the drive comes from.
        start: State before the first sample, (member, batch, neuron).
        times: Number of sample intervals.
        steps: Time grid.
        extras: Noise and defect.
        record_drive: Whether to return the mean drive of each interval.
    """
    state, output = start, torch.zeros_like(start)
    states, outputs, drives = [], [], []
    defect = None if extras.defect is None else extras.defect.unbind(2)
    for time in range(times):
        total = None
        for step in range(time * steps.substeps, (time + 1) * steps.substeps):
            shift = None if defect is None else defect[step + 1] - defect[step]
            drive = driver.at_start(step, output)
            moved = cell.advance(state, drive)
            if steps.order == 2:
                predicted = cell.emit(output, _change(state, moved, shift), moved)
                drive = driver.at_middle(step, output, predicted)
                moved = cell.advance(state, drive)
            if extras.noise is not None and extras.diffusion_per_s is not None:
                moved = thermal_step(moved, extras.diffusion_per_s[:, None], steps.step_s, extras.noise[:, :, step])
            output = cell.emit(output, _change(state, moved, shift), moved)
            state = moved
            if record_drive:
                total = drive if total is None else total + drive
        states.append(state)
        outputs.append(output)
        if total is not None:
            drives.append(total / steps.substeps)
    drive_trace = torch.stack(drives, dim=2) if record_drive else None
    return Rollout(start, torch.stack(states, dim=2), torch.stack(outputs, dim=2), drive_trace)


def _change(before: Tensor, after: Tensor, shift: Tensor | None) -> Tensor:
    return after - before if shift is None else after - before + shift
