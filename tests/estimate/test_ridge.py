"""The read-out in closed form: against least squares, against leaving each row out, and sums that add up."""

import pytest
import torch

from spinhw.estimate import Moments, fit

ROWS, NEURONS, OUTPUTS = 40, 6, 2


def drawn(seed: int, members: int = 2, noise: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    y = torch.randn(members, ROWS, NEURONS, generator=generator, dtype=torch.float64)
    w = torch.randn(members, NEURONS, OUTPUTS, generator=generator, dtype=torch.float64)
    t = y @ w + 3 + noise * torch.randn(members, ROWS, OUTPUTS, generator=generator, dtype=torch.float64)
    return y, t


def summed(y: torch.Tensor, t: torch.Tensor, weight: torch.Tensor | None = None) -> Moments:
    return Moments.zero(len(y), NEURONS, OUTPUTS).with_rows(y, t, weight)


def test_without_a_ridge_it_is_least_squares() -> None:
    y, t = drawn(0)
    found = fit(summed(y, t), [1e-14])
    design = torch.cat([y, torch.ones_like(y[..., :1])], dim=-1)
    expected = torch.linalg.lstsq(design, t).solution
    torch.testing.assert_close(found.weights[:, 0], expected[:, :-1].transpose(1, 2), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.biases[:, 0], expected[:, -1], rtol=1e-9, atol=1e-9)
    residual = (t - design @ expected).square().mean((1, 2))
    torch.testing.assert_close(found.errors[:, 0], residual, rtol=1e-9, atol=1e-9)


def test_the_gradient_of_what_it_minimises_is_zero() -> None:
    y, t = drawn(1)
    ridge = 0.3
    found = fit(summed(y, t), [ridge])
    w, b = found.weights[:, 0].clone().requires_grad_(), found.biases[:, 0].clone().requires_grad_()
    size = y.var(1, correction=0).mean(1)
    cost = (t - y @ w.transpose(1, 2) - b[:, None]).square().sum(2).mean(1) + ridge * size * w.square().sum((1, 2))
    for slope in torch.autograd.grad(cost.sum(), (w, b)):
        torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-12)


def test_cross_validation_is_leaving_one_out_with_the_mean_leverage() -> None:
    y, t = drawn(2, members=1)
    ridge = 0.05
    found = fit(summed(y, t), [ridge])
    centred = y[0] - y[0].mean(0)
    penalty = ridge * y[0].var(0, correction=0).mean() * ROWS * torch.eye(NEURONS).double()
    hat = centred @ torch.linalg.solve(centred.T @ centred + penalty, centred.T) + 1 / ROWS
    residual = t[0] - hat @ t[0]
    expected = residual.square().mean() / (1 - hat.trace() / ROWS) ** 2
    assert float(found.validated[0, 0]) == pytest.approx(float(expected))


def test_rows_come_in_any_batches_and_a_weight_of_nothing_leaves_them_out() -> None:
    y, t = drawn(3)
    weight = torch.ones(2, ROWS)
    weight[:, 25:] = 0
    parts = Moments.zero(2, NEURONS, OUTPUTS)
    for chosen in (slice(0, 7), slice(7, ROWS)):
        parts = parts.with_rows(y[:, chosen], t[:, chosen], weight[:, chosen])
    expected = fit(summed(y[:, :25], t[:, :25]), [0.1])
    found = fit(Moments.of(parts.named()), [0.1])
    for name in ("weights", "biases", "errors", "validated"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))


def test_a_neuron_that_shows_nothing_has_no_weight() -> None:
    y, t = drawn(4)
    y[..., 2] = 0.5
    found = fit(summed(y, t), [1e-10, 1.0])
    # What is left of its variance by rounding is 1e-16, a millionth of the ridge.
    torch.testing.assert_close(found.weights[..., 2], torch.zeros_like(found.weights[..., 2]), rtol=0, atol=1e-4)


def test_with_fewer_rows_than_neurons_cross_validation_tells_noise_from_a_signal() -> None:
    draw = torch.Generator().manual_seed(6)
    y = torch.randn(20, 12, 40, generator=draw, dtype=torch.float64)
    noise = torch.randn(20, 12, 1, generator=draw, dtype=torch.float64)
    found = fit(Moments.zero(20, 40, 1).with_rows(y, noise))
    assert found.validated.isfinite().all() and (found.errors >= 0).all()
    # Of noise nothing is foretold: in the median of twenty draws no less than about its variance.
    assert float(found.validated.amin(1).median()) > 0.4


def test_the_ridge_has_no_unit() -> None:
    y, t = drawn(5)
    small, large = fit(summed(y, t), [0.1]), fit(summed(1000 * y, t), [0.1])
    torch.testing.assert_close(small.weights, 1000 * large.weights)
    torch.testing.assert_close(small.validated, large.validated)
