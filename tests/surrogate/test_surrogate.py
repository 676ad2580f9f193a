"""The model of measured oscillators: tangents against differences and against the rollout's adjoint, the read-out."""

import pytest
import torch

from spinhw.rollout import Neurons, Steps, rollout_driven
from spinhw.streams import torch_stream
from spinhw.surrogate import PARAMETERS, Oscillators, Played, misfit, modelled, respond, shifted
from spinhw.surrogate.lowpass import Cubic, lowpass

STEP_S, BIAS, COUNT = 1e-9, 4e8, 5


def oscillators(lag=0.0, delay=0.0) -> Oscillators:
    draw = torch_stream("test oscillators")
    spread = torch.randn(4, COUNT, generator=draw, dtype=torch.float64)
    one = torch.ones(COUNT, dtype=torch.float64)
    return Oscillators(
        2e8 * torch.exp(0.2 * spread[0]),
        1 + 0.1 * spread[1],
        0.2 * spread[2],
        1.1 * one,
        0.01 * spread[3],
        delay * one,
        lag * one,
    )


def drives(batch=6, time=24) -> torch.Tensor:
    return torch.rand(batch, time, COUNT, generator=torch_stream("test drives"), dtype=torch.float64) * 8e8


def played(truth: Oscillators, noise=0.0, batch=6) -> Played:
    drive = drives(batch)
    empty = torch.zeros(batch, drive.shape[1] + 1, COUNT, dtype=torch.float64)
    blank = Played(drive, empty, torch.ones_like(empty, dtype=torch.bool), STEP_S, BIAS)
    power, _ = modelled(blank, truth)
    power = power + noise * torch.randn(power.shape, generator=torch_stream("test noise"), dtype=torch.float64)
    return Played(drive, power, blank.good, STEP_S, BIAS)


def test_response_is_the_rollout_on_a_fine_grid():
    truth, drive = oscillators(), drives()
    flat = torch.zeros(1, COUNT, dtype=torch.float64)
    neurons = Neurons(truth.gamma[None], truth.sigma[None], truth.q[None], flat, flat + 1, flat + BIAS)
    fine = rollout_driven(drive[None], neurons, Steps(STEP_S, 16), engine="reference")
    found = respond(drive, STEP_S, truth, BIAS)
    torch.testing.assert_close(found.power[:, 1:], fine.power[0], rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(found.power[:, 0], fine.power0[0], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("delay", "lag"), [(0.0, 0.0), (0.4e-9, 0.3e-9), (-1.7e-9, 0.2e-9)])
@pytest.mark.parametrize("name", PARAMETERS)
def test_derivatives_are_those_of_differences(name, delay, lag):
    at, row = oscillators(lag, delay), PARAMETERS.index(name)
    if lag == 0 and name in ("delay", "lag"):
        pytest.skip("without timing these have no derivative")
    size = {"delay": 1e-13, "lag": 1e-23}.get(name, 1e-5)
    blank = played(at)

    def moved(sign: int) -> torch.Tensor:
        step = torch.zeros(len(PARAMETERS), COUNT, dtype=torch.float64)
        step[row] = sign * size
        return modelled(blank, at.moved(step))[0]

    numerical = (moved(1) - moved(-1)) / (2 * size)
    _, found = modelled(blank, at, tangents=True)
    assert (found[row] - numerical).abs().max() <= 1e-6 * numerical.abs().max()


def test_derivatives_agree_with_the_adjoint_of_the_rollout():
    at, drive = oscillators(), drives()
    residual = torch.randn(6, 24, COUNT, generator=torch_stream("test residual"), dtype=torch.float64)
    logarithms = [at.gamma.log().requires_grad_(), at.sigma.log().requires_grad_(), at.q.clone().requires_grad_()]
    flat = torch.zeros(1, COUNT, dtype=torch.float64)
    neurons = Neurons(
        logarithms[0].exp()[None], logarithms[1].exp()[None], logarithms[2][None], flat, flat + 1, flat + BIAS
    )
    fine = rollout_driven(drive[None], neurons, Steps(STEP_S, 1, 1), engine="cpu")
    wanted = torch.autograd.grad((fine.power[0] * residual).sum(), logarithms)
    tangents = respond(drive, STEP_S, at, BIAS).tangents
    found = (tangents[:, :, 1:] * residual).sum((1, 2))
    torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-9, atol=1e-9)


