"""Sums over residuals: closed forms, priors, what is not told, what is correlated."""

import pytest
import torch

from spinhw.estimate import NormalEquations, covariance

PROBLEMS, SAMPLES, SIZE = 5, 60, 4
UNITS = 10.0 ** torch.arange(-6, 2, 2, dtype=torch.float64)  # Of what a parameter does.


def drawn(seed: int = 0, noise: float = 0.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw Jacobians, parameters, and what is measured for them."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    jacobian, true = draw(PROBLEMS, SAMPLES, SIZE) * UNITS, draw(PROBLEMS, SIZE) / UNITS
    return jacobian, true, (jacobian @ true[..., None])[..., 0] + noise * draw(PROBLEMS, SAMPLES)


def test_one_step_solves_a_linear_problem_whatever_the_units():
    jacobian, true, measured = drawn()
    step = NormalEquations.of(jacobian, measured).step()
    torch.testing.assert_close(step * UNITS, true * UNITS, rtol=1e-9, atol=1e-9)


def test_damping_shortens_a_step_and_turns_it_downhill():
    jacobian, _, measured = drawn()
    found = NormalEquations.of(jacobian, measured)
    weak, strong = found.step(1.0), found.step(1e6)
    scale = found.normal.diagonal(dim1=1, dim2=2)
    assert ((weak * scale.sqrt()).norm(dim=1) < (found.step() * scale.sqrt()).norm(dim=1)).all()
    torch.testing.assert_close(strong * 1e6 * scale, found.gradient, rtol=1e-4, atol=1e-9)
    torch.testing.assert_close(found.step(torch.tensor([0.0, 0, 1, 0, 0]))[2], weak[2])


def test_pieces_add_up_to_the_whole():
    jacobian, _, measured = drawn(noise=0.1)
    weight = torch.rand(PROBLEMS, SAMPLES, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weight[:, 7], spoilt = 0.0, measured.clone()
    spoilt[:, 7] = torch.nan  # What does not count may be anything.
    whole = NormalEquations.of(jacobian, spoilt, weight)
    size = SAMPLES // 3
    parts = [slice(first, first + size) for first in range(0, SAMPLES, size)]
    first, *others = [NormalEquations.of(jacobian[:, one], measured[:, one], weight[:, one]) for one in parts]
    stacked = [one.unflatten(1, (3, size)) for one in (jacobian, measured, weight)]
    for found in (sum(others, first), NormalEquations.of(*stacked).summed(1)):
        for name in ("squares", "normal", "gradient", "samples"):
            torch.testing.assert_close(getattr(found, name), getattr(whole, name), rtol=1e-12, atol=1e-12)
    assert (whole.samples == SAMPLES - 1).all()


def test_some_problems_are_put_back_in_their_place():
    jacobian, _, measured = drawn()
    found, numbers = NormalEquations.of(jacobian, measured), torch.tensor([3, 1])
    again = found.over(torch.full((PROBLEMS,), 2.0)).replaced(numbers, found.picked(numbers))
    torch.testing.assert_close(again.normal, found.normal / torch.tensor([2.0, 1, 2, 1, 2])[:, None, None])


def test_what_was_known_counts_like_more_data():
    jacobian, true, measured = drawn(noise=0.1)
    here = torch.ones(PROBLEMS, SIZE, dtype=torch.float64)
    left = measured - (jacobian @ here[..., None])[..., 0]
    whole, rest = (NormalEquations.of(jacobian[:, one:], left[:, one:]) for one in (0, 30))
    earlier = NormalEquations.of(jacobian[:, :30], measured[:, :30])
    known = rest.with_prior(earlier.normal, earlier.step() - here)
    torch.testing.assert_close(known.step() * UNITS, whole.step() * UNITS, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(known.normal, whole.normal)
    # Up to a constant it is the same function.
    apart = NormalEquations.of(
        jacobian[:, :30], measured[:, :30] - (jacobian[:, :30] @ earlier.step()[..., None])[..., 0]
    )
    torch.testing.assert_close(known.squares + apart.squares, whole.squares, rtol=1e-6, atol=1e-6)


def test_covariance_is_the_closed_form():
    jacobian, _, measured = drawn()
    found = NormalEquations.of(jacobian, measured)
    scaled = jacobian / UNITS
    expected = torch.linalg.inv(scaled.transpose(1, 2) @ scaled)
    torch.testing.assert_close(covariance(found.normal) * UNITS[:, None] * UNITS, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("why", ["held", "no effect", "tied"])
def test_what_is_not_told_is_said_and_spoils_nothing_else(why):
    jacobian, true, _ = drawn()
    moving, lost = torch.ones(PROBLEMS, SIZE, dtype=torch.bool), [3]
    if why == "held":
        moving[0, 3] = False
    elif why == "no effect":
        jacobian[0, :, 3] = 0.0
    else:
        jacobian[0, :, 3], lost = 1e6 * jacobian[0, :, 0], [0, 3]
    true[0, 3] = 0.0
    found = NormalEquations.of(jacobian, (jacobian @ true[..., None])[..., 0])
    spread, step = covariance(found.normal, moving), found.held(moving).step()
    kept = [place for place in range(SIZE) if place not in lost]
    assert spread[1:].isfinite().all()
    assert (spread[0].diagonal()[lost] == (0.0 if why == "held" else torch.inf)).all()
    for place in lost:
        assert not spread[0, place, kept].any()
    some = jacobian[0][:, kept]
    if why != "tied":
        expected = torch.linalg.inv(some.T @ some)
        torch.testing.assert_close(spread[0][kept][:, kept] / expected, torch.ones_like(expected), rtol=1e-6, atol=0)
        assert step[0, 3] == 0
    assert (spread[0].diagonal()[kept] > 0).all() and spread[0].diagonal()[kept].isfinite().all()
    torch.testing.assert_close((step * UNITS)[:, kept], (true * UNITS)[:, kept], rtol=1e-3, atol=1e-3)
    assert step.isfinite().all()


def test_sums_that_are_not_finite_tell_nothing():
    jacobian, _, measured = drawn()
    found = NormalEquations.of(jacobian, measured)
    found.normal[2, 0, 0] = torch.nan
    assert (covariance(found.normal)[2].diagonal() == torch.inf).all()
    assert not found.step()[2].any() and found.step()[1].any()


def test_noise_that_is_not_known_is_taken_from_the_residuals():
    """Of minus twice the log-likelihood at its best variance the gradient is that of the sums."""
    jacobian, true, measured = drawn(noise=0.3)
    here = true.clone().requires_grad_()
    left = measured - (jacobian @ here[..., None])[..., 0]
    squares = (left**2).sum(1)
    found = NormalEquations.of(jacobian, left.detach()).profiled(1e-9)
    likely = SAMPLES * (squares / SAMPLES).log()
    torch.testing.assert_close(found.squares, likely.detach() + SAMPLES)
    expected = -torch.autograd.grad(likely.sum(), here)[0] / 2
    torch.testing.assert_close(found.gradient / UNITS, expected / UNITS)
    floor = NormalEquations.of(jacobian, left.detach()).profiled(1.0)  # Above what the residuals show.
    torch.testing.assert_close(floor.squares, squares.detach())


def test_correlated_residuals_count_for_less():
    jacobian, _, measured = drawn(noise=0.3)
    plain = NormalEquations.of(jacobian, measured)
    first = plain.normal[:, :2, :2]
    found = NormalEquations(plain.squares, plain.normal, plain.gradient, plain.samples, 4 * first)
    torch.testing.assert_close(found.discounted().normal, plain.normal / 4, rtol=1e-4, atol=0)
    torch.testing.assert_close(found.discounted().step() * UNITS, plain.step() * UNITS, rtol=1e-6, atol=1e-6)
    assert plain.discounted() is plain
    twice = found.over(torch.full((PROBLEMS,), 3.0))
    torch.testing.assert_close(twice.scatter, 4 * first / 9)
    scattered = NormalEquations(plain.squares, plain.normal, plain.gradient, plain.samples, first / 9)
    assert torch.equal(scattered.discounted().normal, plain.normal)  # Never for more.
