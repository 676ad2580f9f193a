"""The auto-oscillator equation and its exact step."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from spinhw.physics import coefficients, decay_mean, equilibrium, logistic_step, power_rate


def tensor(*values: float, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype)


def integrate(power: float, drive: float, gamma: float, sigma: float, q: float, time: float) -> float:
    def rate(_: float, x: np.ndarray) -> np.ndarray:
        return power_rate(torch.as_tensor(x), *tensor(drive, gamma, sigma, q)).numpy()

    return float(solve_ivp(rate, (0, time), [power], rtol=1e-11, atol=1e-13).y[0, -1])


@pytest.mark.parametrize("drive", [-3.0, -1.0, 0.0, 0.5, 0.9999999, 1.0, 1.3, 2.0, 5.0, 40.0])
@pytest.mark.parametrize(("sigma", "q"), [(1.0, 0.0), (0.8, 0.0), (1.2, 1.5)])
@pytest.mark.parametrize("power", [1e-6, 0.1, 0.5, 1.0])
def test_step_is_the_closed_form_of_the_equation(drive: float, sigma: float, q: float, power: float) -> None:
    gamma, step = 1.0, 0.7
    a, _ = coefficients(tensor(drive), tensor(gamma), tensor(sigma), tensor(q))
    got = logistic_step(tensor(power), a * step, tensor(gamma * (1 + q) * step)).item()
    assert got == pytest.approx(integrate(power, drive, gamma, sigma, q, step), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(
    exponent=st.floats(-12, 30),
    sign=st.sampled_from([-1.0, 0.0, 1.0]),
    damping=st.floats(1e-6, 1e3),
    power=st.floats(1e-6, 1.0),
)
def test_step_stays_within_bounds_for_any_drive(
    dtype: torch.dtype, exponent: float, sign: float, damping: float, power: float
) -> None:
    z = tensor(sign * 10.0**exponent, dtype=dtype)
    got = logistic_step(tensor(power, dtype=dtype), z, tensor(damping, dtype=dtype)).item()
    assert 0.0 <= got <= 1.0
    exact = logistic_step(tensor(power), tensor(sign * 10.0**exponent), tensor(damping)).item()
    # A relative error of z is an absolute one of ln x, so compare where the step is of a measurable size.
    if exponent < 0.5:
        assert got == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_is_finite_at_extremes(dtype: torch.dtype) -> None:
    z = torch.tensor([-1e30, -1e3, -1e-3, 0.0, 1e-3, 1e3, 1e30], dtype=dtype, requires_grad=True)
    x = torch.full_like(z, 0.3).requires_grad_()
    logistic_step(x, z, torch.full_like(z, 0.1)).sum().backward()
    assert z.grad is not None
    assert x.grad is not None
    assert torch.isfinite(z.grad).all()
    assert torch.isfinite(x.grad).all()


def test_gradient_is_smooth_through_zero_growth() -> None:
    z = torch.tensor([-1e-9, 0.0, 1e-9], dtype=torch.float64, requires_grad=True)
    logistic_step(torch.full_like(z, 0.3), z, torch.full_like(z, 0.1)).sum().backward()
    assert z.grad is not None
    assert z.grad[1].item() == pytest.approx(z.grad[0].item(), rel=1e-6)
    assert z.grad[1].item() == pytest.approx(z.grad[2].item(), rel=1e-6)


def test_step_gradcheck() -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(24, generator=generator, dtype=torch.float64).mul(0.98).add(0.01).requires_grad_()
    z = torch.randn(24, generator=generator, dtype=torch.float64).mul(2).requires_grad_()
    d = torch.rand(24, generator=generator, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(logistic_step, (x, z, d))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_decay_mean_and_its_gradient_keep_their_digits_near_zero(dtype: torch.dtype) -> None:
    w = torch.logspace(-12, 2, 400, dtype=torch.float64).to(dtype).requires_grad_()
    value = decay_mean(w)
    value.sum().backward()
    exact = w.detach().double()
    want = -torch.expm1(-exact) / exact
    # The exact slope in a form without cancellation for small w: the mean of -t exp(-w t) over 0 <= t <= 1.
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t = torch.from_numpy((nodes + 1) / 2)
    slope = -(torch.from_numpy(weights / 2) * t * torch.exp(-exact[:, None] * t)).sum(-1)
    eps = torch.finfo(dtype).eps
    assert torch.allclose(value.detach().double(), want, rtol=20 * eps, atol=0)
    assert w.grad is not None
    assert torch.allclose(w.grad.double(), slope, rtol=40 * eps**0.75, atol=0)


def test_equation_1_reduces_to_equation_2() -> None:
    x, drive, gamma = tensor(0.1, 0.4, 0.9), tensor(0.2, 1.0, 3.0), tensor(0.7)
    eq2 = -gamma * x + drive * x * (1 - x)
    assert torch.allclose(power_rate(x, drive, gamma, tensor(1.0), tensor(0.0)), eq2)


@pytest.mark.parametrize(("sigma", "q"), [(1.0, 0.0), (0.7, 2.0), (1.4, 0.3)])
def test_equilibrium_is_stationary_and_reached(sigma: float, q: float) -> None:
    drive, gamma = 2.5, 1.0
    a, c = coefficients(*(tensor(value) for value in (drive, gamma, sigma, q)))
    rest = equilibrium(a, c)
    supercriticality = drive * sigma / gamma
    assert rest.item() == pytest.approx((supercriticality - 1) / (supercriticality + q))  # Slavin and Tiberkevich 2009
    assert power_rate(rest, *(tensor(value) for value in (drive, gamma, sigma, q))).abs().item() < 1e-14
    assert logistic_step(tensor(0.01), a * 100, tensor(gamma * (1 + q) * 100)).item() == pytest.approx(rest.item())


def test_equilibrium_below_threshold_is_the_floor() -> None:
    a, c = coefficients(tensor(-5.0, 0.5, 1.0), tensor(1.0), tensor(1.0), tensor(0.5))
    assert equilibrium(a, c, floor=1e-6).tolist() == [1e-6] * 3


def test_bias_of_twice_gamma_rests_at_one_half() -> None:
    gamma = tensor(0.07)
    assert equilibrium(*coefficients(2 * gamma, gamma, tensor(1.0), tensor(0.0))).item() == pytest.approx(0.5)
