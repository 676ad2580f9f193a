"""The online refit: unbiased under noise, honest, following drift."""

import pytest
import torch

from fakes.measured import GAMMA, NOMINAL_SPREAD, measured, nominal, truth
from spinhw.surrogate import DYNAMICS, PARAMETERS, OnlineRefit, Oscillators, information, misfit

COUNT = 48


def prior(count: int) -> torch.Tensor:
    covariance = torch.zeros(count, len(PARAMETERS), len(PARAMETERS), dtype=torch.float64)
    for place in range(3):
        covariance[:, place, place] = NOMINAL_SPREAD**2
    return information(covariance, DYNAMICS)


def left(found: Oscillators, true: Oscillators) -> float:
    """Give the largest share of the mismatch that is left, over gamma, sigma and Q, of a usual oscillator."""
    start = nominal(true.count)

    def usual(one: Oscillators, row: int) -> torch.Tensor:
        scale = torch.ones_like(true.q) if row == 2 else true.table()[row]
        return ((one.table()[row] - true.table()[row]) / scale).abs().median()

    return max(float(usual(found, row) / usual(start, row)) for row in range(3))


def test_one_batch_leaves_little_of_the_mismatch_and_its_errors_are_honest():
    true = truth(COUNT, readout=False)
    refit = OnlineRefit(nominal(COUNT), noise=0.01, prior=prior(COUNT))
    refit.update([measured(true, 0.01, batch=40)])
    assert left(refit.oscillators, true) < 0.1
    off = ((refit.oscillators.table() - true.table()) / refit.errors())[:3].abs()
    assert 0.5 < float((off < 1).double().mean()) < 0.85  # 0.66 +- 0.05 over seeds.
    assert float((off < 3).double().mean()) > 0.93  # 0.99 +- 0.015.


def test_noise_makes_it_uncertain_but_not_biased():
    """With ten times the noise, the mean error over many oscillators stays within a few of its own standard errors."""
    true = truth(COUNT, readout=False)
    refit = OnlineRefit(nominal(COUNT), noise=0.1, prior=prior(COUNT))
    refit.update([measured(true, 0.1, batch=40)])
    score = ((refit.oscillators.table() - true.table()) / refit.errors())[:3]
    assert (score.mean(1).abs() < 6 / COUNT**0.5).all()  # The largest of three: 1.4 +- 0.9 over seeds.


def test_information_adds_up_over_batches():
    true = truth(12, readout=False)
    refit = OnlineRefit(nominal(12), noise=0.01, forgetting=1.0, prior=prior(12))
    refit.update([measured(true, 0.01, batch=8)])
    once = refit.errors()[:3]
    for _ in range(3):
        refit.update([measured(true, 0.01, batch=8)])
    assert float((2 * refit.errors()[:3] / once).median()) == pytest.approx(1, abs=0.05)


def test_forgetting_lets_it_follow_a_device_that_moves():
    true = truth(8, readout=False)
    moved = true.moved(torch.tensor([0.1, 0, 0, 0, 0, 0, 0], dtype=torch.float64)[:, None].expand(-1, 8))

    def after(forgetting: float) -> float:
        refit = OnlineRefit(nominal(8), noise=0.01, forgetting=forgetting, prior=prior(8))
        for _ in range(6):
            refit.update([measured(true, 0.01, batch=6)])
        for _ in range(3):
            refit.update([measured(moved, 0.01, batch=6)])
        return float((refit.oscillators.gamma / moved.gamma - 1).abs().median())

    assert after(0.3) < 0.02 < after(1.0)


def test_an_oscillator_without_good_samples_stays_as_it_was():
    true, others = truth(COUNT, readout=False), (torch.arange(COUNT) != 2).nonzero()[:, 0]
    played = measured(true, 0.01, batch=8)
    played.good[..., 2] = False
    played.power[..., 2] = torch.nan
    refit = OnlineRefit(nominal(COUNT), noise=0.01, prior=prior(COUNT))
    refit.update([played])
    assert float(refit.oscillators.gamma[2]) == pytest.approx(GAMMA)
    assert left(refit.oscillators.picked(others), true.picked(others)) < 0.2


def test_its_state_can_be_saved_and_restored():
    true = truth(4, readout=False)
    first, second = (OnlineRefit(nominal(4), noise=0.01, prior=prior(4)) for _ in range(2))
    first.update([measured(true, 0.01, batch=6)])
    second.restore(first.state())
    for refit in (first, second):
        refit.update([measured(true, 0.01, batch=8)])
    assert torch.equal(first.oscillators.table(), second.oscillators.table())


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="forgetting must be above 0"):
        OnlineRefit(nominal(2), forgetting=0.0)
    with pytest.raises(ValueError, match="free must name some of"):
        OnlineRefit(nominal(2), free=("tau",))


def test_oscillators_that_have_settled_rest(mocker):
    """One that starts far off is looked at again and again, and the others are not."""
    true = truth(COUNT, readout=False)
    true.gamma[5], true.sigma[5], true.q[5] = GAMMA, 1.0, 0.0  # A usual one: with some, little can be told.
    start = true.moved(0.9 * torch.eye(len(PARAMETERS), dtype=torch.float64)[:, :1] * (torch.arange(COUNT) == 5))
    looked = []
    mocker.patch(
        "spinhw.surrogate.refit.misfit",
        lambda played, oscillators, timed: looked.append(oscillators.count) or misfit(played, oscillators, timed),
    )
    refit = OnlineRefit(start, noise=0.01, prior=prior(COUNT))
    refit.update([measured(true, 0.01, batch=40)])
    assert looked[0] == COUNT and looked[-1] < COUNT / 4 and sorted(looked, reverse=True) == looked
    assert float((refit.oscillators.gamma[5] / true.gamma[5] - 1).abs()) < 0.05
