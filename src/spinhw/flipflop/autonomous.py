"""A network left to itself: its state after one step without input, and the derivative of that."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spinhw.network.recurrent import RecurrentNetwork


@dataclass(frozen=True)
class AutonomousMap:
    """h -> F(h), in float64.

    Args:
        size: Numbers in a state: units, twice as many for an LSTM (its h and its cell).
        step: States (point, size) after one step.
        jacobian: dF/dh at states (point, size), as (point, size, size).
        read_out: Outputs (point, output) of states.
    """

    size: int
    step: Callable[[Tensor], Tensor]
    jacobian: Callable[[Tensor], Tensor]
    read_out: Callable[[Tensor], Tensor]


@torch.no_grad()
def autonomous(network: RecurrentNetwork) -> AutonomousMap:
    """Give the map of a network without input.

    For tanh units the Jacobian is (1 - a) 1 + a diag(1 - s^2) W with s = tanh(W h + b): at a memory, not W alone,
    decides whether it is stable. For gates it is made by automatic differentiation.
    """
    w_out, b_out = network.w_out.detach().double(), network.b_out.detach().double()
    units = network.settings.units

    def read_out(states: Tensor) -> Tensor:
        return states[:, :units] @ w_out.T + b_out

    if network.settings.kind != "tanh":
        step = _gru_step(network) if network.settings.kind == "gru" else _lstm_step(network)
        size = units if network.settings.kind == "gru" else 2 * units
        return AutonomousMap(size, step, torch.func.vmap(torch.func.jacrev(step)), read_out)
    weights, leak = network.weights(), network.settings.leak
    w_rec, bias = weights.w_rec.detach().double(), weights.bias.detach().double()
    eye = torch.eye(units, dtype=torch.float64)

    def step_tanh(states: Tensor) -> Tensor:
        return (1 - leak) * states + leak * torch.tanh(states @ w_rec.T + bias)

    def jacobian(states: Tensor) -> Tensor:
        slope = 1 - torch.tanh(states @ w_rec.T + bias).square()
        return (1 - leak) * eye + leak * slope[..., None] * w_rec

    return AutonomousMap(units, step_tanh, jacobian, read_out)


def _gru_step(network: RecurrentNetwork) -> Callable[[Tensor], Tensor]:
    w_rec, from_input, from_state = _gate_weights(network)

    def step(states: Tensor) -> Tensor:
        reset_i, update_i, new_i = from_input.chunk(3, -1)
        reset_h, update_h, new_h = (states @ w_rec.T + from_state).chunk(3, -1)
        update = torch.sigmoid(update_i + update_h)
        new = torch.tanh(new_i + torch.sigmoid(reset_i + reset_h) * new_h)
        return (1 - update) * new + update * states

    return step


def _lstm_step(network: RecurrentNetwork) -> Callable[[Tensor], Tensor]:
    w_rec, from_input, from_state = _gate_weights(network)

    def step(states: Tensor) -> Tensor:
        hidden, cell = states.chunk(2, -1)
        take, forget, new, give = (hidden @ w_rec.T + from_input + from_state).chunk(4, -1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(take) * torch.tanh(new)
        return torch.cat([torch.sigmoid(give) * torch.tanh(cell), cell], -1)

    return step


def _gate_weights(network: RecurrentNetwork) -> tuple[Tensor, Tensor, Tensor]:
    """Give recurrent weights, and what reaches the gates without input: the two biases, zero where there are none."""
    layer: Any = network.gates
    w_rec = layer.weight_hh_l0.detach().double()
    none = w_rec.new_zeros(len(w_rec))
    if not network.settings.bias:
        return w_rec, none, none
    return w_rec, layer.bias_ih_l0.detach().double(), layer.bias_hh_l0.detach().double()
