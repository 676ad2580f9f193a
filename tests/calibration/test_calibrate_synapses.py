"""Calibration of banks of synapses: resonators recovered within their errors, what failed named, records, the map."""

from pathlib import Path

import pytest
import torch
import yaml

from seed_shift import as_shipped
from spinhw.calibration import (
    PlanSettings,
    SynapsePlanSettings,
    calibrate_synapses,
    load_plan,
    plan_names,
    traces_folder,
)
from spinhw.calibration.synapses import load_read
from spinhw.chip import Identity, ResonatorChain
from spinhw.config import build, shipped
from spinhw.device import SimulatedSettings, load_device, open_synapses
from spinhw.errors import CalibrationError, ConfigError, DeviceError, LimitError
from spinhw.instruments import StationSettings
from spinhw.records import SynapseRecord, load_either, load_record, load_synapses
from spinhw.streams import torch_stream
from spinhw.surrogate import CalibratedSynapses, calibrated_synapses
from spinhw.virtual import load_bench

SWEEP = {"kind": "detuning_sweep", "levels": 5, "tones": 15, "reach": 5}
PROGRAMMING = {"kind": "programming", "targets": 6, "repeats": 6}
ALL = ({"kind": "no_tone"}, SWEEP, {"kind": "crosstalk"}, PROGRAMMING)
RF = {"frequency_spread": 0.001, "linewidth_spread": 0.1}


def plan_of(*experiments) -> SynapsePlanSettings:
    data = {"kind": "synapses", "name": "test", "experiments": list(experiments or ALL)}
    return build(SynapsePlanSettings, data, "test plan")


def chip(noise: float = 0.0, seed: int = 0, adc=None, **synapses) -> SimulatedSettings:
    parts = {"limit": 4.0, "scale_spread": 0.1, "rf": RF} | synapses
    readout = {"noise": noise} | ({"adc": adc} if adc else {})
    data = {"kind": "simulated", "seed": seed, "chip": {"synapses": parts, "output_readout": readout}}
    return build(SimulatedSettings, data, "test")


def calibrated(settings, folder: Path, plan: SynapsePlanSettings | None = None, resonators: int = 8):
    with open_synapses(settings, resonators) as bank:
        record, found, _ = calibrate_synapses(bank, plan or plan_of(), folder / "record.yaml")
        return record, found, bank.truth


def off(found, hidden) -> torch.Tensor:
    """Give what was found less what is true, (quantity, resonator)."""
    chain, span = found.chain, torch.full_like(hidden.resonance_hz, hidden.tuning_span_hz)
    true = (hidden.resonance_hz, hidden.half_linewidth_hz, hidden.max_weight, span)
    seen = (chain.resonance_hz, chain.half_linewidth_hz, chain.max_weight, chain.tuning_span_hz)
    return torch.stack([one - other for one, other in zip(seen, true, strict=True)])


def errors(found) -> torch.Tensor:
    return found.tuned.covariance.diagonal(dim1=1, dim2=2).sqrt().T


def test_without_noise_a_chain_is_recovered_exactly(tmp_path):
    record, found, hidden = calibrated(chip(), tmp_path)
    assert record.failed == {}
    units = torch.tensor([1e7, 1e7, 4.0, 2e7])[:, None]  # Linewidth, weight, span: what errors are compared with.
    assert float((off(found, hidden) / units).abs().max()) < 1e-6
    assert float(found.programmed.repeatability.max()) < 1e-6 and float(found.programmed.error.max()) < 1e-6
    assert record.crosstalk.reduced_chi2 < 1e-6
    # Detuning by a fraction of the spacing: (G / spacing)^2 or so of the own change.
    others = torch.tensor(record.crosstalk.values)[~torch.eye(8, dtype=torch.bool)].abs()
    assert 2e-5 < float(others.median()) < 5e-4  # 1.3e-4 +- 0.3e-4 over seeds.


