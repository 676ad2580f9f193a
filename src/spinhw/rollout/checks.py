"""Checks of the tensors of a rollout, once, at its boundary: shapes, types, places."""

from torch import Tensor

from spinhw.physics import LOGISTIC
from spinhw.rollout.parameters import Extras
from spinhw.rollout.problem import DrivenProblem, Named, NetworkProblem, Problem


def check_network(problem: NetworkProblem) -> None:
    """Check the arguments of `rollout`.

    Raises:
        ValueError: Names the argument, what it is (shape, type or device) and what is wanted.
    """
    weights, inputs, members, sizes = problem.weights, problem.inputs, problem.members, problem.weights.layers
    _expect("inputs", inputs, (members, None, None, weights.w_ext[0].shape[-1]))
    _check_length("inputs", problem)
    for layer, size in enumerate(sizes):
        source = weights.w_ext[0].shape[-1] if layer == 0 else sizes[layer - 1]
        _expect(f"weights.w_ext[{layer}]", weights.w_ext[layer], (members, size, source))
        _expect(f"weights.w_int[{layer}]", weights.w_int[layer], (members, size, size))
        _expect(f"weights.bias[{layer}]", weights.bias[layer], (members, size))
    _check_common("inputs", problem)
    if problem.cell == "ctrnn" and problem.neurons.rate != LOGISTIC:
        raise ValueError(
            f"neurons.rate is {problem.neurons.rate.name!r} and cell 'ctrnn', which has no rate to replace; "
            "it must be the default: leave it out"
        )
    for layer, outputs in problem.overrides.items():
        if not 1 <= layer < len(sizes):
            raise ValueError(
                f"overrides are for layers 1 to {len(sizes) - 1}, not {layer}; the first layer's is `inputs`"
            )
        _expect(f"overrides[{layer}]", outputs, (members, problem.batch, _nodes(problem), sizes[layer - 1]))


def check_driven(problem: DrivenProblem) -> None:
    """Check the arguments of `rollout_driven`.

    Raises:
        ValueError: Names the argument, what it is (shape, type or device) and what is wanted.
    """
    _expect("drive", problem.drive, (None, None, None, None))
    length, substeps = problem.drive.shape[2], problem.steps.substeps
    if problem.at_nodes and (length - 1) % substeps:
        raise ValueError(f"drive at nodes has {length} nodes; a whole number of intervals needs time * {substeps} + 1")
    _check_length("drive", problem)
    _check_common("drive", problem)


def _check_common(name: str, problem: Problem) -> None:
    """Check what both kinds of problem have; `name` is that of its signal."""
    named = problem.tensors()
    _check_neurons(named, problem)
    _check_initial(problem.initial, (problem.members, problem.batch, problem.width))
    _check_extras(problem.extras, (problem.members, problem.batch, _nodes(problem), problem.width))
    _check_alike(name, named, problem)


def _nodes(problem: Problem) -> int:
    return problem.samples * problem.steps.substeps + 1


def _check_length(name: str, problem: Problem) -> None:
    times, recorded = problem.samples, problem.recorded
    if times < 1:
        raise ValueError(f"{name} has {times} time samples; at least one is needed")
    if problem.batch < 1:
        raise ValueError(f"{name} has shape {tuple(problem.signal.shape)}, a batch of nothing; at least one is needed")
    if not 1 <= recorded <= times:
        raise ValueError(f"record_last is {recorded}; it must be 1 to {times}, the samples there are, or None")


def _check_alike(name: str, named: Named, problem: Problem) -> None:
    """Check that everything is of one floating-point type and lies on one device, those of the signal."""
    dtype, device = problem.signal.dtype, problem.signal.device
    if not dtype.is_floating_point:
        raise ValueError(f"{name} is of {dtype}; it must be of a floating-point type: write {name}.to(torch.float32)")
    for other, tensor in named.items():
        if tensor.dtype != dtype:
            raise ValueError(f"{other} is of {tensor.dtype} and {name} of {dtype}; they must be alike: convert one")
        if tensor.device != device:
            raise ValueError(
                f"{other} is on the device {str(tensor.device)!r} and {name} on {str(device)!r}; "
                "move them to one device"
            )


def _check_neurons(named: Named, problem: Problem) -> None:
    for name, value in named.items():
        if name.startswith("neurons."):
            _expect_either(name, value, (problem.members,), problem.width)


def _check_initial(initial: str | Tensor, shape: tuple[int, int, int]) -> None:
    if isinstance(initial, Tensor):
        *leading, width = shape
        _expect_either("initial", initial, tuple(leading), width)
    elif initial not in ("rest", "half"):
        raise ValueError(f"initial must be 'rest', 'half' or a tensor, not {initial!r}")


def _check_extras(extras: Extras, node_shape: tuple[int, int, int, int]) -> None:
    members, batch, nodes, width = node_shape
    if (extras.noise is None) != (extras.diffusion_per_s is None):
        raise ValueError("noise and diffusion_per_s belong together; only one of them was given")
    if extras.noise is not None and extras.diffusion_per_s is not None:
        _expect("extras.noise", extras.noise, (members, batch, nodes - 1, width, 2))
        _expect_either("extras.diffusion_per_s", extras.diffusion_per_s, (members,), width)
    if extras.defect is not None:
        _expect("extras.defect", extras.defect, node_shape)


def _expect(name: str, tensor: Tensor, shape: tuple[int | None, ...]) -> None:
    fits = tensor.ndim == len(shape)
    if not fits or any(want not in (None, have) for want, have in zip(shape, tensor.shape, strict=True)):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; it must be ({wanted})")


def _expect_either(name: str, tensor: Tensor, leading: tuple[int, ...], width: int) -> None:
    """Check a shape whose leading axes may be 1 in place of what they stand for."""
    shape = tuple(tensor.shape)
    fits = len(shape) == len(leading) + 1 and shape[-1] == width
    if not fits or any(have not in (1, want) for have, want in zip(shape, leading, strict=False)):
        wanted = ", ".join([*(f"{size} or 1" for size in leading), str(width)])
        raise ValueError(f"{name} has shape {shape}; it must be ({wanted})")
