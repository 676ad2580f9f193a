"""Device and bank on instruments: true drivers, true VISA stack, by both doors of a virtual bench."""

import numpy as np
import pytest
import torch

from fakes.visa import (
    BANK_TRUTH,
    BEHIND_TRUTH,
    CHIP_INSTRUMENTS,
    CHIP_TRUTH,
    CHIP_WIRING,
    INTERVAL_S,
    NETWORK,
    NEURONS,
    bank_settings,
    behind_settings,
    bench_file,
    chip_settings,
    said_since,
    standing,
)
from spinhw.config import build
from spinhw.device import ObservationPlan, Quality, open_bank, open_device
from spinhw.device.contract import check_bank, check_device
from spinhw.errors import LimitError
from spinhw.instruments import StationSettings
from spinhw.network import SpintronicNetwork
from spinhw.streams import torch_stream

BATCH, TIMES = 5, 12
DOORS = ["in process", "TCP"]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Locks and what was left on are kept in the user's home."""
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)


@pytest.fixture(params=DOORS)
def chip(request, tmp_path):
    with standing(CHIP_TRUTH, request.param, tmp_path) as (made, addresses, backend):
        yield made, chip_settings(addresses, backend)


@pytest.fixture(params=DOORS)
def oscillators(request, tmp_path):
    with standing(BANK_TRUTH, request.param, tmp_path) as (made, addresses, backend):
        yield made, bank_settings(addresses, backend)


def images():
    return torch.rand(BATCH, TIMES, 1, generator=torch_stream("test images")) * 4 - 1.2


def weights():
    return SpintronicNetwork(NETWORK, seed=0).values()


def test_device_keeps_the_contract(chip):
    made, settings = chip
    verdicts = check_device(lambda: open_device(settings, NETWORK, INTERVAL_S))
    assert [f"{one.name}: {one.detail}" for one in verdicts if not one.passed] == []


def test_bank_keeps_the_contract(oscillators):
    made, settings = oscillators
    verdicts = check_bank(lambda: open_bank(settings, NETWORK, INTERVAL_S))
    assert [f"{one.name}: {one.detail}" for one in verdicts if not one.passed] == []


def test_a_batch_is_what_the_chip_did(chip):
    made, settings = chip
    with open_device(settings, NETWORK, INTERVAL_S) as device:
        applied = device.program(weights())
        trace = device.run(images())
        starts, period = 150e-9, 162e-9
        instants = starts + period * np.arange(BATCH)[:, None] + 1e-9 * np.arange(TIMES + 1)
        for neuron in range(NEURONS):
            wanted = made.response.signal("power", neuron, instants.ravel()).reshape(BATCH, TIMES + 1)
            np.testing.assert_allclose(trace.power.values[..., neuron], wanted[:, 1:], atol=0.02)
            np.testing.assert_allclose(trace.power0.values[..., neuron], wanted[:, 0], atol=0.02)
        for number in range(2):
            wanted = made.response.signal("output", number, instants[:, -2:].ravel()).reshape(BATCH, 2).mean(1)
            np.testing.assert_allclose(trace.outputs.values[:, 0, number], wanted, atol=0.03)
    assert trace.shots == (0, 2)  # seven neurons on four inputs
    assert set(applied) == set(trace.applied) | {"b_out"}
    assert bool(trace.power.good.all()) and bool(trace.outputs.good.all())
    # 10 mA through 50 ohms, for the images and not for the rests.
    assert trace.energy_j == pytest.approx(10e-3**2 * 50 * BATCH * TIMES * 1e-9, rel=1e-3)
    assert device.unconfirmed == ()
    assert not any(made.instruments[name].get("on") for name in ("awg", "smu", "board"))
    assert made.instruments["matrix"].closed == set()


