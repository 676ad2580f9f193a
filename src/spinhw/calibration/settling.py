"""Whether oscillators had come to rest before their segments began, and how long they are given for it.

A segment begins under the bias drive, at rest. After a segment below threshold an oscillator has hardly any power left
and first grows back, by e in 1 / (sigma I - gamma): one that is slow under the bias is not there yet when the next
segment begins, and no parameter explains what it then does. Such segments are left out.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from spinhw.physics import POWER_FLOOR, coefficients, equilibrium, logistic_step
from spinhw.surrogate import Oscillators, Played, modelled, respond

# Growth under the bias, in units of nominal gamma, of the slowest oscillator that is waited for; nominally it is 1.
SLOWEST_GROWTH = 0.4
_SETTLED = 1e-3  # Share of the power at rest that may be missing.
# Where a record begins so many errors away from rest, its oscillator had not come to rest.
_CLEARLY_AWAY = 5.0
# What such an oscillator should be away by in other segments counts from this share of an error on.
_HARDLY_AWAY = 0.3
_TELLING = 9.0  # Squared errors by which first samples must be expected to be away, all together, to tell.
_LEAST_ERROR = 1e-3  # In units of full power: what a model may miss by where nothing is noisy.
_FEW = 8  # Samples.


def usual_rest_s(gamma_per_s: float) -> float:
    """Give the rest before each segment that brings all but very slow oscillators back from no power, in seconds.

    Args:
        gamma_per_s: Nominal damping rate.
    """
    return math.log(1 / (POWER_FLOOR * _SETTLED)) / (SLOWEST_GROWTH * gamma_per_s)


def unsettled(played: Sequence[Played], oscillators: Oscillators, noise: Tensor, rest_s: float) -> list[Tensor]:
    """Find the segments that an oscillator did not begin at rest.

    A first sample that is clearly away from rest tells at once. Others are away too, hidden by noise: which, the model
    says from what was played before. It is believed where the first samples of an oscillator, together, show it; a
    simulated bank, which begins each segment at rest, never does.

    Args:
        played: All experiments, segments in the order in which they were played.
        oscillators: What is known of them.
        noise: Of one shot's sample, in model units, (oscillator,).
        rest_s: Rest before each segment in seconds.

    Returns:
        For each experiment (segment, oscillator), boolean.
    """
    errors = [(noise / one.averages**0.5).clamp_min(_LEAST_ERROR) for one in played]
    away = [_away(one, oscillators) / error for one, error in zip(played, errors, strict=True)]
    expected = [_expected(one, oscillators, rest_s) / error for one, error in zip(played, errors, strict=True)]
    together, foreseen = torch.cat(away), torch.cat(expected)
    telling = (foreseen**2).sum(0)
    confirmed = (telling > _TELLING) & ((together * foreseen).sum(0) > telling / 2)
    restless = confirmed | (together.abs() > _CLEARLY_AWAY).any(0)
    return [
        (seen.abs() > _CLEARLY_AWAY) | (restless & (one.abs() > _HARDLY_AWAY))
        for seen, one in zip(away, expected, strict=True)
    ]


def without(played: Played, left_out: Tensor) -> Played:
    """Let no sample of some segments count, (segment, oscillator)."""
    return replace(played, good=played.good & ~left_out[:, None])


def _away(played: Played, oscillators: Oscillators) -> Tensor:
    """Give by how much each record begins away from rest, (segment, oscillator); zero where it was not measured."""
    few = _FEW * played.every  # A record that is early shows what comes soon after its beginning.
    power, good = played.power[:, : _FEW + 1], played.good[:, : _FEW + 1]
    expected, _ = modelled(replace(played, drive=played.drive[:, :few], power=power, good=good), oscillators)
    return torch.where(good[:, 0], power[:, 0] - expected[:, 0], 0.0)


def _expected(played: Played, oscillators: Oscillators, rest_s: float) -> Tensor:
    """Give by how much each record should begin away from rest, going by what was played before, as `_away`."""
    response = respond(played.drive, played.interval_s, oscillators, played.bias_drive, tangents=False)
    growth, damping = coefficients(
        torch.full_like(oscillators.gamma, played.bias_drive), oscillators.gamma, oscillators.sigma, oscillators.q
    )
    ends = response.power[:-1, -1].clamp(POWER_FLOOR, 1.0)  # The first segment of a shot comes after none.
    d = oscillators.gamma * (1 + oscillators.q) * rest_s
    begun = logistic_step(ends, (growth * rest_s).expand_as(ends), d.expand_as(ends))
    away = (begun - equilibrium(growth, damping)) * oscillators.gain
    return torch.nn.functional.pad(away, (0, 0, 1, 0))
