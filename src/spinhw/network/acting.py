"""Weights as they act: torch's parametrisations and pruning put values of their own in the place of parameters."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from spinhw.errors import ConfigError


def value_of(network: nn.Module, name: str) -> Tensor:
    """Return the value by which a weight acts; gradients flow to the parameters that it is made of.

    Args:
        network: Its module.
        name: Such as ``w_out``, or ``w_int.0`` of a list.
    """
    holder, own = _holder(network, name)
    mask = getattr(holder, f"{own}_mask", None)
    if mask is not None:  # Of `torch.nn.utils.prune`, which brings a value up to date at calls of the holder alone.
        original = holder.get_parameter(f"{own}_orig")
        return mask.to(original.dtype) * original
    value: Tensor = getattr(holder, own)
    return value


def limit_(network: nn.Module, name: str, lowest: Tensor, highest: Tensor) -> None:
    """Project a weight onto a range: the parameter itself, or what a parametrisation makes of its own.

    Args:
        network: Its module.
        name: Such as ``w_out``.
        lowest: Broadcasts to the weight.
        highest: Likewise.

    Raises:
        ConfigError: The value is beyond the limit, and its parametrisation knows no way back.
    """
    holder, own = _holder(network, name)
    if not parametrize.is_parametrized(holder, own):
        holder.get_parameter(f"{own}_orig" if hasattr(holder, f"{own}_mask") else own).clamp_(lowest, highest)
        return
    value = value_of(network, name)
    inside = value.clamp(lowest, highest)
    if torch.equal(inside, value):
        return
    try:
        setattr(holder, own, inside)
    except (NotImplementedError, RuntimeError) as error:
        raise ConfigError(
            f"{name}: its parametrisation makes a value beyond the limit of the weights, and cannot be turned round",
            seen=f"{float(value.abs().max()):.4g}",
            allowed=f"at most {float(highest.max()):g} in size, network.weight_limit",
            todo="give the parametrisation a right_inverse, or let it stay within the limit",
        ) from error


@torch.no_grad()
def put_(network: nn.Module, name: str, wanted: Tensor) -> None:
    """Put a value in the place of a weight: the parameter itself, or what its parametrisation makes of its own.

    Args:
        network: Its module.
        name: Such as ``w_out``.
        wanted: Shaped as the weight.

    Raises:
        ConfigError: Its parametrisation knows no way back.
    """
    holder, own = _holder(network, name)
    if not parametrize.is_parametrized(holder, own):
        holder.get_parameter(f"{own}_orig" if hasattr(holder, f"{own}_mask") else own).copy_(wanted)
        return
    try:
        setattr(holder, own, wanted)
    except (NotImplementedError, RuntimeError) as error:
        raise ConfigError(
            f"{name}: its parametrisation cannot be turned round, and the value is to be set",
            seen=type(error).__name__,
            allowed="a parametrisation with a right_inverse",
            todo="give it one, or take the parametrisation away",
        ) from error


def _holder(network: nn.Module, name: str) -> tuple[nn.Module, str]:
    """Find the module that a weight is an attribute of, and its name there."""
    where, _, own = name.rpartition(".")
    return network.get_submodule(where), own


def learns(network: nn.Module, name: str) -> bool:
    """Tell whether a gradient by a weight reaches a parameter."""
    with torch.enable_grad():
        return value_of(network, name).requires_grad
