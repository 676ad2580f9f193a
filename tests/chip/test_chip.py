"""The simulated chip: what is hidden in it, what it does, what is measured of it."""

import math

import pytest
import torch

from spinhw.chip import Chip, ChipSettings, Identity, OscillatorArray, ResonatorChain
from spinhw.chip.converter import quantise
from spinhw.chip.settings import RFSettings
from spinhw.chip.synapses import crosstalk
from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.streams import torch_stream

INTERVAL_S = 1e-9
SMALL = NetworkSettings(layers=(4, 3), outputs=2)


def chip_settings(**parts) -> ChipSettings:
    return build(ChipSettings, parts, "test")


def make(settings: ChipSettings, *numbers: int, network: NetworkSettings = SMALL, dtype=torch.float64) -> Chip:
    return Chip(settings, network, [Identity(f"chip-{number}", 0) for number in numbers], INTERVAL_S, dtype)


def weights_of(network: NetworkSettings, seeds=(0,)) -> dict[str, torch.Tensor]:
    values = SpintronicNetwork(network, Steps(INTERVAL_S), seed=list(seeds)).double().values()
    return {name: value.detach() for name, value in values.items() if name != "b_out"}


def inputs_for(members: int = 1, batch: int = 3, times: int = 5) -> torch.Tensor:
    shape = (members, batch, times, 1)
    return torch.rand(shape, generator=torch_stream("test inputs"), dtype=torch.float64) * 4 - 1.2


def everything(chip: Chip) -> list[range]:
    return [range(chip.hidden.dead.shape[1])]


IMPERFECT = {
    "spread": {"gamma": 0.2, "sigma": 0.2, "q": 0.2, "cutoff": 0.1, "gain": 0.1},
    "synapses": {"limit": 4, "bits": 8, "scale_spread": 0.1, "programming_error": 0.01, "repeatability": 0.01},
    "power_readout": {"noise": 0.01, "gain_spread": 0.05, "offset_spread": 0.01},
    "output_readout": {"noise": 0.01},
    "thermal_power": 1e-3,
    "drift": {"common_per_1000_shots": 0.1, "individual_per_1000_shots": 0.1},
}


@pytest.mark.parametrize("initial", ["rest", "half"])
def test_ideal_chip_is_the_network_at_fine_steps(initial):
    settings = SMALL.model_copy(update={"initial_state": initial, "readout_samples": 2})
    network = SpintronicNetwork(settings, Steps(INTERVAL_S, substeps=16, order=2), seed=[0]).double()
    chip, inputs = make(ChipSettings(), 0, network=settings), inputs_for()
    chip.program(weights_of(settings))
    [measured] = chip.measure(inputs, everything(chip))
    with torch.no_grad():
        true = network.run(inputs)
        logits = network.read_out(true.filtered)
    torch.testing.assert_close(measured.power.values[:, :, 1:], true.power)
    torch.testing.assert_close(measured.power.values[:, :, 0], true.power0)
    torch.testing.assert_close(measured.filtered.values, true.filtered)
    torch.testing.assert_close(settings.out_gain * measured.outputs.values + network.b_out[:, None], logits)


def test_ctrnn_runs_on_an_ideal_chip():
    settings = build(NetworkSettings, {"kind": "ctrnn", "layers": [4], "saturation": {"kind": "none"}}, "test")
    network = SpintronicNetwork(settings, Steps(INTERVAL_S, substeps=16), seed=[0]).double()
    chip = make(ChipSettings(), 0, network=settings)
    chip.program(weights_of(settings))
    [measured] = chip.measure(inputs_for(), everything(chip))
    torch.testing.assert_close(measured.filtered.values, network.run(inputs_for()).filtered.detach())


def test_ctrnn_is_refused_where_the_chip_only_makes_sense_for_oscillators():
    settings = build(NetworkSettings, {"kind": "ctrnn", "saturation": {"kind": "none"}}, "test")
    with pytest.raises(ConfigError, match="ctrnn"):
        make(chip_settings(thermal_power=1e-3), 0, network=settings)


