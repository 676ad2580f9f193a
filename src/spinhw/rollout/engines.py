"""The rollout that everybody calls: checks its arguments once, then hands them to an engine."""

from collections.abc import Mapping

from torch import Tensor

from spinhw.rollout.checks import check_driven, check_network
from spinhw.rollout.choice import solve
from spinhw.rollout.names import Engine
from spinhw.rollout.parameters import Extras, Neurons, Rollout, Weights
from spinhw.rollout.problem import DrivenProblem, NetworkProblem
from spinhw.rollout.steps import Steps


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
    record_last: int | None = None,
    engine: Engine = "auto",
) -> Rollout:
    """Integrate whole networks over time; all layers advance together (Plouet et al. 2024, eq. 1 to 8).

    The drive of a neuron of layer l is sat(drive_rate S (W_ext y_{l-1} + W_int y_l + b) + I_bias), where the y_{l-1} of
    the first layer is the input, held over each sample interval.

    Args:
        weights: Synapses and trainable biases, dimensionless.
        neurons: Per-neuron parameters, (member, neuron), or (1, neuron) for all members alike. The logistic rate is
            stepped exactly, any other by midpoint steps, on the reference engine only.
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
        record_drive: Whether to return the mean drive of each interval.
        record_last: How many samples at the end to return; None for all.
        engine: "reference" (plain torch), "cpu" (compiled, several times faster; no gradient by the noise, a loop
            delay and a record of the drive only where no gradient is wanted), "gpu" (Triton, on CUDA tensors of
            float32; like "cpu" otherwise, but never a delay or a record of the drive) or "auto" (the fastest that can
            do what is asked where the tensors are). The CPU engine takes as many threads as `torch.get_num_threads()`
            says, whatever Numba's own settings, and gives the same bits for any number.

    Returns:
        States and outputs at the end of each sample interval.

    Raises:
        ValueError: An argument whose shape, type or device does not fit, or that holds what is not finite, or an engine
            that cannot do it; the message names it.
        ConfigError: It does not fit into memory, a compiled engine was asked for by name and does not have the rate
            of the neurons, or these have no rest.

    Warns:
        SpinhwWarning: Once, where the steps are too long for the drive.

    In `torch.compile` and `torch.export` the CPU engine is an operator of torch. The transforms of `torch.func`,
    forward-mode derivatives and `torch.jit.trace` run on the reference.
    """
    problem = NetworkProblem(
        weights,
        neurons,
        inputs,
        steps,
        cell,
        drive_rate_per_s,
        initial,
        extras,
        overrides or {},
        loop_delay_s,
        record_drive,
        record_last,
    )
    check_network(problem)
    return solve(problem, engine)


def rollout_driven(
    drive: Tensor,
    neurons: Neurons,
    steps: Steps,
    *,
    at_nodes: bool = False,
    initial: str | Tensor = "rest",
    extras: Extras = Extras(),
    engine: Engine = "auto",
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
        engine: As for `rollout`.

    Raises:
        ValueError: An argument whose shape does not fit, or an engine that cannot do it; the message names it.
    """
    problem = DrivenProblem(drive, neurons, steps, at_nodes, initial, extras)
    check_driven(problem)
    return solve(problem, engine)
