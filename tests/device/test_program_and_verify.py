"""Programming a chain by measuring it: near enough at last, what is right left alone, what cannot be said so."""

from dataclasses import replace

import pytest
import torch

from spinhw.chip import Identity, ResonatorChain
from spinhw.config import build, shipped
from spinhw.device import SimulatedSettings, VerifyPlan, open_synapses, program_and_verify
from spinhw.errors import ConfigError, DeviceError
from spinhw.physics import Chain
from spinhw.surrogate import CalibratedSynapses, calibrated_synapses

COUNT, LIMIT = 8, 4.0


def chip(noise=0.0, adc=None, rf=None, **synapses):
    parts = {"limit": LIMIT, "rf": rf or {"frequency_spread": 0.0003}} | synapses
    readout = {"noise": noise} | ({"adc": adc} if adc else {})
    return build(SimulatedSettings, {"kind": "simulated", "chip": {"synapses": parts, "output_readout": readout}}, "t")


def record_of(bank, scatter=0.0, noise=0.0, broken=()):
    """What a record would say that has the chain as designed: off by its spread and by its programming errors."""
    chain = Chain.designed(bank.describe().ladder, COUNT)
    working = torch.tensor([number not in broken for number in range(COUNT)])
    nothing = torch.zeros(COUNT, 4, 4, dtype=torch.float64)
    spread = torch.full((COUNT,), scatter, dtype=torch.float64)
    tones = bank.describe().ladder.tones_hz(COUNT)
    return CalibratedSynapses(chain, nothing, spread, tones, working, "chip", noise=noise)


WANTED = torch.tensor([1.0, -2.0, 0.5, 0.0, -0.7, 2.5, -1.5, 3.0])


def acting(truth: ResonatorChain, tuning: torch.Tensor, tones: torch.Tensor) -> torch.Tensor:
    """What the chain does, without noise and scatter of its own."""
    quiet = [[float(truth.resonance_hz[k] + truth.tuning_span_hz * tuning[k]) for k in range(COUNT)]]
    width, most = truth.half_linewidth_hz, truth.max_weight
    detuning = tones[:, None] - torch.tensor(quiet, dtype=torch.float64)
    return (most * 2 * width * detuning / (detuning**2 + width**2)).sum(1)


def test_a_chain_that_is_off_its_record_comes_to_the_weights_that_were_wanted():
    with open_synapses(chip(scale_spread=0.03), COUNT) as bank:
        known = record_of(bank)
        blind = acting(bank.truth, known.tuning_for(WANTED), known.tones_hz) - WANTED
        found = program_and_verify(bank, known, WANTED, VerifyPlan(tolerance=1e-3))
        really = acting(bank.truth, found.tuning, known.tones_hz)
    assert float(blind.abs().max()) > 0.1 * LIMIT
    assert bool(found.right.all()) and 1 < found.rounds < 8
    assert float((really - WANTED).abs().max()) <= 1e-3 * LIMIT
    torch.testing.assert_close(found.weights, really, rtol=0, atol=1e-9)
    assert found.readings == found.rounds * COUNT + 1 <= VerifyPlan(tolerance=1e-3).most(known)


@pytest.mark.parametrize("seed", range(3))
def test_scatter_is_drawn_again_until_each_is_within_it(seed):
    settings = chip(repeatability=0.01, noise=0.02).model_copy(update={"seed": seed})
    with open_synapses(settings, COUNT) as bank:
        known = record_of(bank, scatter=0.01, noise=0.02)
        plan = VerifyPlan(rounds=30)
        found = program_and_verify(bank, known, WANTED, plan)
    assert found.tolerance == pytest.approx(0.01 * LIMIT)
    assert found.error <= found.tolerance / 4
    assert bool(found.right.all()) and found.rounds < 30


def test_what_is_right_is_left_as_it_is():
    with open_synapses(chip(rf={"frequency_spread": 0.0}), COUNT) as bank:
        known = record_of(bank)
        off = known.chain.resonance_hz.clone()
        off[2] += 2e6  # The record is wrong about one.
        wrong = replace(known, chain=replace(known.chain, resonance_hz=off))
        first = wrong.tuning_for(WANTED)
        found = program_and_verify(bank, wrong, WANTED, VerifyPlan(tolerance=0.02))
    moved = (found.tuning != first).nonzero()[:, 0].tolist()
    assert moved == [2] and bool(found.right.all()) and found.rounds <= 3