def test_spread_has_the_asked_standard_deviation():
    ask = {"gamma": 0.2, "sigma": 0.1, "q": 0.2, "cutoff": 0.3, "gain": 0.05}
    network = NetworkSettings(layers=(4_000,) * 5)
    hidden = make(chip_settings(spread=ask), 0, network=network).hidden.neurons
    nominal = network.neurons(torch.float64)
    for name, field in {"gamma": "gamma", "sigma": "sigma", "cutoff": "cutoff_hz", "gain": "gain"}.items():
        ratio = getattr(hidden, field) / getattr(nominal, field)
        assert float(ratio.std()) == pytest.approx(ask[name], rel=0.05)
        assert float(ratio.mean()) == pytest.approx(1.0, abs=5 * ask[name] / math.sqrt(20_000))
        assert bool((ratio > 0).all())
    assert float(hidden.q.std()) == pytest.approx(0.2, rel=0.05)
    assert bool((hidden.q > -1).all())


def test_large_spread_of_q_keeps_the_damping_positive():
    hidden = make(chip_settings(spread={"q": 1.0}), 0, network=NetworkSettings(layers=(2000,))).hidden
    assert float(hidden.neurons.q.min()) >= -0.9


def test_spread_leaves_the_programmed_bias_and_the_bounds_alone():
    hidden, nominal = make(chip_settings(**IMPERFECT), 0).hidden.neurons, SMALL.neurons(torch.float64)
    assert torch.equal(hidden.bias_drive, nominal.bias_drive)
    assert torch.equal(hidden.bounds.highest, nominal.bounds.highest)


def test_same_id_and_seed_give_the_same_chip_and_others_another():
    first, again, other = (make(chip_settings(**IMPERFECT), number).hidden.neurons for number in (3, 3, 4))
    assert torch.equal(first.gamma, again.gamma)
    assert not torch.equal(first.gamma, other.gamma)
    reseeded = Chip(chip_settings(**IMPERFECT), SMALL, [Identity("chip-3", 1)], INTERVAL_S)
    assert not torch.equal(first.gamma, reseeded.hidden.neurons.gamma)


def test_other_imperfections_do_not_redraw_a_chip():
    whole = make(chip_settings(**IMPERFECT), 0).hidden.neurons
    part = make(chip_settings(spread={"gamma": 0.2}), 0).hidden.neurons
    assert torch.equal(whole.gamma, part.gamma)


def test_a_member_measures_what_it_measures_alone():
    settings, weights = chip_settings(**IMPERFECT), weights_of(SMALL, (0, 1, 2))
    together, inputs = make(settings, 7, 8, 9), inputs_for(3)
    together.program(weights)
    alone = make(settings, 8)
    alone.program({name: value[1:2] for name, value in weights.items()})
    for _ in range(2):  # the second shot has drifted
        [both], [one] = together.measure(inputs, everything(together)), alone.measure(inputs[1:2], everything(alone))
        torch.testing.assert_close(both.power.values[1:2], one.power.values, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(both.outputs.values[1:2], one.outputs.values, rtol=1e-12, atol=1e-12)


def test_restored_state_replays_the_same_shots_to_the_bit():
    chip, weights, inputs = make(chip_settings(**IMPERFECT), 0), weights_of(SMALL), inputs_for()
    chip.program(weights)
    chip.measure(inputs, everything(chip), averages=2)
    state = chip.state()
    chip.program(weights)
    [first] = chip.measure(inputs, everything(chip))
    fresh = make(chip_settings(**IMPERFECT), 0)
    fresh.restore(state)
    fresh.program(weights)
    [second] = fresh.measure(inputs, everything(fresh))
    assert torch.equal(first.power.values, second.power.values)
    assert torch.equal(first.outputs.values, second.outputs.values)
    assert first.shots == second.shots == (2, 3)


def test_shots_differ_and_averages_shrink_the_noise():
    chip = make(chip_settings(power_readout={"noise": 0.02}), 0)
    chip.program(weights_of(SMALL))
    inputs = inputs_for(batch=40)
    true = chip.oracle(weights_of(SMALL), inputs).rollout.power
    errors = [
        chip.measure(inputs, everything(chip), averages=count)[0].power.values[:, :, 1:] - true for count in (1, 1, 16)
    ]
    assert not torch.equal(errors[0], errors[1])
    assert float(errors[0].std()) == pytest.approx(0.02, rel=0.1)
    assert float(errors[2].std()) == pytest.approx(0.005, rel=0.1)


def test_chunks_change_nothing(mocker):
    settings = chip_settings(**IMPERFECT)
    results = []
    for size in (2**24, 5 * 16 * 7 * 2):  # all images at once, one image at a time
        mocker.patch("spinhw.chip.fine.NORMALS_PER_CHUNK", size)
        chip = make(settings, 0)
        chip.program(weights_of(SMALL))
        results.append(chip.measure(inputs_for(), everything(chip))[0].power.values)
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)


