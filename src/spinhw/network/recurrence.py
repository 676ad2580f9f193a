"""tanh units with their read-out, and the gradient.

h_t = (1 - a) h_(t-1) + a tanh(W h_(t-1) + W_in u_t + b), a = dt / tau: with a = 1 eq. 6 of Jarne (2024), with another
a eq. 5; the read-out is z_t = W_out h_t + b_out (eq. 2). torch's recurrent layers make one node and one product for the
weights' gradient at every step. Here a row of the buffer holds state and input side by side, so that a step is a single
product and one compiled pass over it. On the way back the same holds for the gradients of drive and read-out, and all
weights' gradients are one product over all steps.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spinhw.network.tanh_kernels import activate, pull_back
from spinhw.rollout.cpu.workspace import Loan

_ALIGNED = 16  # Floats: a row then begins at a cache line.


class TanhWeights(NamedTuple):
    """What a network of tanh units computes with, as it acts.

    Args:
        w_in: (unit, input).
        w_rec: W, (unit, source).
        bias: (unit,).
        w_out: (output, unit).
        b_out: (output,).
    """

    w_in: Tensor
    w_rec: Tensor
    bias: Tensor
    w_out: Tensor
    b_out: Tensor


def recur(
    inputs: Tensor,
    weights: TanhWeights,
    start: Tensor,
    leak: float = 1.0,
    noise: Tensor | None = None,
    record: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Run tanh units and their read-out through whole sequences.

    Args:
        inputs: u, (time, batch, input).
        weights: As they act; differentiable.
        start: State before the first step, (batch, unit); differentiable.
        leak: a = dt / tau, above 0, at most 1.
        noise: Added to the drive of every unit, (time, batch, unit).
        record: Whether to return the states; without them the memory is used again by the next call.

    Returns:
        Outputs z after each step, (time, batch, output), and states h after each step, (time, batch, unit) or None. In
        float32 on the CPU, gradients flow through z alone; elsewhere autograd does the work, and through both.
    """
    if inputs.dtype == torch.float32 and inputs.device.type == "cpu":
        outputs, states = _Recurrence.apply(record, inputs, start, leak, noise, *weights)
        return outputs, states
    state, states = start, []
    drive = inputs @ weights.w_in.T + weights.bias
    for one in drive if noise is None else drive + noise:
        state = (1 - leak) * state + leak * torch.tanh(torch.addmm(one, state, weights.w_rec.T))
        states.append(state)
    after = torch.stack(states)
    return after @ weights.w_out.T + weights.b_out, after if record else None


class _Recurrence(torch.autograd.Function):
    """The compiled path. A row of `rows` is (h before the step, u, 1), one of `deltas` (drive's, outputs' gradient)."""

    @staticmethod
    def forward(
        ctx: Any, record: bool, inputs: Tensor, start: Tensor, leak: float, noise: Tensor | None, *parts: Tensor
    ) -> Any:
        weights = TanhWeights(*parts)
        units, width = start.shape[1], start.shape[1] + inputs.shape[2] + 1
        rows, ctx.loan = _buffer((len(inputs) + 1, len(start), width), lent=not record)
        rows[0, :, :units] = start
        rows[:-1, :, units : width - 1] = inputs
        rows[-1, :, units : width - 1] = 0.0  # Meets gradients that are 0; what memory held before may be no number.
        rows[:, :, width - 1] = 1.0
        joined = torch.cat([weights.w_rec, weights.w_in, weights.bias[:, None]], 1)  # (unit, width)
        whole, rate = rows.numpy(), np.float32(leak)
        for step in range(len(inputs)):
            target = rows[step + 1, :, :units]
            if noise is None:
                torch.mm(rows[step, :, :width], joined.T, out=target)
            else:
                torch.addmm(noise[step], rows[step, :, :width], joined.T, out=target)
            activate(whole[step + 1], whole[step], units, rate)
        states = rows[1:, :, :units]
        outputs = torch.nn.functional.linear(states, weights.w_out, weights.b_out)
        ctx.save_for_backward(rows, joined, weights.w_out)
        ctx.leak, ctx.inputs = leak, inputs.shape[2]
        if not record:
            return outputs, None
        ctx.mark_non_differentiable(states)
        return outputs, states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor, _: Tensor) -> Any:
        rows, joined, w_out = ctx.saved_tensors
        units, outputs, width = joined.shape[0], w_out.shape[0], joined.shape[1]
        deltas, loan = _buffer((len(rows), rows.shape[1], units + outputs), lent=True)
        deltas[1:, :, units : units + outputs] = outer
        deltas[0, :, units : units + outputs] = 0.0
        deltas[-1, :, :units] = 0.0
        back = torch.cat([joined[:, :units], w_out])  # (unit + output, unit)
        carry = torch.empty_like(rows[0, :, :units])
        whole, change, rate = rows.numpy(), deltas.numpy(), np.float32(ctx.leak)
        for step in reversed(range(len(rows))):
            # Row `step` holds the gradients of the drive that follows state `step` and of the output read from it.
            if ctx.leak == 1.0 or step == len(rows) - 1:
                torch.mm(deltas[step, :, : units + outputs], back, out=carry)
            else:
                torch.addmm(carry, deltas[step, :, : units + outputs], back, out=carry)
            if step:
                pull_back(whole[step], whole[step - 1], carry.numpy(), change[step - 1], rate)
        found = _gradients(ctx, rows, deltas, joined, carry, outer, width)
        del loan  # Nothing looks into it any more.
        return found


def _gradients(
    ctx: Any, rows: Tensor, deltas: Tensor, joined: Tensor, carry: Tensor, outer: Tensor, width: int
) -> tuple[Tensor | None, ...]:
    """Sum over all steps: the gradients of all weights in one product."""
    units, last = joined.shape[0], width - 1
    flat = deltas.flatten(0, 1)[:, : units + outer.shape[2]]
    sums = flat.T @ rows.flatten(0, 1)[:, :width]  # (unit + output, width)
    wanted = ctx.needs_input_grad
    du = deltas[:-1, :, :units] @ joined[:, units:last] if wanted[1] else None
    noise = deltas[:-1, :, :units].clone() if wanted[4] else None
    w_rec, w_in, bias = sums[:units, :units], sums[:units, units:last], sums[:units, last]
    return None, du, carry, None, noise, w_in, w_rec, bias, sums[units:, :units], outer.sum((0, 1))


def _buffer(shape: tuple[int, int, int], lent: bool) -> tuple[Tensor, Loan | None]:
    """Make an uninitialised float32 buffer whose rows are padded; a lent one is used again once its loan is gone."""
    padded = (*shape[:2], -(-shape[2] // _ALIGNED) * _ALIGNED)
    if not lent:
        return torch.empty(padded), None
    loan = Loan([padded], np.dtype(np.float32))
    return torch.from_numpy(loan.arrays[0]), loan
