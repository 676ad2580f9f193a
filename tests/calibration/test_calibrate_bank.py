"""A whole calibration on simulated and VISA banks: records, resumption, and devices that are not as they should be."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from fakes.runs import plain
from fakes.visa import BANK_TRUTH, BEHIND_TRUTH, INTERVAL_S, bank_settings, behind_settings, standing
from spinhw.calibration import (
    PlanSettings,
    calibrate,
    calibrate_bank,
    load_plan,
    load_taken,
    plan_for,
    plan_names,
    traces_folder,
)
from spinhw.config import build
from spinhw.device import SimulatedSettings, load_device, open_bank
from spinhw.errors import CalibrationError, ConfigError, DeviceError
from spinhw.network import NetworkSettings
from spinhw.records import CalibrationRecord, SynapseRecord, find_record, load_record, write_record
from spinhw.rollout import Steps, rollout_driven
from spinhw.streams import torch_stream
from spinhw.surrogate import Calibrated, calibrated_neurons

NETWORK = NetworkSettings(layers=(6,))
SPREAD = {"gamma": 0.2, "sigma": 0.2, "q": 0.2}
READOUT = {"noise": 0.01, "adc": {"bits": 10, "lowest": -0.2, "highest": 1.2}}


def plan_of(**changes) -> PlanSettings:
    data = {
        "name": "test",
        "experiments": [
            {"kind": "noise", "segments": 2, "samples": 32},
            {"kind": "drive_sweep", "levels": 7, "samples": 48},
            {"kind": "step_response", "levels": 4, "samples": 48},
            {"kind": "pseudo_random", "segments": 6, "samples": 48},
        ],
    }
    return build(PlanSettings, data | changes, "test plan")


def chip(**parts) -> SimulatedSettings:
    return build(
        SimulatedSettings,
        {"kind": "simulated", "chip": {"spread": SPREAD, "power_readout": READOUT} | parts},
        "test",
    )


def calibrated(settings, folder: Path, plan: PlanSettings | None = None, network=NETWORK):
    out = folder / "record.yaml"
    with open_bank(settings, network, INTERVAL_S, members=[0]) as bank:
        record, found, _ = calibrate_bank(bank, plan or plan_of(), network, out)
        hidden = bank.truth.hidden.neurons
    return record, found, hidden, out


def test_the_parameters_of_a_simulated_bank_are_found_within_their_errors(tmp_path):
    record, found, hidden, _ = calibrated(chip(), tmp_path)
    assert record.failed == {}
    for row, name in enumerate(("gamma", "sigma", "q")):
        off = (getattr(found.fit.oscillators, name) - getattr(hidden, name)[0]).abs()
        assert (off < 4 * found.fit.errors()[row]).all(), name
    assert all(0.5 < one < 1.6 for one in record.reduced_chi2)


def test_a_record_says_what_was_measured_and_reads_back(tmp_path):
    record, found, _, out = calibrated(chip(), tmp_path)
    again = load_record(out, "chip-0")
    assert again.parameters.keys() == record.parameters.keys()
    gamma = again.parameters["gamma"]
    assert gamma.unit == "1/s" and gamma.fitted
    assert gamma.values == pytest.approx(record.parameters["gamma"].values, rel=1e-6)
    gain = again.parameters["gain"]
    assert not gain.fitted and "takes it for granted" in gain.why and gain.errors == (None,) * 6
    assert [one.kind for one in again.experiments] == ["noise", "drive_sweep", "step_response", "pseudo_random"]
    assert again.made.shots == 4 and again.device.id == "chip-0"
    for one in again.experiments:
        taken = load_taken(tmp_path / one.traces)
        assert taken.played.drive.shape == (one.segments, one.samples, 6)
    text = out.read_text()
    assert "unit: 1/s" in text and "meaning: damping rate" in text


def test_an_interrupted_calibration_plays_only_what_is_missing_and_comes_to_the_same_bits(tmp_path):
    settings = chip(drift={"individual_per_1000_shots": 0.5}, thermal_power=1e-4)
    *_, out = calibrated(settings, tmp_path)
    first, folder = load_record(out), traces_folder(out)
    whole = [plain(load_taken(path)) for path in sorted(folder.glob("*.nc"))]
    kept = {path.name: path.read_bytes() for path in folder.glob("0[01]*.nc")}
    for path in folder.glob("0[23]*.nc"):
        path.unlink()
    calibrated(settings, tmp_path)
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    assert len(list(folder.glob("*.nc"))) == 4
    second = load_record(out)
    assert second.model_copy(update={"made": first.made}) == first
    again = [plain(load_taken(path)) for path in sorted(folder.glob("*.nc"))]
    assert [one | {"started_unix_s": 0} for one in again] == [one | {"started_unix_s": 0} for one in whole]


def test_traces_of_a_device_with_other_settings_are_refused(tmp_path):
    calibrated(chip(), tmp_path)
    with pytest.raises(CalibrationError, match=r"00-noise\.nc: this was measured on a device with other settings"):
        calibrated(chip(drift={"individual_per_1000_shots": 0.5}), tmp_path)


def test_traces_of_another_plan_are_refused(tmp_path):
    calibrated(chip(), tmp_path)
    other = plan_of(experiments=[{"kind": "noise", "segments": 3, "samples": 32}])
    with pytest.raises(CalibrationError, match="another device or experiment"):
        calibrated(chip(), tmp_path, other)


def test_a_bank_over_visa_is_calibrated_with_its_latency(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    network = NetworkSettings(layers=(2,))
    truth = BANK_TRUTH | {"probes": [BANK_TRUTH["probes"][0] | {"latency": "900 ps", "noise": "1 mV"}]}
    with standing(truth, "in process", tmp_path) as (made, addresses, backend):
        with open_bank(bank_settings(addresses, backend), network, INTERVAL_S) as bank:
            plan = plan_of(free=["gamma", "sigma", "q", "delay"])
            record, found, _ = calibrate_bank(bank, plan, network, tmp_path / "record.yaml")
        hidden = made.oscillators.hidden.neurons
    assert record.device.kind == "visa" and record.failed == {}
    assert record.nominal.latency_s == 500e-12
    assert record.readout.lowest == pytest.approx([-0.2] * 2) and record.readout.highest == pytest.approx([1.3] * 2)
    # The bench file says 500 ps where it is 1 ns.
    assert Calibrated.of(record).latency_s == pytest.approx(0.5e-9, abs=0.05e-9)
    for row, name in enumerate(("gamma", "sigma", "q")):
        off = (getattr(found.fit.oscillators, name) - getattr(hidden, name)[0]).abs()
        assert (off < 5 * found.fit.errors()[row]).all(), name


def test_two_channels_that_are_swapped_are_named_and_the_traces_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    network = NetworkSettings(layers=(2,))
    probes = [
        {"signal": "power", "numbers": [number], "to": f"scope:{2 - number}", "latency": "400 ps", "noise": "0.3 mV"}
        for number in (0, 1)
    ]
    with standing(BANK_TRUTH | {"probes": probes}, "in process", tmp_path) as (_, addresses, backend):
        with open_bank(bank_settings(addresses, backend), network, INTERVAL_S) as bank:
            with pytest.raises(
                CalibrationError, match="oscillator 0 follows the drive of 1, .* 1 follows the drive of 0"
            ):
                calibrate_bank(bank, plan_of(), network, tmp_path / "record.yaml")
    assert len(list((tmp_path / "record.traces").glob("*.nc"))) == 4


def test_dead_and_stuck_oscillators_are_named_and_the_others_calibrated(tmp_path):
    record, found, hidden, _ = calibrated(chip(defects={"dead": [1], "stuck": [4]}), tmp_path)
    assert set(record.failed) == {1, 4}
    assert "only noise" in record.failed[1] and "does not oscillate" in record.failed[1]
    assert "does not follow its drive" in record.failed[4]
    assert record.parameters["gamma"].values[1] is None
    fine = torch.tensor([0, 2, 3, 5])
    off = (found.fit.oscillators.gamma - hidden.gamma[0])[fine].abs()
    assert (off < 4 * found.fit.errors()[0][fine]).all()
    known = Calibrated.of(record)
    assert known.working.tolist() == [True, False, True, True, False, True]
    assert float(known.oscillators.gamma[1]) == pytest.approx(2e8)  # Nominal where nothing is known.
    assert (known.covariance[1] == 0).all()


def test_a_device_that_does_not_oscillate_at_all_is_one_clear_line(tmp_path):
    with pytest.raises(CalibrationError, match=r"not one of 6 .* only noise .*traces are kept"):
        calibrated(chip(defects={"dead_fraction": 1.0}), tmp_path)
    assert len(list((tmp_path / "record.traces").glob("*.nc"))) == 4


def test_drives_below_threshold_are_refused_before_anything_is_played(tmp_path):
    with pytest.raises(CalibrationError, match="below the threshold"):
        calibrated(chip(), tmp_path, plan_of(highest_over_gamma=0.9))
    limited = chip(drive_dac={"bits": 12, "lowest": 0.0, "highest": 0.8})
    with pytest.raises(CalibrationError, match=r"at most 0\.8 gamma"):
        calibrated(limited, tmp_path)
    assert not (tmp_path / "record.traces").exists()


def test_a_plan_keeps_to_the_limits_of_the_device(tmp_path):
    record, *_ = calibrated(chip(drive_dac={"bits": 12, "lowest": 0.2, "highest": 3.0}), tmp_path)
    low, high = record.experiments[1].drive_over_gamma
    assert low >= 0.2 - 1e-3 and high <= 3.0 + 1e-3


def test_a_saturated_readout_is_one_clear_line_and_the_traces_are_kept(tmp_path):
    narrow = {"noise": 0.01, "adc": {"bits": 10, "lowest": 0.0, "highest": 0.3}}
    message = r"the read-out is saturated: \d+ % of its samples are clipped; widen its range.*traces are kept"
    with pytest.raises(CalibrationError, match=message) as caught:
        calibrated(chip(power_readout=narrow), tmp_path)
    assert "\n" not in str(caught.value)
    assert len(list((tmp_path / "record.traces").glob("*.nc"))) == 4


def test_a_record_states_range_and_step_of_the_readout_and_the_latency(tmp_path):
    plan = plan_of(experiments=[{"kind": "noise", "segments": 2}, {"kind": "pseudo_random", "segments": 4}])
    record, *_ = calibrated(chip(), tmp_path, plan)
    assert record.readout.lowest == pytest.approx([-0.2] * 6) and record.readout.highest == pytest.approx([1.2] * 6)
    assert record.readout.step == pytest.approx([1.4 / 1023] * 6, rel=1e-2)
    assert record.readout.clipped == (0.0,) * 6 and record.nominal.latency_s == 0.0
    ideal, *_ = calibrated(chip(power_readout={"noise": 0.01}), tmp_path / "ideal", plan)
    assert ideal.readout.highest == (None,) * 6 and ideal.readout.step == (None,) * 6


def test_traces_that_are_only_noise_are_one_clear_line_and_kept(tmp_path):
    # Nothing behind the cables but a loud amplifier.
    loud = chip(power_readout={"noise": 0.5}, defects={"dead_fraction": 1.0})
    with pytest.raises(CalibrationError, match=r"the record is only noise \(0\.\d+\) .*traces are kept") as caught:
        calibrated(loud, tmp_path)
    assert "\n" not in str(caught.value)
    assert len(list((tmp_path / "record.traces").glob("*.nc"))) == 4


def test_what_drives_cannot_tell_is_fixed_and_said_so(tmp_path):
    # Bias and nothing else but the tiniest steps around it: gain and Q act alike.
    plan = plan_of(
        free=["gamma", "sigma", "q", "gain", "offset"],
        lowest_over_gamma=1.9,
        highest_over_gamma=2.1,
    )
    quiet = chip(power_readout={"noise": 1e-3}, spread={"gamma": 0.05, "sigma": 0.05, "q": 0.05})
    record, found, _, _ = calibrated(quiet, tmp_path, plan)
    assert found.fixed and set(found.fixed) <= {"q", "gain", "offset"}
    for name in found.fixed:
        assert not record.parameters[name].fitted
        assert "cannot tell" in record.parameters[name].why


@pytest.mark.parametrize("name", ["quick", "full"])
def test_shipped_plans_load(name):
    assert name in plan_names()
    assert load_plan(name).name == name


@pytest.mark.parametrize("name", ["quick", "highpass"])
def test_shipped_plans_calibrate_a_bank(name, tmp_path):
    record, _, _, _ = calibrated(chip(), tmp_path, load_plan(name))
    assert record.failed == {} and record.left_out == {}
    assert all(one < 1.5 for one in record.reduced_chi2)


def test_an_unknown_plan_is_answered_with_those_there_are():
    with pytest.raises(ConfigError, match="did you mean 'quick'"):
        load_plan("quik")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[CalibrationRecord, Path]:
    record, _, _, out = calibrated(chip(), tmp_path_factory.mktemp("record"))
    return record, out


def rewritten(made, tmp_path, change) -> Path:
    data = yaml.safe_load(made[1].read_text())
    change(data)
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_a_record_without_a_unit_is_refused(made, tmp_path):
    path = rewritten(made, tmp_path, lambda data: data["parameters"]["gamma"].pop("unit"))
    with pytest.raises(ConfigError, match=r"changed.yaml: parameters.gamma.unit: this key is missing"):
        load_record(path)
    path = rewritten(made, tmp_path, lambda data: data["parameters"]["gamma"].update(unit="MHz"))
    with pytest.raises(ConfigError, match=r"parameters.gamma.unit is 'MHz'; it must be '1/s'"):
        load_record(path)


def test_a_record_of_a_newer_schema_is_refused(made, tmp_path):
    path = rewritten(made, tmp_path, lambda data: data.update(schema_version=9, novelty=1))
    with pytest.raises(ConfigError, match="made by a newer spinhw; seen: 9"):
        load_record(path)


def test_another_devices_record_is_refused_unless_told(made):
    with pytest.raises(CalibrationError, match="another device's; seen: chip-0; allowed: chip-1"):
        load_record(made[1], "chip-1")
    assert load_record(made[1], "chip-1", anyway=True).device.id == "chip-0"
    with pytest.raises(ConfigError, match="no such record"):
        find_record(made[1].parent, "chip-7")


def test_a_record_with_too_few_values_is_refused(made, tmp_path):
    path = rewritten(made, tmp_path, lambda data: data["parameters"]["q"]["values"].pop())
    with pytest.raises(ConfigError, match="parameters.q must have 6 values"):
        load_record(path)


def test_a_surrogate_from_a_record_does_what_the_bank_did(made):
    record, out = made
    neurons = calibrated_neurons(out, NETWORK, ["chip-0"])
    with open_bank(chip(power_readout={}), NETWORK, INTERVAL_S, members=[0]) as bank:
        drive = torch.rand(4, 40, 6, generator=torch_stream("another drive")) * 8e8
        measured = bank.play(drive).power.values

    def apart(one) -> float:
        power = rollout_driven(drive[None].double(), one, Steps(INTERVAL_S, 1, 1)).power[0]
        return float((power - measured).square().mean().sqrt())

    nominal = NETWORK.neurons(torch.float64)
    assert apart(neurons) < 0.1 * apart(nominal)
    assert torch.equal(neurons.bias_drive, nominal.bias_drive)
    with pytest.raises(CalibrationError, match="another number of oscillators"):
        calibrated_neurons(out, NetworkSettings(layers=(5,)), ["chip-0"])


def test_draws_scatter_as_the_errors_say(made):
    record, _ = made
    known, generator = Calibrated.of(record), torch_stream("draws")
    drawn = torch.stack([known.drawn(generator).table() for _ in range(150)])
    error = torch.tensor(record.parameters["sigma"].errors, dtype=torch.float64)
    torch.testing.assert_close(drawn[:, 1].std(0), error, rtol=0.25, atol=0)
    assert torch.equal(drawn[:, 3:], known.oscillators.table()[3:].expand(150, -1, -1))  # Not fitted: not drawn.
    torch.testing.assert_close(known.drawn(generator, spread=0.0).table(), known.oscillators.table())


def test_a_measured_gain_corrects_the_conversion(made):
    record, _ = made
    known = Calibrated.of(record)
    table = known.oscillators.table()
    table[3], table[4] = 1.1, 0.02
    known = replace(known, oscillators=type(known.oscillators).of(table))
    with open_bank(chip(), NETWORK, INTERVAL_S, members=[0]) as bank:
        line = known.conversion(bank.conversion).power
        assumed = bank.conversion.power
    x = torch.rand(3, 6, dtype=torch.float64)
    recorded = assumed.to_si(0.02 + 1.1 * x)
    torch.testing.assert_close(line.to_model(recorded), x)


def test_records_are_written_whole_or_not_at_all(made, tmp_path):
    record, _ = made
    with pytest.raises(ConfigError, match="could not be written"):
        write_record(record, tmp_path / "nowhere" / "record.yaml")


def test_a_bank_that_fails_keeps_what_was_measured(tmp_path, mocker):
    settings, out = chip(), tmp_path / "record.yaml"
    with open_bank(settings, NETWORK, INTERVAL_S, members=[0]) as bank:
        measure, calls = bank.truth.measure, []

        def failing(*arguments):
            calls.append(1)
            if len(calls) > 2:
                raise DeviceError("the scope is gone")
            return measure(*arguments)

        mocker.patch.object(bank.truth, "measure", failing)
        with pytest.raises(DeviceError, match="gave up"):
            calibrate_bank(bank, plan_of(), NETWORK, out)
    assert len(list((tmp_path / "record.traces").glob("*.nc"))) == 2
    assert not out.exists()


HIGHPASS = {"name": "test", "experiments": [{"kind": "noise", "segments": 2}, {"kind": "highpass", "levels": 8}]}


def test_the_corner_of_the_highpass_is_found_within_its_error(tmp_path):
    plan = build(PlanSettings, HIGHPASS, "plan")
    settings = chip(spread=SPREAD | {"cutoff": 0.3}, defects={"dead": [2]})
    record, _, hidden, out = calibrated(settings, tmp_path, plan)
    true, cutoff = hidden.cutoff_hz[0], record.cutoff
    assert cutoff.unit == "Hz" and cutoff.values[2] is None
    for number in (0, 1, 3, 4, 5):
        assert abs(cutoff.values[number] - float(true[number])) < 4 * cutoff.errors[number]
    errors = sorted(cutoff.errors[number] / float(true[number]) for number in (0, 1, 3, 4, 5))
    assert errors[2] < 0.04  # Where the power hardly moves one may be larger; the median is 0.016 +- 0.005 over seeds.
    neurons = calibrated_neurons(out, NETWORK, ["chip-0"])
    assert neurons.cutoff_hz[0, 0] == pytest.approx(cutoff.values[0], rel=1e-6)
    assert neurons.cutoff_hz[0, 2] == NETWORK.neurons(torch.float64).cutoff_hz[0, 2]  # As designed where it failed.


def test_without_noise_the_corner_is_exact(tmp_path):
    plan = build(PlanSettings, HIGHPASS, "plan")
    record, _, hidden, _ = calibrated(chip(power_readout={}, spread=SPREAD | {"cutoff": 0.3}), tmp_path, plan)
    assert record.cutoff.values == pytest.approx(hidden.cutoff_hz[0].tolist(), rel=1e-3)


def test_the_corner_is_found_over_visa_where_an_input_is_wired_behind_the_highpass(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    network = NetworkSettings(layers=(2,), cutoff="10 MHz")  # Designed far from what the bench has.
    with standing(BEHIND_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        with open_bank(behind_settings(addresses, backend), network, INTERVAL_S) as bank:
            plan = build(PlanSettings, HIGHPASS, "plan")
            record, _, _ = calibrate_bank(bank, plan, network, tmp_path / "record.yaml")
        true = float(made.oscillators.hidden.neurons.cutoff_hz[0, 1])
    assert record.failed == {} and record.cutoff.values[0] is None  # Nothing is wired behind oscillator 0.
    assert record.cutoff.values[1] == pytest.approx(true, abs=4 * record.cutoff.errors[1])
    assert record.cutoff.errors[1] < 0.02 * true < 0.2 * abs(true - network.cutoff_hz)


def test_a_bank_that_shows_nothing_behind_a_highpass_refuses_the_experiment(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    with standing(BANK_TRUTH, "in process", tmp_path) as (_, addresses, backend):
        with open_bank(bank_settings(addresses, backend), NetworkSettings(layers=(2,)), INTERVAL_S) as bank:
            with pytest.raises(CalibrationError, match="records nothing behind a high-pass.*leave the highpass"):
                calibrate_bank(bank, build(PlanSettings, HIGHPASS, "plan"), NETWORK, tmp_path / "record.yaml")
    assert not (tmp_path / "record.traces").exists()


def test_a_bad_device_is_one_line_on_the_command_line_too(spinhw, tmp_path):
    profile, plan, out = (tmp_path / name for name in ("dead.yaml", "plan.yaml", "record.yaml"))
    profile.write_text(yaml.safe_dump({"kind": "simulated", "chip": {"defects": {"dead_fraction": 1.0}}}))
    plan.write_text(yaml.safe_dump({"name": "short", "experiments": [{"kind": "drive_sweep", "samples": 8}]}))
    done = spinhw("calibrate", "--device", profile, "--plan", plan, "--out", out)
    assert done.code == 3 and done.err.strip().count("\n") == 0
    assert "does not oscillate" in done.err and (tmp_path / "record.traces" / "00-drive_sweep.nc").is_file()


def test_one_call_calibrates_whatever_a_device_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begun = []
    record = calibrate(chip(), plan_of(), network=NETWORK, note="77 K", begun=lambda bank, *rest: begun.append(bank))
    assert record.device.oscillators == 6 and record.made.note == "77 K"
    assert begun[0].describe().members == 1
    assert load_record(Path("calibration/chip-0.yaml")).device == record.device
    with pytest.raises(ConfigError, match="chip-0.yaml: this record exists"):
        calibrate(chip(), plan_of(), network=NETWORK)
    chain = calibrate(chip(), "synapses-quick", "chain.yaml", resonators=2)
    assert isinstance(chain, SynapseRecord) and chain.device.resonators == 2
    with pytest.raises(ConfigError, match="plan 'quik' was not found"):
        calibrate("ideal", "quik", "other.yaml")


def test_a_plan_that_does_not_fit_a_bench_is_refused_before_anything_is_opened(tmp_path):
    with pytest.raises(ConfigError, match="does not fit this bench; seen: a plan for synapses; allowed: one for osc"):
        calibrate("bank-virtual", "synapses", tmp_path / "record.yaml")
    assert plan_for(load_device("synapses-virtual")).kind == "synapses"
    assert plan_for(load_device("bank-virtual")).name == "full"