def test_oscillators_that_rest_below_threshold_have_no_tangent_at_rest():
    weak = oscillators()
    weak = weak.moved(
        torch.tensor([[0.0], [-2.0], [0.0], [0.0], [0.0], [0.0], [0.0]], dtype=torch.float64).expand(-1, COUNT)
    )
    tangents = respond(drives(), STEP_S, weak, BIAS).tangents
    assert (tangents[:, :, 0] == 0).all()
    assert tangents.isfinite().all()


def test_lowpass_of_a_cubic_is_exact():
    step, lag = 0.3, torch.tensor([0.05, 0.4, 3.0], dtype=torch.float64)
    time = torch.arange(9, dtype=torch.float64)[:, None] * step
    coefficients = (0.7, -0.2, 0.5, 0.3)
    cubic = sum(c * time**power for power, c in enumerate(coefficients))
    rate = sum(power * c * time ** (power - 1) for power, c in enumerate(coefficients) if power)
    value, rate = (signal.expand(-1, 3)[None, None] for signal in (cubic, rate))
    found = lowpass(value, Cubic.through(value, rate[:, :, :-1], rate[:, :, 1:], step), step, lag)[0][0, 0]
    c0, c1, c2, c3 = coefficients

    def particular(t: torch.Tensor) -> torch.Tensor:
        y = c0 + c1 * t + c2 * t**2 + c3 * t**3 - lag * (c1 + 2 * c2 * t + 3 * c3 * t**2)
        return y + lag**2 * (2 * c2 + 6 * c3 * t) - 6 * lag**3 * c3

    wanted = particular(time) + (c0 - particular(torch.zeros(1, 3, dtype=torch.float64))) * torch.exp(-time / lag)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


def test_a_delay_of_whole_samples_is_a_shift():
    late = modelled(played(oscillators()), oscillators(delay=2e-9))[0]
    prompt = modelled(played(oscillators()), oscillators())[0]
    torch.testing.assert_close(late[:, 2:], prompt[:, :-2], rtol=0, atol=5e-5)


def test_shifted_records_are_good_only_where_they_were_recorded():
    one = played(oscillators())
    moved = shifted(one, torch.tensor([0, 1, 2, -1, 0]))
    torch.testing.assert_close(moved.power[:, :-2, 2], one.power[:, 2:, 2])
    assert moved.good.sum((0, 1)).tolist() == [150, 144, 138, 144, 150]


def test_bad_samples_count_for_nothing():
    truth = oscillators()
    one = played(truth, noise=0.01)
    spoilt = one.power.clone()
    good = one.good.clone()
    spoilt[2, 5], good[2, 5] = torch.nan, False
    first = misfit([Played(one.drive, spoilt, good, STEP_S, BIAS)], truth, timed=False)
    spoilt[2, 5] = 7.0
    second = misfit([Played(one.drive, spoilt, good, STEP_S, BIAS)], truth, timed=False)
    assert first.squares.isfinite().all()
    torch.testing.assert_close(first.squares, second.squares)
    torch.testing.assert_close(first.gradient, second.gradient)


def test_shapes_that_do_not_fit_are_refused():
    drive = drives()
    with pytest.raises(ValueError, match="do not fit a drive"):
        Played(drive, drive, drive > 0, STEP_S, BIAS)


def test_a_delay_alone_is_the_limit_of_ever_shorter_lags():
    delayed, lagging = oscillators(delay=0.4e-9), oscillators(lag=1e-13, delay=0.4e-9)
    blank = played(delayed)
    for one, other in zip(modelled(blank, delayed, True), modelled(blank, lagging, True), strict=True):
        largest = other.abs().flatten(-3).amax(-1)[..., None, None, None]
        assert ((one - other).abs() <= 2e-3 * largest).all()
