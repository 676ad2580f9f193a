"""What the virtual bench digitises is what its chip does, within noise and one step of the converters."""

import logging

import numpy as np
import pytest
import torch

from fakes.bench import ADDRESSES, SMALL_NETWORK, arm, bank, bench, play, read_block, record, say
from spinhw.chip import Chip, Identity, OscillatorArray
from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.physics import logistic_step
from spinhw.rollout import Neurons
from spinhw.streams import numpy_stream
from spinhw.virtual import BenchSettings, load_bench
from spinhw.virtual.held import at_rate
from spinhw.virtual.lab import Window
from spinhw.virtual.network_physics import parameter_shapes
from spinhw.virtual.records import Interpolation, holding, lowpass, pieces, runs
from spinhw.virtual.response import relax
from spinhw.virtual.scpi import block

BATCH, TIMES, REST = 3, 6, 80
INPUT_V, POWER_V, OUTPUT_V = 0.05, 0.1, 0.05


def program(made) -> np.ndarray:
    """Program weights and biases; give the voltages as read back."""
    volts = numpy_stream("test weights").uniform(-1, 1, ADDRESSES).astype("<f4")
    say(made, "synapses", b"FORM:BORD SWAP;:SYN:DATA 0," + block(volts.tobytes()))
    assert say(made, "synapses", "SYN:APPL;:OUTP 1;:SYST:ERR?") == b'0,"No error"\n'
    return read_block(say(made, "synapses", f"SYN:DATA? 0,{ADDRESSES}"), "<f4")


def direct(made, volts: np.ndarray, inputs: np.ndarray):
    """Call the chip of a bench by itself: (batch, time) inputs at 1 ns."""
    settings, place, requested = made.settings, 0, {}
    for name, shape in parameter_shapes(settings.network).items():
        size = int(np.prod(shape))
        requested[name] = torch.from_numpy(volts[place : place + size].reshape(shape) / np.float32(0.5))[None]
        place += size
    chip = Chip(settings.chip, settings.network, [Identity("small-0", 0)], 1e-9)
    chip.program(requested)
    [measured] = chip.measure(torch.from_numpy(inputs).float()[None, :, :, None], [range(7)])
    return measured


def batch_waves(inputs: np.ndarray, rest: int = REST) -> dict[int, np.ndarray]:
    """Lay a batch out as one record at 1 GSa/s, a rest before each image, and the gate."""
    volts, gate = (np.zeros((len(inputs), rest + inputs.shape[1])) for _ in range(2))
    volts[:, rest:], gate[:, rest:] = inputs * INPUT_V, 1.0
    return {1: volts.ravel(), 2: gate.ravel()}


def ends_s(latency_s: float = 0.0, rest: int = REST) -> np.ndarray:
    """Give the times at which the input intervals end, (batch, time)."""
    starts = np.arange(BATCH)[:, None] * (rest + TIMES) + rest
    return (starts + np.arange(1, TIMES + 1)) * 1e-9 + latency_s


def inputs_played(made, rest: int = REST) -> np.ndarray:
    wanted = numpy_stream("test inputs").uniform(-8, 8, (BATCH, TIMES))
    played = play(made, batch_waves(wanted, rest))
    return played[1].samples.reshape(BATCH, -1)[:, rest:] / INPUT_V


def test_digitised_signals_are_those_of_the_chip_called_directly():
    made = bench()
    volts, inputs = program(made), inputs_played(made)
    arm(made, 300e-9, 5e9)
    assert say(made, "awg", "*TRG") == b""
    assert say(made, "scope", ":OPER:COND?") == b"0\n"
    truth = direct(made, volts, inputs)
    wanted = {
        1: truth.power.values[0, :, 1:, 0] * POWER_V,
        2: truth.power.values[0, :, 1:, 5] * POWER_V,
        3: truth.filtered.values[0, :, :, 6] * POWER_V,
    }
    for channel, signal in wanted.items():
        seen, times, step = record(made, channel)
        places = np.rint((ends_s() - times[0]) / (times[1] - times[0])).astype(int)
        np.testing.assert_allclose(seen[places], signal, atol=0.5 * step + 1e-5)
    seen, times, step = record(made, 4)
    last = np.rint((ends_s()[:, -1] - times[0]) / (times[1] - times[0])).astype(int)
    np.testing.assert_allclose(seen[last], truth.outputs.values[0, :, 0, 1] * OUTPUT_V, atol=0.5 * step + 1e-5)