def test_errors_are_honest_where_readings_and_programmings_scatter(tmp_path):
    pooled, scatter = [], []
    for seed in range(3):
        plan = plan_of({"kind": "no_tone"}, SWEEP | {"levels": 7})
        _, found, hidden = calibrated(chip(0.02, seed, repeatability=0.01), tmp_path / str(seed), plan, 24)
        scatter.append(float(found.tuned.scatter))
        pooled.append(off(found, hidden) / errors(found))
    assert sum(scatter) / 3 == pytest.approx(0.01, rel=0.25)  # 0.0100 +- 0.0007 over seeds.
    scores = torch.cat(pooled, dim=1)  # (quantity, 72)
    assert (scores.square().mean(1).sqrt() > 0.65).all() and (scores.square().mean(1).sqrt() < 1.5).all()  # 1.0 +- 0.1.
    assert 0.75 < float(scores.square().mean().sqrt()) < 1.3  # 1.03 +- 0.07 over seeds.
    assert float((scores.abs() < 3).double().mean()) > 0.98


def test_repeatability_is_found_under_the_noise_of_readings(tmp_path):
    _, found, _ = calibrated(chip(0.02, repeatability=0.01), tmp_path, resonators=16)
    done = found.programmed
    scores = (done.repeatability - 0.01) / done.repeatability_error
    assert float(scores.square().mean().sqrt()) < 1.7  # 1.03 +- 0.19 over seeds.
    assert float(done.repeatability.mean()) == pytest.approx(0.01, rel=0.35)  # 0.010 +- 0.001 over seeds.
    _, quiet, _ = calibrated(chip(0.02), tmp_path / "quiet", resonators=16)
    assert float(quiet.programmed.repeatability.mean()) < 0.004


def test_coarse_programming_shows_as_an_error_but_not_as_scatter(tmp_path):
    _, found, _ = calibrated(chip(bits=6), tmp_path)
    # Half a step of 1/31 of 20 MHz is 0.3 MHz of a half linewidth of 10 MHz.
    assert 0.005 < float(found.programmed.error.mean()) < 0.05
    assert float(found.programmed.repeatability.max()) < 1e-6


def test_dead_and_stuck_resonators_are_named_and_never_averaged_in(tmp_path):
    record, found, hidden = calibrated(
        chip(0.01, repeatability=0.005, dead_fraction=0.2, stuck_fraction=0.2), tmp_path, resonators=10
    )
    dead, stuck = hidden.dead & ~hidden.stuck, hidden.stuck & ~hidden.dead
    assert set(record.failed) == set((hidden.dead | hidden.stuck).nonzero()[:, 0].tolist())
    for number in dead.nonzero()[:, 0].tolist():
        assert "it rectifies nothing within" in record.failed[number]
        assert record.quantities["resonance"].values[number] is None
    for number in stuck.nonzero()[:, 0].tolist():
        assert "it is stuck: its resonance stays at" in record.failed[number]
        assert record.quantities["resonance"].values[number] is not None  # Its tail reaches the others.
    fine = torch.tensor([number not in record.failed for number in range(10)])
    assert float((off(found, hidden) / errors(found))[:, fine].abs().max()) < 4.5
    known = CalibratedSynapses.of(record)
    assert known.working.tolist() == fine.tolist()
    assert (known.tuning_for(torch.full((10,), 1.0))[~fine] == 0).all()


def test_readings_that_are_only_noise_are_one_line_and_kept(tmp_path):
    with pytest.raises(
        CalibrationError, match=r"not one of 8 resonators .* it rectifies nothing .* are kept"
    ) as caught:
        calibrated(chip(0.05, dead_fraction=1.0), tmp_path)
    assert "\n" not in str(caught.value)
    assert len(list((tmp_path / "record.traces").glob("*.nc"))) == 4
    assert not (tmp_path / "record.yaml").exists()


def test_a_saturated_readout_is_named(tmp_path):
    adc = {"bits": 10, "lowest": -2.0, "highest": 2.0}
    with pytest.raises(CalibrationError, match=r"the read-out is saturated: \d+ % of the readings .* widen its range"):
        calibrated(chip(0.01, adc=adc), tmp_path)
    assert len(list((tmp_path / "record.traces").glob("*.nc"))) == 4