def test_thermal_power_below_threshold_has_the_theoretical_mean():
    thermal, network = 2e-3, NetworkSettings(layers=(16,))
    array = OscillatorArray(
        chip_settings(thermal_power=thermal), network.neurons(torch.float64), [Identity("chip-0", 0)], 5e-9
    )
    played, [measured] = array.measure(torch.zeros(1, 8, 60, 16), [range(16)])
    # With Q = 0 and no drive, dp = (-gamma p + 2 D) dt + ..., so the mean settles at 2 D / gamma = p_T, exponentially
    # distributed. Samples are tau apart, so their number is what counts.
    late = measured.power.values[:, :, 20:].double()
    assert float(late.mean()) == pytest.approx(thermal, rel=0.1)
    assert float(late.std()) == pytest.approx(thermal, rel=0.15)


def test_thermal_fluctuation_at_the_bias_follows_linear_theory():
    thermal, network = 1e-3, NetworkSettings(layers=(16,))
    array = OscillatorArray(
        chip_settings(thermal_power=thermal), network.neurons(torch.float64), [Identity("chip-0", 0)], 5e-9
    )
    bias = network.neurons().bias_drive.expand(1, 8, 40, 16)
    late = array.measure(bias, [range(16)])[1][0].power.values[:, :, 10:].double()
    # Around x = 1/2: du = -gamma u dt + 2 sqrt(D / 2) dW, D = gamma p_T / 2, so var u = 2 D / (2 gamma) = p_T / 2.
    assert float(late.std()) == pytest.approx(math.sqrt(thermal / 2), rel=0.1)


def test_rest_is_each_devices_own():
    chip = make(chip_settings(spread={"gamma": 0.3, "sigma": 0.1, "q": 0.2}), 0)
    silent = {name: torch.zeros_like(value) for name, value in weights_of(SMALL).items()}
    chip.program(silent)
    [measured] = chip.measure(inputs_for(times=4), everything(chip))
    start = measured.power.values[:, :, :1]
    torch.testing.assert_close(measured.power.values, start.expand_as(measured.power.values))
    assert float(start.std()) > 1e-3  # 0.15 +- 0.05 over seeds.


def test_dead_and_stuck_oscillators_send_nothing():
    network = SMALL.model_copy(update={"density_input": 1.0})
    chip = make(chip_settings(defects={"dead": [1], "stuck": [2], "stuck_power": 0.8}), 0, network=network)
    chip.program(weights_of(network))
    [measured] = chip.measure(inputs_for(), everything(chip))
    power, filtered = measured.power.values, measured.filtered.values
    assert float(power[..., 1].max()) <= 1e-6
    torch.testing.assert_close(power[..., 2], torch.full_like(power[..., 2], 0.8))
    assert float(filtered[..., [1, 2]].abs().max()) < 1e-5
    assert float(filtered[..., [0, 3]].abs().max()) > 1e-3


