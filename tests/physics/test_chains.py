"""Chains of resonators: effective weights against plain sums, options one at a time, and the way back."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinhw.physics import (
    TuningCurve,
    alternating,
    chain_solution,
    chain_voltage,
    chain_weights,
    detuning_for,
    inner_branch,
    resonator_weight,
    transmission,
)
from spinhw.streams import torch_stream

F64 = torch.float64
WIDTH, SPACING, MOST = 1e7, 1.6e8, 4.0


def drawn(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch_stream("test", *shape), dtype=F64) * 2 - 1


def summed(tones, resonances, widths, most, angle=0.0):
    """Sum over all pairs in plain loops: (member, destination, source)."""
    members, destinations, resonators = resonances.shape
    found = np.zeros((members, destinations, len(tones)))
    for m in range(members):
        for j in range(destinations):
            for i in range(len(tones)):
                for k in range(resonators):
                    d, g = tones[i] - resonances[m, j, k], widths[m, j, k]
                    shape = 2 * g * (d * math.cos(angle) + g * math.sin(angle)) / (d * d + g * g)
                    found[m, j, i] += most[m, j, k] * shape
    return found


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_effective_weights_are_the_sum_over_all_pairs(angle: float) -> None:
    """Spread of resonances and linewidths, absent ones, alternating signs and loss included, to 1e-12 of w_max."""
    shape = (2, 3, 5)
    tones = 2e9 + SPACING * torch.arange(5, dtype=F64)
    resonances = tones + WIDTH * 2 * drawn(*shape) + 3e-3 * tones * drawn(5, 2, 3).permute(1, 2, 0)
    widths = WIDTH * (1 + 0.2 * drawn(*shape))
    present = drawn(*shape) > -0.3
    most = MOST * alternating(5) * present * transmission(present, 0.1)
    found = chain_weights(tones, resonances, widths, most, angle_rad=angle)
    wanted = summed(tones.numpy(), resonances.numpy(), widths.numpy(), most.numpy(), angle)
    assert np.abs(found.numpy() - wanted).max() < 1e-12 * MOST


def test_a_shift_given_apart_is_the_same_shift_and_exact_in_single_precision() -> None:
    tones = 2e9 + SPACING * torch.arange(32, dtype=F64)
    shift = WIDTH * drawn(4, 32)
    whole = chain_weights(tones, tones + shift, torch.tensor(WIDTH), MOST)
    apart = chain_weights(tones, tones.expand(1, 32), torch.tensor(WIDTH), MOST, shift_hz=shift)
    assert torch.allclose(whole, apart, atol=1e-5)
    ladder = (tones - tones[0]).float()
    single = chain_weights(ladder, ladder.expand(1, 32), torch.tensor(WIDTH), MOST, shift_hz=shift.float())
    assert (single - apart).abs().max() < 1e-5


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*deprecated:DeprecationWarning")  # Of torch itself.
@pytest.mark.parametrize("angle", [0.0, -0.2])
def test_gradients_by_everything_that_a_chain_is_made_of(angle: float) -> None:
    scaled = [1 + 0.1 * drawn(2, 3), drawn(2, 3), 1 + 0.2 * drawn(2, 3), MOST * alternating(3) * (1 + drawn(2, 3))]

    def weights(*parts: torch.Tensor) -> torch.Tensor:
        resonance, shift, width, most = parts
        tones = torch.tensor([1.0, 9.0, 17.0], dtype=F64)
        return chain_weights(tones, tones * resonance, width, most, shift_hz=shift, angle_rad=angle)

    assert torch.autograd.gradcheck(weights, [part.requires_grad_() for part in scaled], check_forward_ad=True)


def test_a_long_chain_in_blocks_is_the_same(mocker) -> None:
    tones = SPACING * torch.arange(6, dtype=F64)
    one, other = (WIDTH * drawn(2, 5, 6)).requires_grad_(), (WIDTH * drawn(2, 5, 6)).requires_grad_()
    most = MOST * alternating(6)
    whole = chain_weights(tones, tones.expand(1, 6), torch.tensor(WIDTH, dtype=F64), most, shift_hz=one)
    whole.square().sum().backward()
    mocker.patch("spinhw.physics.resonator.LARGEST_BLOCK", 100)
    blocks = chain_weights(tones, tones.expand(1, 6), torch.tensor(WIDTH, dtype=F64), most, shift_hz=other)
    blocks.square().sum().backward()
    assert torch.equal(whole, blocks)
    assert one.grad is not None and other.grad is not None
    assert torch.allclose(one.grad, other.grad, rtol=1e-12, atol=0)


@pytest.mark.parametrize("half_linewidths", [32, 128])
def test_a_chain_far_apart_is_independent_synapses_up_to_its_crosstalk(half_linewidths: int) -> None:
    """All tails together: at most 2 w_max / spacing for each resonator, over its distance in rungs."""
    tones = half_linewidths * WIDTH * torch.arange(8, dtype=F64)
    wanted = MOST * 0.9 * drawn(3, 8)
    signs = alternating(8)
    shift = -detuning_for(wanted * signs, torch.tensor(WIDTH, dtype=F64), MOST)
    found = chain_weights(tones, tones.expand(1, 8), torch.tensor(WIDTH), MOST * signs, shift_hz=shift)
    rungs = (torch.arange(8)[:, None] - torch.arange(8)).abs().double()
    tails = (2 * MOST / (half_linewidths * rungs - 1)).masked_fill(rungs == 0, 0.0).sum(0)
    off = (found - wanted).abs()
    assert (off <= tails + 1e-9).all()
    assert off.max() > 0.01 * tails.max()


def test_signs_that_alternate_let_a_common_shift_cancel() -> None:
    """A shift of all resonances by a tenth of G changes the sum of a row by what its tails change, and no more."""
    tones = SPACING * torch.arange(8, dtype=F64)

    def change(signs: torch.Tensor | float) -> float:
        rows = [torch.full((1, 8), share * WIDTH, dtype=F64) for share in (0.0, 0.1)]
        width, ladder = torch.tensor(WIDTH), tones.expand(1, 8)
        still, moved = (chain_weights(tones, ladder, width, MOST * signs, shift_hz=row).sum() for row in rows)
        return abs(float(moved - still))

    assert change(1.0) > 8 * MOST * 0.19
    assert change(alternating(8)) < 1e-4


@given(weight=st.floats(-0.99, 0.99), angle=st.floats(-1.0, 1.0))
def test_the_inner_branch_is_turned_round_with_an_angle_too(weight: float, angle: float) -> None:
    wanted = torch.tensor(MOST * (math.sin(angle) + weight), dtype=F64)
    width = torch.tensor(WIDTH, dtype=F64)
    detuning = detuning_for(wanted, width, MOST, angle)
    low, high = inner_branch(angle)
    assert low <= detuning.item() / WIDTH <= high
    assert resonator_weight(detuning, width, MOST, angle).item() == pytest.approx(wanted.item(), abs=1e-8)


def test_the_ends_of_the_inner_branch_are_the_extremes() -> None:
    for angle in (0.0, 0.4, -0.7):
        ends = torch.tensor(inner_branch(angle), dtype=F64) * WIDTH
        found = resonator_weight(ends, torch.tensor(WIDTH, dtype=F64), MOST, angle)
        assert found.tolist() == pytest.approx([MOST * (math.sin(angle) - 1), MOST * (math.sin(angle) + 1)])


@pytest.mark.parametrize("curve", [TuningCurve(), TuningCurve(bend=-0.3), TuningCurve(saturation=1.5)])
def test_a_tuning_curve_has_slope_one_and_a_way_back(curve: TuningCurve) -> None:
    tuning = torch.linspace(-1, 1, 41, dtype=F64)
    shift = curve.shift(tuning)
    assert torch.allclose(curve.tuning(shift), tuning, atol=1e-12)
    assert curve.ends() == (pytest.approx(shift[0].item()), pytest.approx(shift[-1].item()))
    assert (shift.diff() > 0).all()
    small = torch.tensor([-1e-6, 1e-6], dtype=F64)
    assert (curve.shift(small).diff() / 2e-6).item() == pytest.approx(1.0, abs=1e-6)


def test_loss_is_felt_by_those_behind_and_not_taken_by_absent_ones() -> None:
    present = torch.tensor([True, True, False, True])
    assert transmission(present, 10.0).tolist() == pytest.approx([1.0, 0.1, 0.01, 0.01])
    assert transmission(present, 0.0).tolist() == [1.0] * 4


def test_compression_halves_the_saturation_power_and_leaves_small_powers_alone() -> None:
    weights = torch.tensor([[2.0, -1.0]], dtype=F64)
    power = torch.tensor([0.5, 0.25], dtype=F64)
    assert chain_voltage(power, weights).item() == pytest.approx(0.75)
    assert chain_voltage(power, weights, saturation_power=0.5).item() == pytest.approx(0.5 - 0.25 / 1.5)
    small = 1e-9 * power
    assert chain_voltage(small, weights, 0.5).item() == pytest.approx(chain_voltage(small, weights).item(), rel=1e-8)


def test_a_whole_chain_is_solved_with_its_crosstalk() -> None:
    tones = SPACING * torch.arange(8, dtype=F64)
    signs, width = alternating(8), torch.tensor(WIDTH, dtype=F64)
    wanted = MOST * 0.8 * drawn(3, 8)

    def whole(shift: torch.Tensor) -> torch.Tensor:
        return chain_weights(tones, tones.expand(1, 8), width, MOST * signs, shift_hz=shift)

    def shift_for(own: torch.Tensor) -> torch.Tensor:
        return -detuning_for((own * signs).clamp(-MOST, MOST), width, MOST)

    def tails(shift: torch.Tensor) -> torch.Tensor:
        return whole(shift) - resonator_weight(-shift, width, MOST * signs)

    alone = shift_for(wanted)
    assert (whole(alone) - wanted).abs().max() > 0.1
    assert (whole(chain_solution(wanted, alone, tails, shift_for)) - wanted).abs().max() < 1e-9