def test_a_bank_plays_drives_from_rest(oscillators):
    made, settings = oscillators
    with open_bank(settings, NETWORK, INTERVAL_S) as bank:
        drive = torch.rand(BATCH, TIMES, 2, generator=torch_stream("test drives")) * 8e8
        trace = bank.play(drive)
        instants = 150e-9 + 100e-12 + 162e-9 * np.arange(BATCH)[:, None] + 1e-9 * np.arange(TIMES + 1)
        for oscillator in range(2):
            wanted = made.response.signal("power", oscillator, instants.ravel()).reshape(BATCH, TIMES + 1)
            np.testing.assert_allclose(trace.power.values[..., oscillator], wanted[:, 1:], atol=0.02)
            np.testing.assert_allclose(trace.power0.values[..., oscillator], wanted[:, 0], atol=0.02)
    np.testing.assert_allclose(trace.drive_applied.values, drive, rtol=1e-5)
    assert bool((trace.power0.values - 0.5).abs().max() < 0.15)  # x = 1/2 under the bias, but for the spread


def test_what_is_wired_behind_a_high_pass_is_recorded_with_the_power(tmp_path):
    with standing(BEHIND_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        settings = behind_settings(addresses, backend)
        verdicts = check_bank(lambda: open_bank(settings, NETWORK, INTERVAL_S))
        assert [f"{one.name}: {one.detail}" for one in verdicts if not one.passed] == []
        drive = torch.rand(BATCH, TIMES, 2, generator=torch_stream("test drives")) * 8e8
        with open_bank(settings, NETWORK, INTERVAL_S) as bank:
            alone = bank.play(drive, observe=ObservationPlan(((0,),)))
            trace = bank.play(drive)
            assert "filtered" in bank.describe().observables
        for segment in range(BATCH):
            ends = 150e-9 + 100e-12 + 162e-9 * segment + 1e-9 * np.arange(1, TIMES + 1)
            wanted = made.response.signal("filtered", 1, ends)
            np.testing.assert_allclose(trace.filtered.values[segment, :, 1], wanted, atol=0.02)
            assert np.abs(wanted).max() > 0.02  # 0.05 +- 0.01 over seeds; a channel that shows nothing has 0.
    assert trace.filtered.good[..., 1].all()
    assert trace.filtered.share(Quality.UNOBSERVED) == 0.5 and alone.filtered.share(Quality.UNOBSERVED) == 1.0
    assert alone.power.good[..., 0].all()


def test_connecting_changes_nothing(chip):
    made, settings = chip
    before = {name: one.settings for name, one in made.instruments.items()}
    with open_device(settings, NETWORK, INTERVAL_S):
        assert {name: one.settings for name, one in made.instruments.items()} == before


def test_one_upload_and_one_acquisition_for_each_repeat(tmp_path):
    with standing(CHIP_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        with open_device(chip_settings(addresses, backend), NETWORK, INTERVAL_S) as device:
            device.program(weights())
            traffic = device.station.traffic
            before = traffic.recent()[-1]
            device.run(images(), observe=ObservationPlan(((0, 1), (2, 3), (4, 5, 6))))
            said = [one.text() for one in said_since(traffic, before) if one.direction == ">"]
    assert sum(":DATA:ARBitrary:DAC" in line for line in said) == 2  # the input and the gate
    assert sum(line.startswith("awg > *TRG") for line in said) == 3
    assert sum(line.startswith("scope > :SINGle") for line in said) == 3
    assert sum(line.startswith("tek > :ACQuire:STATE RUN") for line in said) == 1  # the outputs, once


def test_supply_stays_below_its_limit_and_settings_are_kept(tmp_path):
    with standing(CHIP_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        with open_device(chip_settings(addresses, backend), NETWORK, INTERVAL_S) as device:
            device.program(weights())
            device.run(images())
            snapshot = device.snapshot()
    assert snapshot["smu"]["settings"]["1.current_a"] == pytest.approx(10e-3)
    assert snapshot["awg"]["settings"]["rate_hz"] == 1e9
    assert snapshot["board"]["identity"].startswith("SPINHW,SYNAPSE-CONTROLLER")


def test_bad_samples_are_flagged(tmp_path):
    with standing(CHIP_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        with open_device(chip_settings(addresses, backend), NETWORK, INTERVAL_S) as device:
            device.program(weights())
            seen = {}
            for kind in ("nan", "clipped", "stuck", "overload"):
                made.instruments["scope"].disturb(kind)
                trace = device.run(images(), observe=ObservationPlan(((0, 1),)))
                seen[kind] = {Quality(code) for code in trace.power.quality[..., :2].unique().tolist()}
                good = trace.power.good
                assert bool(torch.isfinite(trace.power.values[good]).all())
    assert seen["nan"] == {Quality.GOOD, Quality.MISSING}
    assert seen["clipped"] == {Quality.CLIPPED}
    assert Quality.FAULTY in seen["stuck"]
    assert seen["overload"] <= {Quality.GOOD, Quality.FAULTY, Quality.CLIPPED} and Quality.GOOD in seen["overload"]


def test_inputs_beyond_the_limit_are_refused_before_anything_is_sent(tmp_path):
    with standing(CHIP_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        with open_device(chip_settings(addresses, backend), NETWORK, INTERVAL_S) as device:
            device.program(weights())
            traffic, too_much = device.station.traffic, images()
            too_much[2, 3, 0] = 11.0
            before = traffic.recent()[-1]
            with pytest.raises(LimitError, match=r"input channel 0 .*0\.55 V \(model value 11\).*-0\.45 to 0\.45 V"):
                device.run(too_much)
            with pytest.raises(LimitError, match="scope: record length of channel 1 .*points"):
                device.run(torch.zeros(40_000, 100, 1))
            assert said_since(traffic, before) == []


def test_lost_parameters_come_back(tmp_path):
    with standing(CHIP_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        with open_device(chip_settings(addresses, backend), NETWORK, INTERVAL_S) as device:
            device.program(weights())
            first = device.run(images())
            for name in ("board", "awg", "smu", "scope", "matrix"):
                made.instruments[name].reboot()
                made.ports[name].hang_up()
                again = device.run(images())
                assert again.repeats_after_faults == 1
                np.testing.assert_allclose(again.power.values, first.power.values, atol=0.03)
            made.instruments["awg"].disturb("overload")  # its relay opens while it plays
            assert device.run(images()).repeats_after_faults >= 1
            made.instruments["smu"].disturb("overload")
            assert device.run(images()).repeats_after_faults >= 1
            made.instruments["board"].disturb("overload")
            assert device.run(images()).repeats_after_faults >= 1


def test_synapses_of_the_chip_that_a_network_does_not_have_are_put_to_zero(tmp_path):
    """A network that is read out in software has no w_out, and the chip does."""
    software = NETWORK.model_copy(update={"readout": "software"})
    with standing(CHIP_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        data = bench_file(CHIP_INSTRUMENTS, CHIP_WIRING | {"observed": "filtered"}, addresses, backend)
        board = made.instruments["board"]
        board.staged_v[:] = board.applied_v[:] = 1.5  # Left by somebody before.
        with open_device(build(StationSettings, data, "bench.yaml"), software, INTERVAL_S) as device:
            applied = device.program(SpintronicNetwork(software, seed=0).values())
            held = [applied[name] for name in device.describe().parameters]
            assert np.count_nonzero(board.applied_v) == sum(int(one.count_nonzero()) for one in held)
            assert not board.applied_v[-6:].any()


def test_ranges_of_a_source_are_set_anew_after_it_was_disconnected(tmp_path):
    with standing(CHIP_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        with open_device(chip_settings(addresses, backend), NETWORK, INTERVAL_S) as device:
            device.program(weights())
            device.run(images())
            amplitude_v = made.instruments["awg"].get("amplitude_v", 1)
            made.instruments["awg"].reboot()
            assert made.instruments["awg"].get("amplitude_v", 1) != pytest.approx(amplitude_v)
            made.ports["awg"].hang_up()  # Whatever fails, the whole bench is disconnected and connected again.
            assert device.run(images()).repeats_after_faults == 1
            assert made.instruments["awg"].get("amplitude_v", 1) == pytest.approx(amplitude_v)
