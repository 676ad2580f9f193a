"""Figures of merit of one network, from what its neurons did. Definitions and sources: docs/merit.md."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from spinhw.errors import ConfigError
from spinhw.estimate import (
    Capacities,
    Moments,
    Polynomial,
    capacities,
    fit,
    orthonormal,
    polynomials,
    rank_of,
    singular_values,
    values_of,
)
from spinhw.merit.choices import FITTED, MeritChoices
from spinhw.streams import torch_stream
from spinhw.tasks.generated import delayed, narma10

# For each total degree, from one on, how many samples back its polynomials look at most.
DEGREES = (50, 20, 10, 5)
# Directions below this share of the largest are what float32 rounds off.
_ROUNDING = 1e-6
# The system of NARMA-10 runs away where it passes this.
_WILD = 1.0
_NARMA_ORDER = 10
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class MemberFigures:
    """Figures of merit of one network.

    Args:
        numbers: By name.
        thresholds: Capacities below which nothing is counted, by name of the figure.
        by_delay: Capacity of each delay from 0 on, by name: "linear" and "quadratic", as estimated.
        spectra: Singular values, by name: "kernel" and "generalisation".
    """

    numbers: dict[str, float]
    thresholds: dict[str, float]
    by_delay: dict[str, list[float]]
    spectra: dict[str, list[float]]


def figures_of(
    inputs: Tensor, states: Tensor, kernel: Tensor, generalisation: Tensor, choices: MeritChoices
) -> MemberFigures:
    """Work out every figure of one network.

    Args:
        inputs: u, -1 to 1, (sequence, time).
        states: y of the neurons after each sample, (sequence, time, neuron).
        kernel: y after the last sample of sequences that differ, (sequence, neuron).
        generalisation: The same of sequences that are alike at the end.
        choices: How it was measured.
    """
    basis = orthonormal(states[:, choices.washout :].flatten(0, 1), _ROUNDING)
    chosen, found = {}, {}
    for degree, longest in enumerate(DEGREES, start=1):
        chosen[degree] = polynomials(degree, min(longest, choices.washout))
        targets = values_of(chosen[degree], inputs, choices.washout)
        order = torch_stream("merit shuffles", degree)
        found[degree] = capacities(basis, targets, choices.shuffles, order)
    linear, quadratic = (_alone(chosen[degree], found[degree], degree) for degree in (1, 2))
    least = choices.tolerance * float(singular_values(kernel)[0])  # The same for both, so that they can be compared.
    kernel_rank, same = (rank_of(one, max(least, _TINY)) for one in (kernel, generalisation))
    degrees = {f"capacity of degree {degree}": one.total for degree, one in found.items()}
    numbers = {
        "linear memory capacity": _counted(linear, found[1].threshold),
        "quadratic memory capacity": _counted(quadratic, found[2].threshold),
        **degrees,
        "information processing capacity": sum(degrees.values()),
        "kernel rank": float(kernel_rank),
        "generalisation rank": float(same),
        "narma10 nrmse": narma_error(inputs, states, choices.washout),
    }
    thresholds = {name: found[degree].threshold for degree, name in enumerate(degrees, start=1)}
    thresholds |= {
        "linear memory capacity": found[1].threshold,
        "quadratic memory capacity": found[2].threshold,
    }
    spectra = {"kernel": kernel, "generalisation": generalisation}
    return MemberFigures(
        numbers,
        thresholds,
        {"linear": linear, "quadratic": quadratic},
        {name: singular_values(one).tolist() for name, one in spectra.items()},
    )


def narma_error(inputs: Tensor, states: Tensor, washout: int) -> float:
    """Return the NRMSE of NARMA-10, its input u mapped to 0 to 1/2, by a linear read-out of states.

    The read-out is ridge regression on the first three quarters of the sequences, its ridge chosen there by generalised
    cross-validation; the error is that of the others. Sequences in which the system runs away are left out.

    Args:
        inputs: u, -1 to 1, (sequence, time).
        states: (sequence, time, neuron).
        washout: Samples at the beginning that do not count.

    Raises:
        ConfigError: Too few sequences are left.
    """
    answers = narma10((inputs + 1) / 4)
    tame = (answers.abs() < _WILD).all(1)
    y, t = states[tame][:, washout:].double(), answers[tame][:, washout:, None]
    fitted = round(FITTED * len(y))
    if not 0 < fitted < len(y):
        raise ConfigError(
            "--sequences: NARMA-10 runs away in too many of them",
            seen=f"{len(y)} of {len(inputs)} left",
            allowed="2 or more left, to fit a read-out and to judge it",
            todo="choose more --sequences",
        )
    rows, right = y[:fitted].flatten(0, 1)[None], t[:fitted].flatten(0, 1)[None]
    fits = fit(Moments.zero(1, y.shape[-1], 1).with_rows(rows, right))
    best = int(fits.validated[0].argmin())
    told = y[fitted:] @ fits.weights[0, best].T + fits.biases[0, best]
    return float(((told - t[fitted:]).square().mean() / t[fitted:].var(correction=0)).sqrt())


def narma_without_a_network(inputs: Tensor, washout: int) -> float:
    """Return the same with the present input and as many past ones as the system multiplies, and no network."""
    return narma_error(inputs, delayed(inputs, range(_NARMA_ORDER)), washout)


def _alone(chosen: Sequence[Polynomial], found: Capacities, degree: int) -> list[float]:
    """Return the capacity for the polynomial of a degree of one input alone, for each delay from 0 on."""
    single = {one[0][0]: value for one, value in zip(chosen, found.values.tolist(), strict=True) if len(one) == 1}
    return [single[delay] for delay in sorted(single)]


def _counted(by_delay: Sequence[float], threshold: float) -> float:
    """Sum up what lies above the threshold, the present sample apart."""
    return sum(one for one in by_delay[1:] if one > threshold)