def test_defect_fractions_are_exact_counts():
    settings = chip_settings(defects={"dead_fraction": 0.1, "stuck_fraction": 0.05})
    hidden = make(settings, 0, 1, network=NetworkSettings(layers=(100,))).hidden
    assert hidden.stuck.sum(1).tolist() == [5, 5]
    assert not bool((hidden.dead & hidden.stuck).any())
    assert not torch.equal(hidden.dead[0], hidden.dead[1])


def test_defect_beyond_the_chip_is_refused():
    with pytest.raises(ConfigError, match="no such oscillator.*0 to 6"):
        make(chip_settings(defects={"dead": [7]}), 0)


def test_programming_rounds_to_the_bits_and_hides_its_errors():
    network = SMALL.model_copy(update={"density_input": 1.0, "density_inter": 1.0})  # So that there is an output.
    settings = chip_settings(synapses={"limit": 4, "bits": 6, "programming_error": 0.02})
    chip, weights = make(settings, 0, network=network), weights_of(network)
    applied = chip.program(weights)
    level = 4 / 31
    for name in ("w_ext.1", "w_int.0", "w_out"):
        torch.testing.assert_close(applied[name] / level, (applied[name] / level).round())
        assert float((applied[name] - weights[name]).abs().max()) <= level / 2 + 1e-12
    ideal = make(ChipSettings(), 0, network=network)
    ideal.program(applied)
    outputs = [one.measure(inputs_for(), everything(one))[0].outputs.values for one in (chip, ideal)]
    assert not torch.allclose(*outputs)


def test_synapse_errors_belong_to_the_chip_and_spare_absent_synapses():
    chip = make(chip_settings(synapses={"limit": 4, "scale_spread": 0.1, "programming_error": 0.05}), 0)
    weights = weights_of(SMALL)
    masks = {name: value != 0 for name, value in weights.items() if name.startswith("w")}
    truths = []
    for _ in range(2):
        chip.program(weights, masks)
        truths.append({name: value.clone() for name, value in chip.acting.items()})
    assert all(torch.equal(truths[0][name], truths[1][name]) for name in weights)
    assert bool((truths[0]["w_int.0"][~masks["w_int.0"]] == 0).all())


def test_a_synapse_that_exists_has_its_error_at_zero_too():
    chip = make(chip_settings(synapses={"limit": 4, "programming_error": 0.05}), 0)
    zeros = {name: torch.zeros_like(value) for name, value in weights_of(SMALL).items()}
    mask = torch.ones_like(zeros["w_int.0"], dtype=torch.bool)
    mask[..., 0] = False
    chip.program(zeros, {"w_int.0": mask})
    acting = chip.acting["w_int.0"]
    assert bool((acting[..., 0] == 0).all()) and bool((acting[..., 1:] != 0).all())


def test_repeatability_differs_at_each_programming():
    chip, weights = make(chip_settings(synapses={"limit": 4, "repeatability": 0.05}), 0), weights_of(SMALL)
    chip.program(weights)
    first = chip.acting["w_int.0"]
    chip.program(weights)
    assert not torch.equal(first, chip.acting["w_int.0"])


def test_dead_synapses_do_nothing_and_stuck_ones_stay():
    settings = chip_settings(synapses={"limit": 4, "dead_fraction": 0.25, "stuck_fraction": 0.25})
    network = NetworkSettings(layers=(24,), density_intra=1.0)
    chip = make(settings, 0, network=network)
    ones = {name: torch.ones_like(value) for name, value in weights_of(network).items()}
    chip.program(ones)
    acting = chip.acting["w_int.0"]
    chip.program({name: value * 2 for name, value in ones.items()})
    same = acting == chip.acting["w_int.0"]
    assert float((acting == 0).double().mean()) == pytest.approx(0.25, abs=0.1)
    assert 0.3 < float(same.double().mean()) <= 0.6


