"""What people hand to a network, checked as they handed it over: each mistake is told in one sentence."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spinhw.errors import ConfigError
from spinhw.network.settings import NetworkSettings
from spinhw.rollout import Steps
from spinhw.rollout.choice import recorded_by_torch
from spinhw.units import show_quantity


def check_design(settings: object, steps: object) -> None:
    """Check what a network is made from.

    Raises:
        ConfigError: One of them is something else.
    """
    if not isinstance(settings, NetworkSettings):
        raise ConfigError(
            "settings: this is no design of a network",
            seen=shown(settings),
            allowed="NetworkSettings",
            todo="write NetworkSettings(...), or NetworkSettings.of(name) for the network of a recipe",
        )
    if not isinstance(steps, Steps):
        raise ConfigError(
            "steps: this is no time grid",
            seen=shown(steps),
            allowed="Steps",
            todo="write Steps(sample_interval_s), such as Steps(1e-9)",
        )


def seeds_of(seed: Any) -> int | list[int]:
    """Return the seed of one network, or those of an ensemble.

    Raises:
        ConfigError: It is neither a whole number nor several.
    """
    if _is_whole(seed):
        return int(seed)
    several = isinstance(seed, Sequence | np.ndarray | Tensor) and not isinstance(seed, str | bytes)
    seeds = seed.tolist() if isinstance(seed, np.ndarray | Tensor) else seed
    if not several or not isinstance(seeds, Sequence) or len(seeds) == 0 or not all(map(_is_whole, seeds)):
        raise ConfigError(
            "seed: this is no seed",
            seen=shown(seed),
            allowed="a whole number, or a sequence of them for an ensemble, at least one",
            todo="write for instance seed=0, or seed=[0, 1, 2]",
        )
    return [int(one) for one in seeds]


def one_seed(seed: Any) -> int:
    """Return the seed of a single network.

    Raises:
        ConfigError: It is no whole number.
    """
    if not _is_whole(seed):
        raise ConfigError(
            "seed: this is no seed",
            seen=shown(seed),
            allowed="a whole number; every network of its own has one",
            todo="write for instance seed=0",
        )
    return int(seed)


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def whole_number(name: str, value: Any, least: int) -> int:
    """Return a whole number that was given as an argument.

    Raises:
        ConfigError: It is something else, or below the least.
    """
    if not _is_whole(value) or value < least:
        raise ConfigError(
            f"{name}: this is no such number",
            seen=shown(value),
            allowed=f"a whole number, {least} or above",
            todo=f"write for instance {name.partition('[')[0]}={least}",
        )
    return int(value)


def check_inputs(given: object, channels: int, members: int | None) -> None:
    """Check inputs before the member axis is put in front.

    Args:
        given: (batch, time, input), for an ensemble (member, batch, time, input).
        channels: Input channels of the network.
        members: Networks of an ensemble; None for a single network.

    Raises:
        ValueError: They are no tensor, of another shape, or hold what is not finite.
    """
    inputs = tensor_of("inputs", given)
    names = "(batch, time, input)" if members is None else "(member, batch, time, input)"
    sizes = (None, None, channels) if members is None else (members, None, None, channels)
    if inputs.ndim != len(sizes) or any(
        want not in (None, have) for want, have in zip(sizes, inputs.shape, strict=True)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in sizes)
        raise ValueError(f"inputs has shape {tuple(inputs.shape)}; it must be ({wanted}), which is {names}")
    if _shows_numbers(inputs) and not inputs.detach().sum().isfinite():
        wrong = ~inputs.detach().isfinite()
        if wrong.any():
            place = tuple(wrong.nonzero()[0].tolist())
            raise ValueError(
                f"inputs holds {inputs[place].item()} at {place}, which is {names}; every number must be finite: look "
                "where it comes from"
            )


def check_lengths(given: object, inputs: Tensor, members: int | None) -> None:
    """Check the lengths of sequences before the member axis is put in front.

    Args:
        given: (batch), for an ensemble (batch) or (member, batch); None where all end with the time axis.
        inputs: As `check_inputs` lets them pass.
        members: Networks of an ensemble; None for a single network.

    Raises:
        ValueError: They are no tensor of whole numbers, of another shape, or longer than the inputs.
    """
    if given is None:
        return
    lengths = tensor_of("lengths", given)
    batch, time = inputs.shape[-3:-1]
    shapes = [(batch,)] if members is None else [(batch,), (members, batch)]
    if tuple(lengths.shape) not in shapes:
        wanted = " or ".join(map(str, shapes))
        raise ValueError(f"lengths has shape {tuple(lengths.shape)}; it must be {wanted}, one for each sequence")
    if lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ValueError(f"lengths is of {lengths.dtype}; it must be of whole numbers: write lengths.to(torch.int64)")
    if _shows_numbers(lengths) and not 1 <= int(lengths.min()) <= int(lengths.max()) <= time:
        raise ValueError(
            f"lengths goes from {int(lengths.min())} to {int(lengths.max())}; each must be 1 to {time}, the samples of "
            "the inputs"
        )


def refuse_spread_of_corners(cutoff_hz: Tensor) -> None:
    """Refuse neurons of a network of resonators whose corners of the high-pass differ.

    Behind chains a high-pass belongs to a destination and not to a source: only equal corners are the same equation.

    Raises:
        ConfigError: They do.
    """
    lowest, highest = float(cutoff_hz.min()), float(cutoff_hz.max())
    if highest > lowest * (1 + 1e-6):
        raise ConfigError(
            "with resonators the high-pass stands behind the chains, and one corner is modelled for all of them",
            seen=f"cut-off frequencies from {show_quantity(lowest, 'Hz')} to {show_quantity(highest, 'Hz')}",
            allowed="equal ones",
            todo="use neurons without a spread of the corner, or network.synapses of kind weights",
        )


def tensor_of(name: str, value: object) -> Tensor:
    """Return what is a tensor.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(value, Tensor):
        raise ValueError(
            f"{name} is {shown(value)}; it must be a torch.Tensor: write torch.as_tensor({name}), with a dtype where "
            "one is needed"
        )
    return value


def check_shapes(named: Iterable[tuple[str, Tensor, tuple[int, ...]]]) -> None:
    """Check the shapes of weights, which may have been put in each other's place.

    Args:
        named: Name, value and the shape that it must have.

    Raises:
        ValueError: Names the weight.
    """
    for name, value, shape in named:
        if tuple(value.shape) != shape:
            raise ValueError(f"{name} has shape {tuple(value.shape)}; it must be {shape} in this network")


def shown(value: object) -> str:
    """Show a value in a message: as it is written where that is short, else what it is."""
    if isinstance(value, np.ndarray | Tensor):
        return f"a {type(value).__module__}.{type(value).__name__} of shape {tuple(value.shape)}".replace(
            "builtins.", ""
        )
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text and " at 0x" not in text else f"a {type(value).__name__}"


def _shows_numbers(tensor: Tensor) -> bool:
    """Tell whether numbers may be looked at: a GPU would have to be waited for, a graph or a transform shows none."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling() and not recorded_by_torch()