def test_power_between_the_samples_and_in_the_rests_is_continuous():
    made = bench()
    program(made)
    inputs_played(made)
    say(made, "awg", "*TRG")
    times = np.arange(0, 258e-9, 0.05e-9)
    power = made.response.signal("power", 2, times)
    assert np.abs(np.diff(power)).max() < 0.05  # A rate of 1/ns at most, over 50 ps.
    assert power[0] == pytest.approx(power[int(75e-9 / 0.05e-9)])  # At rest before the first image.


def test_latency_and_gain_are_those_of_the_path():
    probes = [{"signal": "power", "numbers": [0], "to": "scope:1", "latency": "400 ps", "gain": 0.5, "offset": "10 mV"}]
    late, plain = bench(probes=probes), bench()
    for made in (late, plain):
        program(made)
        inputs_played(made)
        say(made, "awg", "*TRG")
    times = Window(100e-9, 0.3e-9, 100)
    there = plain.shot().sample(plain.instruments["scope"], 1, Window(100e-9 - 400e-12, 0.3e-9, 100))
    seen = late.shot().sample(late.instruments["scope"], 1, times)
    np.testing.assert_allclose(seen, 0.5 * there + 0.01, atol=1e-9)


def test_noise_is_that_of_the_shot_and_has_its_size():
    probes = [{"signal": "power", "numbers": [0], "to": "scope:1", "noise": "2 mV"}]
    made = bench(probes=probes)
    scope, window = made.instruments["scope"], Window(0.0, 1e-9, 4000)
    first, again = made.shot().sample(scope, 1, window), made.shot().sample(scope, 1, window)
    made.trigger(made.instruments["awg"])
    other = made.shot().sample(scope, 1, window)
    np.testing.assert_array_equal(first, again)
    assert first.std() == pytest.approx(2e-3, rel=0.1)
    assert np.abs(first - other).max() > 1e-3


@pytest.mark.parametrize(("offset_v", "end"), [(0.2, 1), (-0.1, 255)])
def test_range_of_the_scope_clips(offset_v, end):
    made = bench()
    program(made)
    inputs_played(made)
    arm(made, 300e-9, 1e9, range_v=0.02, offset_v=offset_v)
    say(made, "awg", "*TRG")
    say(made, "scope", ":WAV:SOUR CHAN1;:WAV:FORM BYTE")
    assert set(read_block(say(made, "scope", ":WAV:DATA?"), "u1").tolist()) == {end}


def test_without_its_supply_the_chip_is_dark():
    instruments = bench().settings.model_dump(mode="json", by_alias=True)["instruments"]
    wiring = {
        "kind": "chip",
        "inputs": ["awg:1"],
        "controller": "synapses",
        "gate": {"kind": "timer", "open": "6 ns", "shut": "80 ns"},
        "supply": "feed",
    }
    made = bench(instruments=instruments | {"feed": {"model": "keithley-6221"}}, wiring=wiring)
    program(made)
    inputs_played(made)

    def largest() -> float:
        say(made, "awg", "*TRG")
        return float(np.abs(made.shot().sample(made.instruments["scope"], 1, Window(0.0, 1e-9, 200))).max())

    assert largest() == 0.0
    say(made, "feed", "SOUR:CURR 5e-3;:OUTP 1")
    assert largest() > 0.03


