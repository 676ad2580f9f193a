"""Drive, high-pass, thermal noise, RF synapse, software neuron."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from spinhw.physics import (
    Saturation,
    chain_weights,
    coefficients,
    ctrnn_step,
    detuning_for,
    diffusion,
    highpass_factors,
    highpass_step,
    logistic_step,
    resonator_weight,
    saturate,
    thermal_step,
)

F64 = torch.float64


def bounds(low: float, high: float) -> Saturation:
    return Saturation(torch.tensor(low, dtype=F64), torch.tensor(high, dtype=F64))


@given(low=st.floats(-3, 1.9), high=st.floats(2.1, 9), raw=st.floats(-1e6, 1e6))
def test_saturation_keeps_the_bias_and_the_bounds(low: float, high: float, raw: float) -> None:
    bias = torch.tensor(2.0, dtype=F64, requires_grad=True)
    at_bias = torch.tensor(2.0, dtype=F64, requires_grad=True)
    limits = bounds(low, high)
    value = saturate(at_bias, bias.detach(), limits)
    value.backward()
    assert value.item() == pytest.approx(2.0)
    assert at_bias.grad is not None
    assert at_bias.grad.item() == pytest.approx(1.0)
    ulps = 1e-14  # A few, of the largest bound: the last bits are those of the exponential.
    assert low - ulps <= saturate(torch.tensor(raw, dtype=F64), bias.detach(), limits).item() <= high + ulps


def test_saturation_of_the_playable_recipe() -> None:
    raw = torch.linspace(-20, 20, 41, dtype=F64)
    want = 4 * torch.sigmoid(raw - 2)  # design: 4 gamma sigmoid(I / gamma - 2), here gamma = 1
    assert torch.allclose(saturate(raw, torch.tensor(2.0, dtype=F64), bounds(0.0, 4.0)), want)


def test_no_saturation_changes_nothing() -> None:
    raw = torch.tensor([-70.0, 2.0, 65.0])
    assert saturate(raw, torch.tensor(2.0), None) is raw


def test_highpass_is_exact_for_a_ramp() -> None:
    cutoff, slope, time = 44e6, 3e8, 5e-9
    w = 2 * math.pi * cutoff
    filtered, step = torch.zeros(1, dtype=F64), time / 7
    factors = highpass_factors(torch.tensor([cutoff], dtype=F64), step)
    for _ in range(7):
        filtered = highpass_step(filtered, torch.tensor([slope * step], dtype=F64), factors)
    assert filtered.item() == pytest.approx(slope / w * (1 - math.exp(-w * time)), rel=1e-12)


def test_highpass_at_zero_hertz_only_removes_the_start() -> None:
    factors = highpass_factors(torch.tensor(0.0), 1e-9)
    assert highpass_step(torch.tensor(0.2), torch.tensor(0.3), factors).item() == pytest.approx(0.5)


def test_thermal_step_has_the_moments_of_the_ito_equation() -> None:
    """One step: mean x + 2 D h, variance 4 D h x + 4 (D h)^2, the second term of higher order in h."""
    generator = torch.Generator().manual_seed(5)
    x, dh, shots = 0.3, 1e-3, 400_000
    normals = torch.randn(shots, 2, generator=generator, dtype=F64)
    moved = thermal_step(torch.full((shots,), x, dtype=F64), torch.tensor(dh, dtype=F64), 1.0, normals)
    spread = math.sqrt(4 * dh * x + 4 * dh**2)
    assert moved.mean().item() == pytest.approx(x + 2 * dh, abs=5 * spread / math.sqrt(shots))
    assert moved.std().item() == pytest.approx(spread, rel=5 / math.sqrt(2 * shots))
    assert (moved >= 0).all()


def stationary(drive_over_gamma: float, thermal_power: float) -> torch.Tensor:
    """Simulate many oscillators to their stationary state, steps of 0.02 / gamma."""
    generator = torch.Generator().manual_seed(7)
    one = torch.ones((), dtype=F64)
    a, _ = coefficients(one * drive_over_gamma, one, one, one * 0)
    x = torch.full((20_000,), max(1 - 1 / drive_over_gamma, 0.002) if drive_over_gamma else 0.002, dtype=F64)
    for _ in range(600):
        normals = torch.randn(20_000, 2, generator=generator, dtype=F64)
        x = thermal_step(logistic_step(x, a * 0.02, one * 0.02), diffusion(one, thermal_power), 0.02, normals)
    return x


def test_thermal_power_without_drive_is_p_t() -> None:
    """At I = 0 the equation is linear: dx = (-gamma x + 2 D) dt + ..., so the mean is 2 D / gamma = p_T."""
    x = stationary(0.0, thermal_power=1e-3)
    assert x.mean().item() == pytest.approx(1e-3, rel=5 / math.sqrt(len(x)))  # exponential distribution: std = mean


def test_thermal_spread_at_the_bias_follows_linear_theory() -> None:
    """At I = 2 gamma and x = 1/2, deviations relax at gamma: var = 4 D x / (2 gamma) = p_T / 2."""
    x = stationary(2.0, thermal_power=1e-3)
    assert x.std().item() == pytest.approx(math.sqrt(1e-3 / 2), rel=0.05)  # the non-linearity adds a few percent


@given(detuning=st.floats(-1e9, 1e9), width=st.floats(1e5, 1e8))
def test_resonator_weight_is_bounded_and_odd(detuning: float, width: float) -> None:
    d, g = torch.tensor(detuning, dtype=F64), torch.tensor(width, dtype=F64)
    weight = resonator_weight(d, g, 4.0)
    assert abs(weight.item()) <= 4.0 * (1 + 1e-12)
    assert resonator_weight(-d, g, 4.0).item() == -weight.item()


def test_resonator_reaches_its_largest_weight_at_half_linewidth() -> None:
    assert resonator_weight(torch.tensor(5e6), torch.tensor(5e6), 4.0).item() == pytest.approx(4.0)
    assert resonator_weight(torch.tensor(0.0), torch.tensor(5e6), 4.0).item() == 0.0


@given(weight=st.floats(-4, 4))
def test_tuning_inverts_the_resonator(weight: float) -> None:
    width = torch.tensor(5e6, dtype=F64)
    detuning = detuning_for(torch.tensor(weight, dtype=F64), width, 4.0)
    assert abs(detuning.item()) <= 5e6 * (1 + 1e-12)
    assert resonator_weight(detuning, width, 4.0).item() == pytest.approx(weight, abs=1e-9)


def test_crosstalk_of_a_chain_falls_with_frequency_spacing() -> None:
    width, wanted = torch.tensor(5e6, dtype=F64), torch.tensor([[1.0, -2.0, 3.0]], dtype=F64)
    errors = []
    for spacing in (5e7, 5e8, 5e9):
        frequency = spacing * torch.arange(1, 4, dtype=F64)
        resonance = frequency - detuning_for(wanted, width, 4.0)  # (destination, resonator)
        errors.append((chain_weights(frequency, resonance, width, 4.0) - wanted).abs().max().item())
    assert errors[0] > errors[1] > errors[2]
    assert errors[1] / errors[2] == pytest.approx(10, rel=0.05)  # the tail falls as linewidth / spacing


def test_an_absent_resonator_of_a_chain_adds_nothing() -> None:
    frequency, resonance = torch.tensor([1e9, 2e9]), torch.tensor([[1e9 - 5e6, 2e9 - 5e6]])
    present = chain_weights(frequency, resonance, torch.tensor(5e6), torch.tensor([[4.0, 0.0]]))
    assert present[0, 0].item() == pytest.approx(4.0)
    assert abs(present[0, 1].item()) < 0.1  # only the tail of the first


def test_ctrnn_step_is_exact_for_a_held_drive() -> None:
    gamma, drive = 0.3, 0.8
    want = solve_ivp(lambda _, x: -gamma * x + drive, (0, 2.5), [0.4], rtol=1e-11, atol=1e-13).y[0, -1]
    got = ctrnn_step(*(torch.tensor(value, dtype=F64) for value in (0.4, drive, gamma)), 2.5)
    assert got.item() == pytest.approx(float(np.asarray(want)), rel=1e-9)
