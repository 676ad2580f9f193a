"""Adam for an ensemble, with a learning rate for each member."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from spinhw.network import SpintronicNetwork

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # What torch's Adam keeps for each parameter.


# Parameters that are trained, by the names of the first part, such as "bias" of "bias.0"; None for all.
_READOUT = frozenset({"w_out", "b_out"})
_TRAINABLE = {"all": None, "biases_and_readout": frozenset({"bias", "w_out", "b_out"}), "readout": _READOUT}


def freeze(network: SpintronicNetwork, trainable: str) -> None:
    """Let only some parameters of a network have gradients: "all", "biases_and_readout", "readout"."""
    named = _TRAINABLE[trainable]
    for name, value in network.named_parameters():
        value.requires_grad_(named is None or name.partition(".")[0] in named)


def trained(network: SpintronicNetwork) -> dict[str, nn.Parameter]:
    """Give the parameters that have gradients, by name."""
    return {name: value for name, value in network.named_parameters() if value.requires_grad}


class MemberAdam:
    """torch's Adam on parameters whose first axis is the member.

    Adam's step is proportional to its learning rate, so the step is taken at the largest rate and each member's change
    is scaled to its own.

    Args:
        parameters: By name, each (member, ...).
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self._parameters = dict(parameters)
        self._adam = torch.optim.Adam(self._parameters.values())

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self._adam.zero_grad()

    def clip(self, largest: float | None) -> None:
        """Clip every gradient element to +-largest, as the paper does; None does nothing."""
        if largest is not None:
            torch.nn.utils.clip_grad_value_(self._parameters.values(), largest)

    @torch.no_grad()
    def clip_norms(self, largest: float | None) -> None:
        """Scale every member's gradient down to a norm, over all its parameters; None does nothing."""
        gradients = [value.grad for value in self._parameters.values() if value.grad is not None]
        if largest is None or not gradients:
            return
        norms = torch.stack([one.flatten(1).square().sum(1) for one in gradients]).sum(0).sqrt()  # (member,)
        share = (largest / (norms + 1e-6)).clamp_max(1.0)
        for one in gradients:
            one.mul_(share.view(-1, *[1] * (one.ndim - 1)))

    @torch.no_grad()
    def step(self, rates: Sequence[float]) -> None:
        """Take one step with a learning rate for each member."""
        largest = max(rates)
        before = None if min(rates) == largest else [value.clone() for value in self._parameters.values()]
        self._adam.param_groups[0]["lr"] = largest
        self._adam.step()
        if before is None:
            return
        share = torch.tensor([rate / largest for rate in rates])
        for old, value in zip(before, self._parameters.values(), strict=True):
            value.copy_(torch.lerp(old, value, share.to(value).view(-1, *[1] * (value.ndim - 1))))

    def state(self) -> dict[str, Tensor]:
        """Give the moments as ``exp_avg/NAME``, ``exp_avg_sq/NAME`` and ``step/NAME``; empty before the first step."""
        state = self._adam.state
        return {
            f"{moment}/{name}": state[value][moment]
            for name, value in self._parameters.items()
            if value in state
            for moment in _MOMENTS
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up a state given by `state`."""
        if not state:
            return
        moments = [{moment: state[f"{moment}/{name}"] for moment in _MOMENTS} for name in self._parameters]
        whole = self._adam.state_dict()
        self._adam.load_state_dict({**whole, "state": dict(enumerate(moments))})