def test_timer_gate_opens_where_the_channel_gate_does():
    timer = {"kind": "timer", "open": f"{TIMES} ns", "shut": f"{REST} ns", "first": f"{REST} ns"}
    wiring = {"kind": "chip", "inputs": ["awg:1"], "controller": "synapses", "gate": timer}
    seen = []
    for made in (bench(), bench(wiring=wiring)):
        program(made)
        inputs_played(made)
        say(made, "awg", "*TRG")
        seen.append(made.shot().sample(made.instruments["scope"], 1, Window(0.0, 1e-9, 250)))
    np.testing.assert_array_equal(*seen)


def test_too_short_a_rest_is_told(caplog):
    made = bench()
    program(made)
    inputs_played(made, rest=4)
    with caplog.at_level(logging.WARNING):
        say(made, "awg", "*TRG")
    assert "too short" in caplog.text
    assert made.network.leftover > 1e-3


def test_same_batch_is_integrated_once_unless_the_chip_fluctuates():
    for thermal, shots in ((0.0, 1), (1e-3, 3)):
        chip = {"synapses": {"limit": 4.0}, "thermal_power": thermal}
        made = bench(chip=chip)
        program(made)
        inputs_played(made)
        for _ in range(3):
            say(made, "awg", "*TRG")
        assert (made.network.chip.shots, made.shots) == (shots, 3)


def test_programming_changes_what_the_chip_does():
    made = bench()
    inputs_played(made)
    seen = []
    for scale in (0.0, 1.0):
        volts = (scale * np.ones(ADDRESSES)).astype(">f4")
        say(made, "synapses", b"SYN:DATA 0," + block(volts.tobytes()))
        say(made, "synapses", "SYN:APPL;:OUTP 1")
        say(made, "awg", "*TRG")
        seen.append(made.shot().sample(made.instruments["scope"], 2, Window(0.0, 1e-9, 250)))
    assert np.ptp(seen[0]) < 1e-6  # Without synapses nothing arrives in the second layer.
    assert np.ptp(seen[1]) > 1e-3


# Oscillators


def drive_waves(rest: int, images: int = 3, times: int = 20) -> dict[int, np.ndarray]:
    """Play 1 V (10 mA, the bias of two thresholds) in the rests and drives from 0 to 2 V in the images."""
    waves = {}
    for channel in (1, 2):
        volts = np.ones((images, rest + times))
        volts[:, rest:] = numpy_stream("test drive", channel).uniform(0, 2, (images, times))
        waves[channel] = volts.ravel()
    return waves


def test_bank_does_what_the_array_of_oscillators_does():
    made, rest = bank(), 200
    played = play(made, drive_waves(rest), full_v=2.0)
    say(made, "awg", "*TRG")
    drives = np.stack([played[channel].samples for channel in (1, 2)], axis=1).reshape(3, -1, 2)[:, rest:]
    per_ampere = made.oscillators.drive_per_ampere
    nominal = made.settings.network.neurons(torch.float64)
    array = OscillatorArray(made.settings.chip, nominal, [Identity("bank-0", 0)], 1e-9)
    drive = torch.from_numpy(drives * 0.01 * per_ampere).float()[None]
    _, [measured] = array.measure(drive, [[0, 1]])
    ends = (np.arange(3)[:, None] * (rest + 20) + rest + np.arange(1, 21)) * 1e-9
    for number in (0, 1):
        seen = made.response.signal("power", number, ends.ravel()).reshape(3, 20)
        np.testing.assert_allclose(seen, measured.power.values[0, :, 1:, number], atol=1e-4)
    assert made.oscillators.passes <= 2


def test_short_rests_carry_the_state_over_to_the_next_piece():
    made = bank()
    waves = drive_waves(5)
    played = play(made, waves, full_v=2.0)
    say(made, "awg", "*TRG")
    drives = np.stack([played[channel].samples for channel in (1, 2)], axis=1)
    nominal = made.settings.network.neurons(torch.float64)
    array = OscillatorArray(made.settings.chip, nominal, [Identity("bank-0", 0)], 1e-9)
    drive = torch.from_numpy(drives * 0.01 * made.oscillators.drive_per_ampere).float()[None, None]
    _, [measured] = array.measure(drive, [[0, 1]])  # The whole record in one go.
    ends = np.arange(1, len(drives) + 1) * 1e-9
    for number in (0, 1):
        seen, behind = (made.response.signal(kind, number, ends) for kind in ("power", "filtered"))
        np.testing.assert_allclose(seen, measured.power.values[0, 0, 1:, number], atol=1e-4)
        np.testing.assert_allclose(behind, measured.filtered.values[0, 0, :, number], atol=2e-4)
        later = made.response.signal("filtered", number, ends[7:] + 0.35e-9)  # A record may begin anywhere.
        fine = made.response.signal("filtered", number, ends[0] + 0.05e-9 * np.arange(20 * len(ends)))
        np.testing.assert_allclose(later, fine[7 * 20 + 7 :: 20], atol=2e-4)