def test_exchanged_tuning_lines_are_named_and_the_readings_kept(tmp_path, mocker):
    with open_synapses(chip(0.01), 5) as bank:
        measure, exchanged = bank.truth.measure, [0, 3, 2, 1, 4]
        mocker.patch.object(bank.truth, "measure", lambda tuning, *rest: measure(tuning[:, exchanged], *rest))
        with pytest.raises(CalibrationError, match="resonator 1 follows the tuning of 3, .* 3 follows the tuning of 1"):
            calibrate_synapses(bank, plan_of(), tmp_path / "record.yaml")
    assert len(list((tmp_path / "record.traces").glob("*.nc"))) == 4


def test_a_bank_that_fails_keeps_what_was_read_and_goes_on_there_to_the_same_bits(tmp_path, mocker):
    out, scattering = tmp_path / "record.yaml", chip(0.01, repeatability=0.02)
    whole, *_ = calibrated(scattering, tmp_path / "whole", resonators=4)
    with open_synapses(scattering, 4) as bank:
        measure, calls = bank.truth.measure, []

        def failing(*arguments):
            calls.append(1)
            if len(calls) > 2:
                raise DeviceError("the meter is gone")
            return measure(*arguments)

        mocker.patch.object(bank.truth, "measure", failing)
        with pytest.raises(DeviceError, match="gave up"):
            calibrate_synapses(bank, plan_of(), out)
    kept = {path.name: path.read_bytes() for path in traces_folder(out).glob("*.nc")}
    assert sorted(kept) == ["00-no_tone.nc", "01-detuning_sweep.nc"] and not out.exists()
    record, *_ = calibrated(scattering, tmp_path, resonators=4)
    assert {name: (traces_folder(out) / name).read_bytes() for name in kept} == kept
    assert record.failed == {} and len(record.experiments) == 4
    assert record.model_copy(update={"made": whole.made}) == whole
    with pytest.raises(CalibrationError, match="another device, design or experiment"):
        calibrated(scattering, tmp_path, resonators=5)


@pytest.mark.parametrize("experiment", [{"kind": "crosstalk"}, PROGRAMMING, {"kind": "no_tone"}, SWEEP])
def test_each_experiment_runs_alone_and_says_what_it_cannot_tell(tmp_path, experiment):
    record, *_ = calibrated(chip(0.01, repeatability=0.005), tmp_path, plan_of(experiment), 4)
    swept = experiment["kind"] == "detuning_sweep"
    assert record.quantities["resonance"].fitted == swept
    assert (record.crosstalk is not None) == (experiment["kind"] == "crosstalk")
    assert record.quantities["programming_error"].fitted == (experiment["kind"] == "programming")
    if not swept:
        assert "no detuning sweep" in record.quantities["resonance"].why
        with pytest.raises(CalibrationError, match="does not tell its resonances"):
            CalibratedSynapses.of(record)


def test_a_sweep_at_one_tuning_takes_the_span_for_granted(tmp_path):
    record, *_ = calibrated(chip(0.01), tmp_path, plan_of(SWEEP | {"levels": 1}), 4)
    span = record.quantities["tuning_span"]
    assert not span.fitted and "one tuning only" in span.why and record.quantities["resonance"].fitted


# The record


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[SynapseRecord, Path, object]:
    folder = tmp_path_factory.mktemp("record")
    record, _, hidden = calibrated(chip(0.01, repeatability=0.003), folder, plan_of(*ALL[:2], PROGRAMMING), 6)
    return record, folder / "record.yaml", hidden


def rewritten(made, tmp_path, change) -> Path:
    data = yaml.safe_load(made[1].read_text())
    change(data)
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_a_record_reads_back_with_units_and_readings(made):
    record, path, _ = made
    again = load_synapses(path, "chip-0")
    assert again.quantities.keys() == record.quantities.keys()
    resonance = again.quantities["resonance"]
    assert resonance.unit == "Hz" and resonance.fitted and all(0 < one < 1e6 for one in resonance.errors)
    assert resonance.values == pytest.approx(record.quantities["resonance"].values, rel=1e-6)
    for one in again.experiments:
        assert load_read(path.parent / one.traces).voltage.shape == (one.points, one.readings)
    assert isinstance(load_either(path), SynapseRecord)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data["quantities"]["resonance"].pop("unit"), "quantities.resonance.unit: this key is missing"),
        (lambda data: data["quantities"]["resonance"].update(unit="GHz"), "resonance.unit is 'GHz'; it must be 'Hz'"),
        (lambda data: data["nominal"].update(spacing=4e8), "nominal.spacing: .*unit"),
        (lambda data: data.update(schema_version=9, novelty=1), "made by a newer spinhw; seen: 9"),
        (lambda data: data["quantities"]["max_weight"]["values"].pop(), "max_weight must have 6 values"),
    ],
)
def test_a_record_that_is_not_whole_is_refused_in_one_line(made, tmp_path, change, message):
    path = rewritten(made, tmp_path, change)
    with pytest.raises(ConfigError, match=message) as caught:
        load_synapses(path)
    assert "\n" not in str(caught.value)


