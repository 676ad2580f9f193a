"""Checks of the tensors of a rollout, once, at its boundary: shapes, types, places."""

from collections.abc import Mapping

from torch import Tensor

from spinhw.rollout.parameters import Extras, Neurons, Steps, Weights


def check_network(
    weights: Weights,
    neurons: Neurons,
    inputs: Tensor,
    steps: Steps,
    initial: str | Tensor,
    extras: Extras,
    overrides: Mapping[int, Tensor],
    record_last: int | None,
) -> None:
    """Check the arguments of `rollout`.

    Raises:
        ValueError: Names the argument, what it is (shape, type or device) and what is wanted.
    """
    members, sizes = weights.members, weights.layers
    _expect("inputs", inputs, (members, None, None, weights.w_ext[0].shape[-1]))
    _check_length("inputs", inputs.shape[2], record_last)
    batch, nodes = inputs.shape[1], inputs.shape[2] * steps.substeps + 1
    for layer, size in enumerate(sizes):
        source = weights.w_ext[0].shape[-1] if layer == 0 else sizes[layer - 1]
        _expect(f"weights.w_ext[{layer}]", weights.w_ext[layer], (members, size, source))
        _expect(f"weights.w_int[{layer}]", weights.w_int[layer], (members, size, size))
        _expect(f"weights.bias[{layer}]", weights.bias[layer], (members, size))
    _check_alike("inputs", inputs, weights, neurons)
    _check_neurons(neurons, members, sum(sizes))
    _check_initial(initial, (members, batch, sum(sizes)))
    _check_extras(extras, (members, batch, nodes, sum(sizes)))
    for layer, outputs in overrides.items():
        if not 1 <= layer < len(sizes):
            raise ValueError(
                f"overrides are for layers 1 to {len(sizes) - 1}, not {layer}; the first layer's is `inputs`"
            )
        _expect(f"overrides[{layer}]", outputs, (members, batch, nodes, sizes[layer - 1]))


def check_driven(
    drive: Tensor, neurons: Neurons, steps: Steps, at_nodes: bool, initial: str | Tensor, extras: Extras
) -> None:
    """Check the arguments of `rollout_driven`.

    Raises:
        ValueError: Names the argument, what it is (shape or device) and what is wanted.
    """
    _expect("drive", drive, (None, None, None, None))
    members, batch, length, width = drive.shape
    if at_nodes and (length - 1) % steps.substeps:
        raise ValueError(
            f"drive at nodes has {length} nodes; a whole number of intervals needs time * {steps.substeps} + 1"
        )
    times = (length - 1) // steps.substeps if at_nodes else length
    _check_length("drive", times, None)
    _check_alike("drive", drive, None, neurons)
    _check_neurons(neurons, members, width)
    _check_initial(initial, (members, batch, width))
    _check_extras(extras, (members, batch, times * steps.substeps + 1, width))


def _check_length(name: str, times: int, record_last: int | None) -> None:
    if times < 1:
        raise ValueError(f"{name} has {times} time samples; at least one is needed")
    if record_last is not None and not 1 <= record_last <= times:
        raise ValueError(f"record_last is {record_last}; it must be 1 to {times}, the samples there are, or None")


def _check_alike(name: str, driving: Tensor, weights: Weights | None, neurons: Neurons) -> None:
    """Check that everything lies on one device, and that weights have the type of what they multiply."""
    matrices = ("w_ext", "w_int", "bias")
    placed = {
        f"weights.{kind}[{layer}]": tensor
        for kind in (matrices if weights else ())
        for layer, tensor in enumerate(getattr(weights, kind))
    }
    for other, tensor in placed.items():
        if tensor.dtype != driving.dtype:
            raise ValueError(
                f"{other} is of {tensor.dtype} and {name} of {driving.dtype}; they must be alike: convert one of them"
            )
    for other, tensor in (placed | {"neurons.gamma": neurons.gamma}).items():
        if tensor.device != driving.device:
            raise ValueError(
                f"{other} is on the device {str(tensor.device)!r} and {name} on {str(driving.device)!r}; "
                "move them to one device"
            )


def _check_neurons(neurons: Neurons, members: int, width: int) -> None:
    for name in ("gamma", "sigma", "q", "cutoff_hz", "gain", "bias_drive"):
        value = getattr(neurons, name)
        if value.ndim != 2 or value.shape[0] not in (1, members) or value.shape[1] != width:
            raise ValueError(f"neurons.{name} has shape {tuple(value.shape)}; it must be ({members} or 1, {width})")


def _check_initial(initial: str | Tensor, shape: tuple[int, int, int]) -> None:
    if isinstance(initial, Tensor):
        members, batch, width = shape
        if initial.ndim != 3 or any(
            have not in want for have, want in zip(initial.shape, ((1, members), (1, batch), (width,)), strict=True)
        ):
            raise ValueError(
                f"initial has shape {tuple(initial.shape)}; it must be ({members} or 1, {batch} or 1, {width})"
            )
    elif initial not in ("rest", "half"):
        raise ValueError(f"initial must be 'rest', 'half' or a tensor, not {initial!r}")


def _check_extras(extras: Extras, node_shape: tuple[int, int, int, int]) -> None:
    members, batch, nodes, width = node_shape
    if (extras.noise is None) != (extras.diffusion_per_s is None):
        raise ValueError("noise and diffusion_per_s belong together; only one of them was given")
    if extras.noise is not None:
        _expect("extras.noise", extras.noise, (members, batch, nodes - 1, width, 2))
    if extras.defect is not None:
        _expect("extras.defect", extras.defect, node_shape)


def _expect(name: str, tensor: Tensor, shape: tuple[int | None, ...]) -> None:
    fits = tensor.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, tensor.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; it must be ({wanted})")