def test_crosstalk_vanishes_with_spacing():
    wanted = torch.rand(1, 3, 5, generator=torch_stream("test weights"), dtype=torch.float64) * 6 - 3
    present = torch.ones_like(wanted, dtype=torch.bool)
    errors = []
    for spacing in ("200 MHz", "2 GHz", "200 GHz"):
        rf = build(RFSettings, {"spacing": spacing, "half_linewidth": "10 MHz"}, "test")
        errors.append(float((crosstalk(wanted, present, 4.0, rf) - wanted).abs().max()))
    assert errors[0] > 5 * errors[1] > 20 * errors[2]
    assert errors[2] < 1e-2


def test_two_resonators_cross_talk_as_the_tail_of_the_lorentzian():
    rf = build(RFSettings, {"spacing": "1 GHz", "half_linewidth": "10 MHz"}, "test")
    wanted = torch.zeros(1, 1, 2, dtype=torch.float64)
    present = torch.tensor([[[True, False]]])
    tail = crosstalk(wanted, present, 4.0, rf)[0, 0]
    assert float(tail[0]) == pytest.approx(0.0, abs=1e-9)
    assert float(tail[1]) == pytest.approx(4.0 * 2 * 10e6 / 1e9, rel=1e-3)


def chain_of(count: int = 6, **synapses) -> ResonatorChain:
    data = {"synapses": {"limit": 4.0, "rf": {"half_linewidth": "10 MHz", "tuning_span": "20 MHz"}} | synapses}
    return ResonatorChain(chip_settings(**data), Identity("chain-0", 0), count)


def centres(chain: ResonatorChain, tuning: torch.Tensor) -> torch.Tensor:
    """Read where each resonance is, from the slope through its centre; tunings (point, resonator)."""
    tones = chain.resonance_hz.repeat(len(tuning))
    rows = tuning.repeat_interleave(tuning.shape[1], 0)
    return chain.measure(rows, tones, torch.ones(len(tones))).values.view(tuning.shape)


def test_a_resonator_is_written_only_where_its_tuning_changes():
    chain = chain_of(repeatability=0.02)
    tuning = torch.zeros(120, 6, dtype=torch.float64)
    tuning[20:, 0] = torch.arange(100) % 2 * 0.01
    read = centres(chain, tuning)
    assert float(read[:, 1:].std(0).max()) < 1e-3  # Their neighbour's tail moves a little.
    visits = read[20::2, 0]
    # A resonance that is off by e G / 2 is, at the slope 2 w_max / G of its centre, a weight off by e w_max.
    assert float(visits.std()) == pytest.approx(0.02 * 4.0, rel=0.5)


def test_a_chain_goes_on_from_a_saved_state():
    chain = chain_of(repeatability=0.02)
    centres(chain, torch.zeros(1, 6, dtype=torch.float64))
    state, tuning = chain.state(), torch.full((2, 6), 0.1, dtype=torch.float64)
    first = centres(chain, tuning)
    chain.restore(state)
    assert torch.equal(first, centres(chain, tuning))


def test_dead_and_stuck_resonators_do_not_follow_their_tuning():
    chain = chain_of(12, dead_fraction=0.25, stuck_fraction=0.25)
    assert int(chain.dead.sum()) == int(chain.stuck.sum()) == 3
    tunings = torch.tensor([0.0, 0.2], dtype=torch.float64)[:, None].expand(-1, 12)
    moved = (centres(chain, tunings)[1] - centres(chain, tunings)[0]).abs()
    assert (moved[chain.dead | chain.stuck] < 0.05).all()
    assert (moved[~(chain.dead | chain.stuck)] > 1.0).all()