def test_another_devices_record_and_one_of_oscillators_are_refused(made):
    with pytest.raises(CalibrationError, match="another device's; seen: chip-0; allowed: chip-1"):
        load_synapses(made[1], "chip-1")
    with pytest.raises(ConfigError, match="this record is of synapses; seen: synapses; allowed: calibration"):
        load_record(made[1])
    with pytest.raises(ConfigError, match="this record is of oscillators"):
        load_synapses(shipped("calibration") / "bank-virtual.yaml")


# The map


def test_the_map_gives_the_weights_that_act(made):
    known, hidden = calibrated_synapses(made[1], "chip-0"), made[2]
    wanted = 6 * torch.rand(40, 6, generator=torch_stream("wanted weights"), dtype=torch.float64) - 3
    applied = known.applied(wanted)
    assert bool(applied.reached.all())
    tones = known.tones_hz.repeat(len(wanted))
    before = hidden.noise
    hidden.noise = 0.0
    acting = hidden.measure(applied.tuning.repeat_interleave(6, 0), tones, torch.ones(len(tones))).values.view(-1, 6)
    hidden.noise = before
    scores = (acting - applied.weights) / applied.errors
    assert 0.5 < float(scores.square().mean().sqrt()) < 1.7  # Programming and calibration together: 1.1 +- 0.16.
    assert float((acting - wanted).abs().max()) < 0.1


def test_weights_out_of_reach_are_said_so_and_the_map_inverts_itself(made):
    known = CalibratedSynapses.of(made[0])
    far = known.applied(torch.tensor([9.0, 0.0, 1.0, -9.0, 0.5, 0.0]))
    assert far.reached.tolist() == [False, True, True, False, True, True]
    tuning = 0.4 * torch.rand(20, 6, generator=torch_stream("tunings"), dtype=torch.float64) - 0.2
    wanted = known.weights(
        tuning
    )  # Beyond the largest one a resonator has the same weight twice: the nearer one is found.
    torch.testing.assert_close(known.weights(known.tuning_for(wanted)), wanted, atol=1e-3 * float(wanted.max()), rtol=0)


def test_errors_of_the_map_are_those_of_drawn_chains(made):
    known = CalibratedSynapses.of(made[0])
    tuning, generator = torch.full((6,), 0.1, dtype=torch.float64), torch_stream("drawn chains")
    tunings = tuning.expand(6, 6)
    drawn = torch.stack([known.drawn(generator).weight(tunings, known.tones_hz) for _ in range(300)])
    alone = CalibratedSynapses(**{**known.__dict__, "repeatability": torch.zeros(6)})
    torch.testing.assert_close(drawn.std(0), alone.errors(tuning), rtol=0.2, atol=0)
    assert (known.errors(tuning) > alone.errors(tuning)).all()


# Plans, benches, commands


@pytest.mark.parametrize("name", ["synapses", "synapses-quick"])
def test_shipped_plans_load(name):
    assert name in plan_names() and isinstance(load_plan(name), SynapsePlanSettings)
    assert isinstance(load_plan("quick"), PlanSettings)


