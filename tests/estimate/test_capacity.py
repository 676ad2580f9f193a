"""Figures of merit against closed forms: delay lines, linear reservoirs, polynomials, and what chance does."""

import math

import pytest
import torch
from numpy.polynomial.legendre import leggauss

from spinhw.estimate import (
    capacities,
    capacity_of,
    legendre,
    orthonormal,
    polynomials,
    rank_of,
    shuffled_threshold,
    values_of,
)
from spinhw.tasks.generated import delayed

SEQUENCES, SAMPLES, WASHOUT = 20, 170, 20


def uniform(seed: int, sequences: int = SEQUENCES) -> torch.Tensor:
    drawn = torch.rand(sequences, SAMPLES, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 2 * drawn - 1


def rows(states: torch.Tensor) -> torch.Tensor:
    """(sequence, time, neuron) to what lies behind the washout, (row, neuron)."""
    return states[:, WASHOUT:].flatten(0, 1)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(99)


def linear_reservoir(inputs: torch.Tensor, neurons: int) -> torch.Tensor:
    """x(n) = A x(n - 1) + b u(n), with A a rotation times 0.8."""
    draw = torch.Generator().manual_seed(5)
    turn, _ = torch.linalg.qr(torch.randn(neurons, neurons, generator=draw, dtype=torch.float64))
    enters = torch.randn(neurons, generator=draw, dtype=torch.float64)
    states, found = torch.zeros(len(inputs), neurons).double(), []
    for sample in inputs.unbind(1):
        states = 0.8 * states @ turn.T + sample[:, None] * enters
        found.append(states)
    return torch.stack(found, dim=1)


def test_the_memory_capacity_of_a_delay_line_is_its_length() -> None:
    u, length = uniform(0), 7
    basis = orthonormal(rows(delayed(u, range(1, length + 1))), 1e-6)
    targets = values_of([((delay, 1),) for delay in range(1, WASHOUT + 1)], u, WASHOUT)
    found = capacities(basis, targets, 500, generator())
    torch.testing.assert_close(found.counted[:length], torch.ones(length).double())
    assert found.total == pytest.approx(length)


def test_the_capacity_of_a_linear_reservoir_is_its_size_and_lies_in_degree_one() -> None:
    u, neurons = uniform(1, 40), 6
    basis = orthonormal(rows(linear_reservoir(u, neurons)), 1e-6)
    first, second, third = (
        capacities(basis, values_of(polynomials(degree, longest), u, WASHOUT), 400, generator())
        for degree, longest in ((1, 20), (2, 6), (3, 4))
    )
    # 0.8^40 of the signal is older than 20 samples, 6000 rows leave 6 / 6000 to each of some twenty delays, and one in
    # four hundred of the 28 + 35 others may pass for something, at three times as much.
    assert first.total == pytest.approx(neurons, abs=0.1)
    assert second.total < 0.02 and third.total < 0.02


def test_a_square_has_its_capacity_in_degree_two() -> None:
    u = uniform(2)
    basis = orthonormal(rows(delayed(u, (3,)) ** 2), 1e-6)
    chosen = polynomials(2, 5)
    found = capacity_of(basis, values_of(chosen, u, WASHOUT))
    best = int(found.argmax())
    assert chosen[best] == ((3, 2),) and float(found[best]) == pytest.approx(1.0)


def test_polynomials_are_as_many_as_there_are_and_orthonormal_in_the_mean() -> None:
    assert len(polynomials(3, 4)) == math.comb(4 + 3, 3)
    assert polynomials(2, 1) == [((0, 2),), ((0, 1), (1, 1)), ((1, 2),)]
    place, weight = (torch.from_numpy(one) for one in leggauss(8))
    every = torch.stack([legendre(place, degree) for degree in range(6)])
    torch.testing.assert_close(every * (weight / 2) @ every.T, torch.eye(6).double(), rtol=0, atol=1e-12)
    u = uniform(3)
    product = values_of([((0, 1), (2, 2))], u, WASHOUT)[:, 0]
    expected = legendre(u, 1)[:, WASHOUT:] * legendre(u, 2)[:, WASHOUT - 2 : -2]
    torch.testing.assert_close(product, expected.flatten())


def test_by_chance_a_capacity_is_directions_over_rows_and_the_threshold_is_above() -> None:
    u, draw = uniform(4), torch.Generator().manual_seed(6)
    noise = torch.randn(3000, 30, generator=draw, dtype=torch.float64)
    basis = orthonormal(noise, 1e-6)
    targets = values_of(polynomials(1, 20), u, WASHOUT)
    found = capacity_of(basis, targets)
    # 21 capacities with a mean of 0.01 and a spread of sqrt(2 * 30) / 3000 = 0.0026 each: five spreads of their mean.
    assert float(found.mean()) == pytest.approx(30 / 3000, abs=5 * 0.0026 / math.sqrt(21))
    threshold = shuffled_threshold(basis, targets, 1000, generator())
    assert 30 / 3000 < threshold < 3 * 30 / 3000
    assert capacities(basis, targets, 1000, generator()).counted.count_nonzero() <= 1


def test_ranks_count_directions_that_are_large_enough() -> None:
    draw = torch.Generator().manual_seed(7)
    left, right = (torch.linalg.qr(torch.randn(20, 5, generator=draw, dtype=torch.float64))[0] for _ in range(2))
    states = left * torch.tensor([1.0, 0.5, 1e-2, 1e-4, 1e-9]).double() @ right.T
    assert [rank_of(states, least) for least in (0.1, 1e-3, 1e-5, 1e-12)] == [2, 3, 4, 5]
    assert rank_of(torch.zeros(4, 3), 1e-3) == 0


def test_a_delay_beyond_the_washout_is_refused() -> None:
    with pytest.raises(ValueError, match="washout"):
        values_of([((21, 1),)], uniform(8), WASHOUT)