def test_what_does_not_move_and_what_is_out_of_reach_ends_nothing():
    with open_synapses(chip(), COUNT) as bank:
        wanted = WANTED.clone()
        wanted[1], wanted[5] = 9.0, 1.0
        found = program_and_verify(bank, record_of(bank, broken=(5,)), wanted, VerifyPlan(tolerance=1e-3))
    assert found.reachable.logical_not().nonzero()[:, 0].tolist() == [1, 5]
    assert found.right.tolist() == found.reachable.tolist()
    assert float(found.tuning[5]) == 0.0


def test_rounds_are_bounded_and_the_last_programming_is_the_one_that_was_measured():
    with open_synapses(chip(repeatability=0.05), COUNT) as bank:
        found = program_and_verify(bank, record_of(bank, 0.05), WANTED, VerifyPlan(tolerance=1e-6, rounds=3))
        again = bank.measure(found.tuning.expand(COUNT, -1), record_of(bank).tones_hz, torch.ones(COUNT))
    assert found.rounds == 3 and not bool(found.right.all())
    torch.testing.assert_close(again.values.double(), found.weights)


def test_more_is_read_where_noise_is_larger_than_what_is_wanted():
    with open_synapses(chip(noise=0.1), COUNT) as bank:
        known = record_of(bank, noise=0.1)
    assert VerifyPlan(tolerance=0.1).readings_of(known) == 1
    assert VerifyPlan(tolerance=0.025).readings_of(known) == 16
    assert VerifyPlan(tolerance=0.025, power=0.5).readings_of(known) == 64
    assert VerifyPlan(tolerance=1e-4).readings_of(known) == 100
    assert VerifyPlan().tolerance_of(known) == pytest.approx(4 * 0.1 / 10)


def test_through_instruments_with_the_record_that_was_made_there():
    known = calibrated_synapses(shipped("calibration") / "synapses-virtual.yaml", "synapses-virtual")
    with open_synapses("synapses-virtual") as bank:
        found = program_and_verify(bank, known, WANTED / 2, VerifyPlan(tolerance=0.02, rounds=20))
    assert bool(found.right.all() and found.reachable.all())
    assert float((found.weights - WANTED / 2).abs().max()) <= found.tolerance
    assert found.error <= found.tolerance / 4


def test_a_voltmeter_at_its_end_is_said():
    adc = {"bits": 12, "lowest": -0.5, "highest": 0.5}
    with open_synapses(chip(adc=adc), COUNT) as bank, pytest.raises(DeviceError, match="no reading.*GHz"):
        program_and_verify(bank, record_of(bank), WANTED)


@pytest.mark.parametrize(
    ("plan", "name"),
    [
        ({"tolerance": 0.0}, "tolerance"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"rounds": 0}, "rounds"),
        ({"power": -1.0}, "power"),
        ({"most_readings": 0}, "most_readings"),
    ],
)
def test_a_plan_out_of_range_is_named(plan, name):
    with pytest.raises(ConfigError, match=f"{name}: out of range"):
        VerifyPlan(**plan)


def test_weights_and_records_of_another_size_are_refused():
    with open_synapses(chip(), COUNT) as bank, open_synapses(chip(), 4) as other:
        known = record_of(bank)
        for weights in (torch.zeros(3), torch.full((COUNT,), float("nan"))):
            with pytest.raises(ConfigError, match="weights: not one number"):
                program_and_verify(bank, known, weights)
        with pytest.raises(ConfigError, match="of another chain"):
            program_and_verify(other, known, WANTED)


def test_the_inner_branch_ends_where_the_slope_turns():
    identity = Identity("chip", 0)
    settings = chip().chip
    truth = ResonatorChain(settings, identity, COUNT)
    with open_synapses(chip(), COUNT) as bank:
        known = record_of(bank)
    assert truth.tuning_span_hz == float(known.chain.tuning_span_hz[0])
    for edge in known.inner_branch():
        own = known.weights(edge).abs() / LIMIT
        assert float((own - 1).abs().max()) < 0.2  # Its own share is 1 there; tails take or give the rest.
    within = (known.tuning_for(WANTED) - known.inner_branch()[0]).min()
    assert float(within) > 0
