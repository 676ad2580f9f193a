"""The search: minima found, problems apart from each other, bounds, what is held, when it stops."""

import pytest
import torch

from spinhw.estimate import Minimum, NormalEquations, levenberg_marquardt

TIMES = torch.linspace(0, 4, 40, dtype=torch.float64)
TRUE = torch.tensor([[1.0, 0.5, 0.1], [3.0, 1.5, -0.2], [0.4, 0.2, 0.3], [2.0, 3.0, 0.0]], dtype=torch.float64)
NOISE = 0.01


class Decays:
    """Fits of a exp(-b t) + c; remembers which problems were looked at."""

    def __init__(self, measured: torch.Tensor) -> None:
        self.measured, self.looked = measured, []

    def __call__(self, values: torch.Tensor, busy: torch.Tensor) -> NormalEquations:
        self.looked.append(busy.tolist())
        size, rate, level = values[busy].T[..., None]
        shape = torch.exp(-rate * TIMES)
        jacobian = torch.stack([shape, -size * TIMES * shape, torch.ones_like(shape)], dim=-1)
        return NormalEquations.of(jacobian, self.measured[busy] - size * shape - level).over(
            torch.full((len(busy),), NOISE**2, dtype=torch.float64)
        )


def decays(true: torch.Tensor = TRUE, noise: float = NOISE) -> Decays:
    size, rate, level = true.T[..., None]
    normals = torch.randn(len(true), len(TIMES), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return Decays(size * torch.exp(-rate * TIMES) + level + noise * normals)


def searched(look: Decays, start: torch.Tensor | None = None, **options: object) -> Minimum:
    begin = torch.ones(len(look.measured), 3, dtype=torch.float64) if start is None else start
    return levenberg_marquardt(look, begin, torch.full_like(begin, torch.inf), **options)


def test_a_linear_problem_takes_one_step():
    jacobian = torch.randn(3, 20, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    true, looks = torch.tensor([[1.0, -2.0]] * 3, dtype=torch.float64), []

    def look(values: torch.Tensor, busy: torch.Tensor) -> NormalEquations:
        looks.append(len(busy))
        return NormalEquations.of(jacobian[busy], (jacobian[busy] @ (true - values)[busy][..., None])[..., 0])

    found = levenberg_marquardt(look, 0 * true, torch.full_like(true, torch.inf), damping=0.0)
    torch.testing.assert_close(found.values, true, rtol=1e-9, atol=1e-9)
    assert found.converged.all() and looks == [3, 3]  # The second says that nothing is left.


@pytest.mark.parametrize("damping", [0.0, 1e-3])
def test_parameters_without_noise_are_found(damping):
    found = searched(decays(noise=0.0), damping=damping, least_gain=1e-12)
    assert found.converged.all()
    torch.testing.assert_close(found.values, TRUE, rtol=1e-6, atol=1e-6)


def test_a_problem_is_solved_as_it_would_be_alone():
    look = decays()
    together = searched(look)
    for number in range(len(TRUE)):
        alone = searched(Decays(look.measured[number : number + 1]))
        torch.testing.assert_close(alone.values[0], together.values[number], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(alone.found.normal[0], together.found.normal[number], rtol=1e-9, atol=1e-9)


def test_what_has_settled_is_not_looked_at_again():
    start = TRUE.clone()
    start[1] = torch.tensor([0.5, 4.0, 1.0])
    look = decays(noise=0.0)
    found = searched(look, start)
    assert found.converged.all() and look.looked[0] == [0, 1, 2, 3]
    assert found.looks == len(look.looked) > 2 and all(one == [1] for one in look.looked[1:])


def test_short_steps_are_taken_on_trust():
    """One look is enough where the step from there is short."""
    look, far = decays(noise=0.0), torch.full_like(TRUE, 0.5)
    found = levenberg_marquardt(look, TRUE * 1.001, far, damping=0.0, short=0.1)
    assert found.looks == 1 and found.converged.all()
    torch.testing.assert_close(found.values, TRUE * 1.001 + found.step)
    assert float((found.values - TRUE).abs().max()) < 1e-5


def test_no_step_is_longer_than_allowed():
    path: list[torch.Tensor] = []
    look, far = decays(), torch.full_like(TRUE, 0.2)

    def watched(values: torch.Tensor, busy: torch.Tensor) -> NormalEquations:
        path.append(values.clone())
        return look(values, busy)

    found = levenberg_marquardt(watched, torch.ones_like(TRUE), far)
    assert max(float((after - before).abs().max()) for before, after in zip(path, path[1:], strict=False)) < 0.2 + 1e-9
    torch.testing.assert_close(found.values, searched(decays()).values, rtol=1e-4, atol=1e-4)


def test_bounds_are_kept_and_the_others_make_the_best_of_it():
    lowest = torch.full_like(TRUE, -torch.inf)
    lowest[:, 2] = 0.05  # Of two the level lies below.
    look, start = decays(), torch.ones_like(TRUE)
    found = searched(look, start, bounds=(lowest, torch.full_like(TRUE, torch.inf)))
    start[:, 2], moving = 0.05, torch.ones(TRUE.shape, dtype=torch.bool)
    moving[:, 2] = False
    held = searched(look, start, moving=moving)
    assert found.converged.all() and found.values[[1, 3], 2].tolist() == [0.05, 0.05]
    torch.testing.assert_close(found.values[[1, 3]], held.values[[1, 3]], rtol=1e-4, atol=1e-4)
    free = searched(look)
    torch.testing.assert_close(found.values[[0, 2]], free.values[[0, 2]], rtol=1e-4, atol=1e-4)
    assert (held.values[:, 2] == 0.05).all()


def test_parameters_that_cannot_be_told_apart_do_no_harm():
    """Two of them act as one: their sum is found, without an error, and the others are."""
    look = decays(noise=0.0)

    def doubled(values: torch.Tensor, busy: torch.Tensor) -> NormalEquations:
        found = look(torch.cat([values[:, :2], values[:, 2:].sum(1, keepdim=True)], 1), busy)
        twice = torch.tensor([0, 1, 2, 2])
        return NormalEquations(
            found.squares, found.normal[:, twice][:, :, twice], found.gradient[:, twice], found.samples
        )

    start = torch.ones(len(TRUE), 4, dtype=torch.float64)
    found = levenberg_marquardt(doubled, start, torch.full_like(start, torch.inf))
    assert found.converged.all()
    torch.testing.assert_close(found.values[:, :2], TRUE[:, :2], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found.values[:, 2:].sum(1), TRUE[:, 2], rtol=1e-3, atol=1e-3)


def test_a_step_into_the_void_is_taken_back():
    """Where the model has no value, the step was too long."""

    def look(values: torch.Tensor, busy: torch.Tensor) -> NormalEquations:
        x = values[busy]
        left = torch.where(x > 0, -x.clamp_min(1e-9).log(), torch.nan)  # ln x = 0; x = 5 is led to 5 - 5 ln 5 < 0.
        return NormalEquations.of(1 / x[..., None], left)

    start = torch.full((2, 1), 5.0, dtype=torch.float64)
    found = levenberg_marquardt(look, start, torch.full_like(start, torch.inf), damping=0.0, least_gain=1e-12)
    assert found.converged.all()
    torch.testing.assert_close(found.values, torch.ones_like(start), rtol=1e-5, atol=1e-5)


def test_what_still_moves_at_the_end_is_where_it_was_looked_at():
    look = decays()
    found = searched(look, most_looks=2, short=0.0)
    assert found.looks == 2 and not found.converged.any()
    again = look(found.values, torch.arange(len(TRUE)))
    torch.testing.assert_close(again.squares, found.found.squares)


def test_without_data_nothing_moves():
    look = Decays(torch.zeros(2, len(TIMES), dtype=torch.float64))

    def nothing(values: torch.Tensor, busy: torch.Tensor) -> NormalEquations:
        found = look(values, busy)
        return found.held(torch.zeros_like(values[busy], dtype=torch.bool))

    start = torch.ones(2, 3, dtype=torch.float64)
    found = levenberg_marquardt(nothing, start, torch.full_like(start, torch.inf))
    assert torch.equal(found.values, start) and found.looks == 1