def test_current_of_the_bias_source_is_added():
    made = bank()
    waves = {channel: volts - 0.5 for channel, volts in drive_waves(50).items()}
    seen = []
    for current in ("0", "5e-3"):
        say(made, "bias", f":SOUR:FUNC CURR;:SOUR:CURR {current};:OUTP 1")
        play(made, waves, full_v=2.0)
        say(made, "awg", "*TRG")
        seen.append(made.response.signal("power", 0, np.array([40e-9]))[0])
    assert seen[1] > seen[0] + 0.1


def test_chain_of_resonators_is_read_by_the_nanovoltmeter(shipped_bench):
    made = shipped_bench("resonators", ["chip.synapses.repeatability=0", "wiring.noise=0 V", "wiring.offset=0 V"])
    say(made, "tone", ":FREQ 2.005 GHZ;:POW -30;:OUTP 1")  # -30 dBm is the 1 uW of x = 1.
    zero = float(say(made, "nvm", ":READ?"))
    chain, tuning = made.resonators.chain, np.zeros(8)
    tuning[0] = 1.0
    say(made, "board", b"SYN:DATA 0," + block((tuning * 0.5).astype(">f4").tobytes()))
    say(made, "board", "SYN:APPL;:OUTP 1")
    tuned = float(say(made, "nvm", ":READ?"))
    frequency, power = torch.tensor([2.005e9]), torch.ones(1)
    wanted = [
        chain.measure(torch.from_numpy(one)[None], frequency, power).values[0] * 0.05 for one in (0 * tuning, tuning)
    ]
    assert [zero, tuned] == pytest.approx([float(one) for one in wanted], rel=1e-3)


# Settings


@pytest.fixture
def shipped_bench():
    from pathlib import Path

    from spinhw.virtual import Bench

    folder = Path(__file__).parents[2] / "devices" / "virtual"
    return lambda name, overrides=(): Bench(load_bench(folder / f"{name}.yaml", overrides))


@pytest.mark.parametrize("name", ["chip", "flipflop", "oscillators", "resonators"])
def test_shipped_bench_files_load_and_play(shipped_bench, name):
    made = shipped_bench(name)
    made.trigger(next(iter(made.instruments.values())))
    assert made.shots == 1


def test_switch_leads_probes_to_the_scope(shipped_bench):
    made = shipped_bench("chip")
    scope = made.instruments["scope"]
    assert made.lines(scope, 2) == []
    say(made, "switch", 'channel.close("1202,2105,3132")')
    assert [number for _, number in made.lines(scope, 2)] == [1]  # Slot 1, row 2, column 2.
    assert [number for _, number in made.lines(scope, 1)] == [36, 95]
    say(made, "switch", 'channel.close("4303")')
    assert [(probe.signal, number) for probe, number in made.lines(scope, 3)] == [("output", 2)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"probes": [{"to": "scpoe:1"}]}, "not listed: scpoe"),
        ({"chip": {"power_readout": {"noise": 0.1}}}, "leave input_dac"),
        ({"instruments": {"awg": {"model": "keysight-33700"}}}, "instruments.awg.model"),
        ({"network": SMALL_NETWORK | {"inputs": 2}}, r"wiring.inputs and network.inputs .*seen: 1 sources, 2 inputs"),
        ({"probes": [{"numbers": [7], "to": "scope:1"}]}, r"probes\[0\] names what .*seen: power 7; allowed: 0 to 6"),
        ({"probes": [{"signal": "output", "numbers": [2], "to": "scope:1"}]}, r"seen: output 2; allowed: 0 to 1"),
        ({"network": SMALL_NETWORK | {"readout": "software"}}, r"probes\[2\] .*seen: output 1; .*in software"),
    ],
)
def test_wrong_benches_are_refused(changes, message):
    data = bench().settings.model_dump(mode="json", by_alias=True)
    with pytest.raises(ConfigError, match=message):
        build(BenchSettings, data | changes, "test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"probes": [{"numbers": [0, 1], "to": "scope:4"}]},
            r"probes\[0\]: scope has no such channel; seen: 5;",
        ),
        (
            {"wiring": bench().settings.wiring.model_dump(mode="json", by_alias=True) | {"inputs": ["awg:3"]}},
            r"wiring\.inputs\[0\]: awg has no such channel; seen: 3; allowed: 1 to 2",
        ),
    ],
)
def test_channels_that_an_instrument_has_not_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        bench(**changes)