def test_tunings_are_rounded_to_the_bits_of_the_programming():
    chain = chain_of(1, bits=3)
    tuning = torch.linspace(-1, 1, 101, dtype=torch.float64)[:, None]
    tones = chain.resonance_hz.expand(101)
    assert len(chain.measure(tuning, tones, torch.ones(101)).values.unique()) == 7


def test_quantise_has_its_levels_and_a_straight_gradient():
    values = torch.tensor([-2.0, -0.4, 0.1, 0.9, 3.0], dtype=torch.float64, requires_grad=True)
    rounded = quantise(values, -1.0, 1.0, 2)
    torch.testing.assert_close(rounded.detach(), torch.tensor([-1.0, -1 / 3, 1 / 3, 1.0, 1.0], dtype=torch.float64))
    rounded.sum().backward()
    assert torch.equal(values.grad, torch.ones_like(values))


def test_adc_clips_and_says_so():
    chip = make(chip_settings(power_readout={"adc": {"bits": 8, "lowest": 0.49, "highest": 0.51}}), 0)
    chip.program(weights_of(SMALL))
    [measured] = chip.measure(inputs_for(), everything(chip))
    true = chip.oracle(weights_of(SMALL), inputs_for()).rollout.power
    values, clipped = measured.power.values[:, :, 1:], measured.power.clipped[:, :, 1:]
    assert torch.equal(clipped, (true < 0.49) | (true > 0.51))
    assert bool(clipped.any())
    level = 0.02 / 255
    assert float((values - true)[~clipped].abs().max()) <= level / 2 + 1e-9


def test_readout_offset_spares_the_filtered_signal():
    chip = make(chip_settings(power_readout={"offset_spread": 0.1}), 0)
    chip.program(weights_of(SMALL))
    true = chip.oracle(weights_of(SMALL), inputs_for()).rollout
    [measured] = chip.measure(inputs_for(), everything(chip))
    torch.testing.assert_close(measured.filtered.values, true.filtered)
    offsets = measured.power.values[:, :, 1:] - true.power
    torch.testing.assert_close(offsets, offsets[:, :1, :1].expand_as(offsets))
    assert float(offsets.std()) > 1e-4  # 0.09 +- 0.03 over seeds.


WIDE = NetworkSettings(layers=(400,), density_intra=0.0)  # So many oscillators that a walk has a standard deviation.


def walk_of(chip: Chip) -> torch.Tensor:
    return torch.tensor(chip.state()["walk"], dtype=torch.float64)  # (member, 3, oscillator)


def take_shots(chip: Chip, count: int) -> None:
    members = len(chip.identities)
    chip.program(weights_of(chip.network, range(members)))
    chip.measure(inputs_for(members, batch=1, times=1), [range(1)], averages=count)


def test_drift_walks_as_the_root_of_the_shots():
    chip = make(chip_settings(drift={"individual_per_1000_shots": 0.2}), 0, network=WIDE)
    take_shots(chip, 100)
    assert float(walk_of(chip).std()) == pytest.approx(0.2 * math.sqrt(0.1), rel=0.1)


def test_chip_may_have_drifted_before_its_first_shot_and_goes_on_from_there():
    drift = {"individual_per_1000_shots": 0.2, "aged_shots": 250}
    chip, again = (make(chip_settings(drift=drift), 0, network=WIDE) for _ in range(2))
    aged = walk_of(chip)
    assert chip.shots == 0 and torch.equal(aged, walk_of(again))
    assert float(aged.std()) == pytest.approx(0.1, rel=0.1)
    take_shots(chip, 10)
    assert float((walk_of(chip) - aged).std()) == pytest.approx(0.02, rel=0.1)


def test_common_drift_is_alike_for_all_oscillators():
    chip = make(chip_settings(drift={"common_per_1000_shots": 0.2}), 0, 1)
    take_shots(chip, 10)
    walk = walk_of(chip)
    assert torch.equal(walk, walk[:, :, :1].expand_as(walk))
    assert not torch.equal(walk[0], walk[1])