def small_bench(folder, **wiring) -> StationSettings:
    """Give the shipped bench with three resonators, and one of its own behind it."""
    truth = yaml.safe_load((shipped("devices") / "virtual" / "resonators.yaml").read_text())
    truth["wiring"]["resonators"] = truth["instruments"]["board"]["outputs"] = 3
    path = folder / "truth.yaml"
    path.write_text(yaml.safe_dump(truth))
    data = load_device("synapses-virtual").model_dump(mode="json", by_alias=True)
    data["wiring"] |= {"resonators": 3} | wiring
    return build(StationSettings, data | {"backend": f"{path}@spinhw"}, "bench")


def test_a_bank_over_visa_is_calibrated(tmp_path):
    plan = plan_of({"kind": "no_tone"}, SWEEP | {"levels": 3}, {"kind": "crosstalk", "readings": 1})
    with open_synapses(small_bench(tmp_path)) as bank:
        record, found, _ = calibrate_synapses(bank, plan, tmp_path / "record.yaml")
        state = bank.station["tone"].output_enabled("1")
    assert state and not bank.unconfirmed  # The tone stayed on between points, and is off at the end.
    assert record.device.kind == "visa" and record.failed == {}
    true = load_bench(tmp_path / "truth.yaml")
    hidden = ResonatorChain(true.chip, Identity(f"{true.id}-0", true.seed), 3)
    for row, name in enumerate(("resonance_hz", "half_linewidth_hz", "max_weight")):
        apart = getattr(found.chain, name) - getattr(hidden, name)
        assert (apart.abs() < 6 * errors(found)[row]).all(), name
    assert record.noise == pytest.approx(0.2e-3 / 50e-3, rel=0.3)


def test_the_sample_record_tells_the_virtual_bench_within_its_errors():
    path = shipped("calibration") / "synapses-virtual.yaml"
    record = load_synapses(path, "synapses-virtual")
    assert record.failed == {} and record.crosstalk is not None
    true = load_bench("resonators")
    with as_shipped():  # The record is a file, of the chip as it is for users.
        hidden = ResonatorChain(true.chip, Identity(f"{true.id}-0", true.seed), 8)
    names = {"resonance": "resonance_hz", "half_linewidth": "half_linewidth_hz", "max_weight": "max_weight"}
    for name, attribute in names.items():
        found = record.quantities[name]
        apart = torch.tensor(found.values, dtype=torch.float64) - getattr(hidden, attribute)
        assert (apart.abs() < 5 * torch.tensor(found.errors, dtype=torch.float64)).all(), name
    for one in record.experiments:  # What `spinhw calibrate show` draws.
        assert load_read(path.parent / one.traces).voltage.shape == (one.points, one.readings)


def test_tones_beyond_a_limit_are_refused_before_anything_is_sent(tmp_path):
    with open_synapses(small_bench(tmp_path, frequency="1.52 GHz")) as bank:
        with pytest.raises(LimitError, match="frequency .* beyond its limit and nothing was sent.*1.5e"):
            calibrate_synapses(bank, plan_of(SWEEP), tmp_path / "record.yaml")
        assert not bank.station["tone"].output_enabled("1")
    assert not list((tmp_path / "record.traces").glob("*.nc"))


def test_the_command_calibrates_and_draws_synapses(spinhw, tmp_path):
    plan, out = tmp_path / "plan.yaml", tmp_path / "mine.yaml"
    plan.write_text(yaml.safe_dump(plan_of(*ALL[:3], PROGRAMMING).model_dump(mode="json", by_alias=True)))
    done = spinhw("calibrate", "--device", "worn-chip", "--plan", plan, "--resonators", 4, "--out", out)
    assert done.code == 0 and "4 of 4 resonators calibrated" in done.out and "readings" in done.out
    shown = spinhw("calibrate", "show", out)
    assert shown.code == 0 and out.with_suffix(".png").stat().st_size > 20_000


def test_a_plan_for_something_else_is_refused_in_one_line(spinhw, tmp_path):
    done = spinhw("calibrate", "--device", "synapses-virtual", "--plan", "quick", "--out", tmp_path / "x.yaml")
    assert done.code == 2 and "a plan for oscillators" in done.err and "--plan synapses" in done.err
    done = spinhw("calibrate", "--device", "bank-virtual", "--plan", "synapses", "--out", tmp_path / "x.yaml")
    assert done.code == 2 and "one for oscillators, which are wired" in done.err