def test_controller_with_too_few_outputs_is_refused():
    instruments = {
        "awg": {"model": "keysight-33600"},
        "scope": {"model": "keysight-infiniivision"},
        "synapses": {"model": "synapse-controller", "outputs": 5},
    }
    with pytest.raises(ConfigError, match="write outputs: 54"):
        bench(instruments=instruments)


# Records


def test_interpolation_is_exact_for_smooth_cells_and_respects_kinks():
    nodes = np.abs(np.arange(0, 9) - 4.0)[None] ** 2.0  # Two cells of four: a parabola in each.
    nodes[:, 5:] += 1.0 * (np.arange(5, 9) - 4)
    places = np.linspace(0, 8, 81)
    wanted = np.abs(places - 4) ** 2 + np.where(places > 4, places - 4, 0)
    np.testing.assert_allclose(Interpolation(np.zeros(81, int), places, 9, 4)(nodes), wanted, atol=1e-12)


def test_rests_follow_the_closed_form():
    n = Neurons.nominal(3, tau_s=5e-9, q=0.2, cutoff_hz=44e6, dtype=torch.float64)
    start, elapsed = np.array([0.0, 0.3, 1.0]), np.array([0.0, 1e-20, 1e-12, 1e-9, 1e-7])
    for drive in (0.0, 2e8, 8e8):
        seen = relax(start, elapsed[:, None], np.full(3, drive), n, slice(None))
        time = torch.from_numpy(elapsed)[:, None]
        growth, damping = (n.sigma * drive - n.gamma) * time, n.gamma * (1 + n.q) * time
        wanted = logistic_step(torch.from_numpy(start).expand(5, 3), growth, damping)
        np.testing.assert_allclose(seen, wanted.numpy(), rtol=1e-9)


def test_lowpass_settles_with_its_time_constant():
    step = np.concatenate([np.zeros(50), np.ones(200)])
    smooth = lowpass(step, 0.01e-9, 1e9)
    tau_s = 1 / (2 * np.pi * 1e9)
    wanted = 1 - np.exp(-(np.arange(200) + 0.5) * 0.01e-9 / tau_s)
    np.testing.assert_allclose(smooth[50:], wanted, atol=0.03)
    assert lowpass(step, 1e-9, None) is step


def test_records_are_cut_held_and_resampled():
    assert [list(part) for part in runs(np.array([0, 1, 1, 0, 1], bool))] == [[1, 4], [3, 5]]
    assert holding(np.repeat([[1.0, 2.0, 2.0]], 4, axis=1)[:, :, None]) == 4
    np.testing.assert_array_equal(at_rate(np.array([1.0, 2.0]), 1.0, 2.0, 5), [1, 1, 2, 2, 2])
    starts, length = pieces(np.array([5, 5, 5, 5, 1, 2, 3, 5, 5, 5, 5, 7, 8, 5])[:, None])
    assert (starts.tolist(), length) == ([0, 4, 11], 4)