def test_drift_moves_the_chip_between_runs_but_not_within():
    chip = make(chip_settings(drift={"individual_per_1000_shots": 1.0}), 0)
    chip.program(weights_of(SMALL))
    both = chip.measure(inputs_for(), [range(4), range(4)])
    assert torch.equal(both[0].power.values, both[1].power.values)
    [later] = chip.measure(inputs_for(), [range(4)])
    assert not torch.allclose(later.power.values, both[0].power.values)


def test_loop_delay_changes_the_network():
    now, late = (make(chip_settings(loop_delay=delay), 0) for delay in ("0 s", "500 ps"))
    outputs = []
    for chip in (now, late):
        chip.program(weights_of(SMALL))
        outputs.append(chip.measure(inputs_for(), everything(chip))[0].outputs.values)
    assert float((outputs[0] - outputs[1]).abs().max()) > 1e-7  # Far above the last bits, and below 5e-4 +- 3e-4.


def test_oracle_gradient_is_that_of_finite_differences():
    network = NetworkSettings(layers=(3,), outputs=2, density_intra=1.0)
    chip = make(chip_settings(spread={"gamma": 0.2, "sigma": 0.2, "q": 0.2}), 0, network=network)
    weights, inputs = weights_of(network), inputs_for(batch=2, times=3)
    own = weights["w_int.0"].clone().requires_grad_()

    def outputs(value: torch.Tensor) -> torch.Tensor:
        return chip.oracle(weights | {"w_int.0": value}, inputs).outputs

    assert torch.autograd.gradcheck(outputs, own)


def test_oracle_takes_no_shot_and_agrees_with_the_measurement():
    chip, weights = make(chip_settings(spread={"gamma": 0.2}, synapses={"scale_spread": 0.1}), 0), weights_of(SMALL)
    chip.program(weights)
    truth = chip.oracle(weights, inputs_for())
    assert chip.shots == 0
    [measured] = chip.measure(inputs_for(), everything(chip))
    torch.testing.assert_close(truth.outputs, measured.outputs.values)


def test_synapses_that_are_off_cost_nothing_and_change_nothing(mocker):
    dense, sparse = (make(chip_settings(spread={"gamma": 0.2}), 0, 1, dtype=torch.float32) for _ in range(2))
    weights, inputs = weights_of(SMALL, (0, 1)), inputs_for(members=2)
    fewer = weights | {"w_int.0": weights["w_int.0"].tril()}
    for programmed in (fewer, weights, fewer):  # A synapse that was off is found when it is switched on.
        found = []
        for chip in (dense, sparse):
            chip.program(programmed)
            if chip is dense:  # Nothing is known of which synapses are off.
                unknown = mocker.patch("spinhw.chip.chip.Sparsity")
                unknown.of.return_value = None
            [measured] = chip.measure(inputs, everything(chip))
            mocker.stopall()
            found.append(measured.power.values)
        assert torch.equal(*found)
    assert sparse.oracle(fewer, inputs).outputs is not None


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"spread": {"gama": 0.1}}, "did you mean 'gamma'"),
        ({"spread": {"gamma": -0.1}}, "chip.yaml: spread.gamma"),
        ({"steps_per_ns": 8}, "greater than or equal to 16"),
        ({"synapses": {"bits": 8}}, "bits need a limit"),
        ({"input_dac": {"bits": 8}}, "bits need a range"),
        ({"input_dac": {"lowest": 1.0}}, "belong together"),
        ({"input_dac": {"lowest": 1.0, "highest": 0.0}}, "lowest must be below highest"),
        ({"loop_delay": 3}, "a unit is needed"),
        ({"defects": {"dead_fraction": 1.5}}, "less than or equal to 1"),
    ],
)
def test_bad_chip_settings_are_refused(parts, message):
    with pytest.raises(ConfigError, match=message):
        build(ChipSettings, parts, "chip.yaml")
