"""NARMA-10: a system of order ten that remembers and multiplies (Atiya and Parlos, IEEE TNN 11, 697 (2000))."""

import torch
from torch import Tensor

# The input of the literature is uniform between these; above them the system runs away.
LOWEST, HIGHEST = 0.0, 0.5
# With these inputs the system stays near 0.1 to 0.9; where it runs away, rarely, it passes this on the way.
BOUND = 1.0
_ORDER = 10


def narma10(inputs: Tensor) -> Tensor:
    """Return the answer of the system to each sample: y(n + 1) once u(n) is known.

        y(n + 1) = 0.3 y(n) + 0.05 y(n) sum_{i = 0..9} y(n - i) + 1.5 u(n - 9) u(n) + 0.1

    with y and u zero before the first sample.

    Args:
        inputs: u, (sequence, time).

    Returns:
        y(n + 1) at the place of u(n), (sequence, time).
    """
    count, samples = inputs.shape
    u = torch.cat([inputs.new_zeros(count, _ORDER - 1), inputs], dim=1)
    y = inputs.new_zeros(count, _ORDER + samples)
    for n in range(samples):
        now, past = y[:, n + _ORDER - 1], y[:, n : n + _ORDER].sum(1)
        y[:, n + _ORDER] = 0.3 * now + 0.05 * now * past + 1.5 * u[:, n] * u[:, n + _ORDER - 1] + 0.1
    return y[:, _ORDER:]


def draw_narma10(count: int, samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw inputs, and the system's answers; sequences in which it runs away are drawn again.

    Args:
        count: Sequences.
        samples: Of each.
        generator: Where the numbers come from.

    Returns:
        u and y(n + 1), each (sequence, time), float64.
    """
    inputs, answers = _some(count, samples, generator)
    while True:
        wild = ~(answers.abs() < BOUND).all(1)
        if not wild.any():
            return inputs, answers
        inputs[wild], answers[wild] = _some(int(wild.sum()), samples, generator)


def _some(count: int, samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    drawn = torch.rand(count, samples, generator=generator, dtype=torch.float64)
    inputs = LOWEST + (HIGHEST - LOWEST) * drawn
    return inputs, narma10(inputs)
