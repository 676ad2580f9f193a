"""Whole chips: every chain measured and fitted together, honest errors, what failed named, records, deployment."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from pytest_mock import MockerFixture

from fakes.chains import scores
from spinhw.calibration import ChainPlanSettings, calibrate, calibrate_chains, load_plan, traces_folder
from spinhw.calibration.chains import effort_of
from spinhw.calibration.synapses.judge import HELD
from spinhw.config import build
from spinhw.device import SimulatedSettings, load_device, open_chains, open_device
from spinhw.device.told import told
from spinhw.errors import CalibrationError, ConfigError, SpinhwWarning
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.physics import Chain
from spinhw.records import load_chains, load_either, load_record
from spinhw.streams import torch_stream
from spinhw.surrogate import CalibratedChains

SIZES = {"layers": [12, 10], "outputs": 4, "inputs": 1, "weight_limit": 4.0, "readout": "hardware"}
SYNAPSES = {"kind": "resonators", "half_linewidth": "10 MHz", "spacing": "160 MHz", "span": "80 MHz"}
NETWORK = build(NetworkSettings, SIZES | {"synapses": SYNAPSES}, "test")
SMALL = build(NetworkSettings, SIZES | {"layers": [4, 4], "synapses": SYNAPSES}, "test")
QUICK = load_plan("chains-quick")
SAVED = "spinhw.calibration.synapses.readings.save_read"


def chip(noise: float = 0.04, seed: int = 0, **synapses) -> SimulatedSettings:
    """The resonators of rf-chip."""
    usual = load_device("rf-chip").chip.synapses.model_dump(mode="json", by_alias=True)
    parts = {"synapses": usual | synapses, "output_readout": {"noise": noise}}
    return build(SimulatedSettings, {"kind": "simulated", "id": "rf", "seed": seed, "chip": parts}, "test")


def plan_of(**keys) -> ChainPlanSettings:
    return build(ChainPlanSettings, {"kind": "chains", "name": "test"} | keys, "test plan")


def calibrated(profile: SimulatedSettings, folder: Path, plan: ChainPlanSettings = QUICK, design=SMALL, seed: int = 0):
    network = SpintronicNetwork(design, seed=seed)
    chains = open_chains(profile, network)
    record, _ = calibrate_chains(chains, network, plan, folder / "record.yaml")
    return record, network, chains


def truth(profile: SimulatedSettings, network: SpintronicNetwork) -> dict[str, Chain]:
    with open_device(profile, network, members=[network.seed]) as device:
        return device.true_resonators()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory):
    """The record of a small chip, its network and its file."""
    folder = tmp_path_factory.mktemp("small")
    record, network, _ = calibrated(chip(), folder)
    return record, network, folder / "record.yaml"


@pytest.fixture
def unkept(mocker: MockerFixture) -> None:
    """Write no files of readings, which takes longer than everything else."""
    mocker.patch(SAVED)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, module_mocker: MockerFixture):
    """A chip with 228 resonators by the quick plan."""
    profile, saved = chip(), module_mocker.patch(SAVED)
    record, network, _ = calibrated(profile, tmp_path_factory.mktemp("quick"), design=NETWORK)
    module_mocker.stop(saved)
    return record, truth(profile, network)


def test_true_errors_are_as_large_as_the_reported_ones(quick):
    record, true = quick
    assert record.failed() == {}
    off, _ = scores(record, true)
    count = off.numel()  # Four quantities of each: their shares scatter by sqrt(p (1 - p) / count), 1.5 and 0.2 %.
    assert count == 4 * record.device.resonators > 900
    assert (
        0.60 < float((off.abs() < 1).double().mean()) < 0.76
    )  # 0.68 +- 0.024 over seeds: noise and scatter are shared.
    assert float((off.abs() < 3).double().mean()) > 0.985  # 0.996 +- 0.002.


@pytest.mark.campaign
@pytest.mark.parametrize("seed", [0, 1])
def test_errors_of_a_whole_chip_are_honest(seed, unkept, tmp_path):
    """Of 2896 resonators the shares of one quantity scatter by 0.9 and 0.1 %."""
    design = NetworkSettings.of("resonators")
    record, network, _ = calibrated(load_device("rf-chip"), tmp_path, design=design, seed=seed)
    off, _ = scores(record, truth(load_device("rf-chip"), network))
    assert len(record.failed()) <= 3
    assert (((off.abs() < 1).double().mean(0) - 0.685).abs() < 0.035).all()
    assert ((off.abs() < 3).double().mean(0) > 0.99).all()


def test_reported_errors_are_those_of_the_cramer_rao_bound(quick):
    """The bound is worked out by autograd from the readings that were asked for, with noise and scatter as they are."""
    record, true = quick
    _, sizes = scores(record, true)
    reported, bound, place = [], [], 0
    for name, table in record.matrices.items():
        rows = torch.tensor(table.destinations)
        for destination in rows.unique().tolist():
            count = int((rows == destination).sum())
            sources = [one for row, one in zip(table.destinations, table.sources, strict=True) if row == destination]
            if name == "w_int.0":
                bound.append(cramer_rao(true[name].at((0, destination, sources)), sources))
                reported.append(sizes[place : place + count])
            place += count
    ratio = (torch.cat(reported) / torch.cat(bound)).log().mean(0).exp()
    assert ((ratio > 0.8) & (ratio < 1.25)).all()  # Noise and scatter are found to 2 and 30 %.


def cramer_rao(chain: Chain, sources: list[int]) -> torch.Tensor:
    """Return the least standard errors that readings of the quick plan allow, (resonator, quantity)."""
    ladder = chip().ladder
    tones = ladder.frequency_hz + ladder.spacing_hz * torch.tensor(sources, dtype=torch.float64)
    step, blocks = 2 * 10.0 / 6, []
    for level, tuning in enumerate((-5 / 7, 0.0, 5 / 7)):
        offsets = (torch.arange(6, dtype=torch.float64) - 2.5) * step + ((level + 0.5) / 3 - 0.5) * step
        rf_hz = (tones + 80e6 * tuning)[:, None] + 10e6 * offsets
        blocks.append((tuning, rf_hz.flatten()))
    values = torch.stack(list(chain.tensors().values()), dim=1)
    unit = torch.tensor([1e7, 1e7, 4.0, 1e7], dtype=torch.float64)
    information = torch.zeros(values.numel() + 1, values.numel() + 1, dtype=torch.float64)
    for tuning, rf_hz in blocks:

        def reading(free, tuning=tuning, rf_hz=rf_hz):
            centre, width, size, span = (free[:-1].view(-1, 4) * unit).unbind(1)
            d = rf_hz[:, None] - centre - span * tuning
            return (size * 2 * width * d / (d**2 + width**2)).sum(1) + free[-1]

        at = torch.cat([(values / unit).flatten(), torch.zeros(1, dtype=torch.float64)])
        jacobian = torch.autograd.functional.jacobian(reading, at)
        moved = jacobian[:, 0:-1:4] * (values[:, 1] / unit[1] / 2)  # By what a programming is off, e.
        spread = 0.04**2 * torch.eye(len(rf_hz), dtype=torch.float64) + 0.01**2 * moved @ moved.T
        information += jacobian.T @ torch.linalg.solve(spread, jacobian)
    return torch.linalg.inv(information).diagonal()[:-1].sqrt().view(-1, 4) * unit


def test_the_quick_plan_takes_at_most_twenty_readings_of_each_resonator():
    design = NetworkSettings.of("resonators")
    effort = effort_of(QUICK, open_chains("rf-chip", SpintronicNetwork(design, seed=0)))
    assert effort.resonators == 2896
    assert effort.readings <= 20 * effort.resonators
    assert effort.one_meter_s == pytest.approx(0.05 * (effort.readings + effort.programmings))
    assert effort.meter_each_s < effort.one_meter_s / 50
    full = effort_of(load_plan("chains"), open_chains("rf-chip", SpintronicNetwork(design, seed=0)))
    assert full.one_meter_s < 8 * 3600  # A night.


def test_the_chains_of_a_chip_are_those_that_its_network_feels():
    profile, network = chip(noise=0.0, repeatability=0.0, bits=None, dead_fraction=0.1, stuck_fraction=0.1), None
    network = SpintronicNetwork(SMALL, seed=3)
    tunings = {name: one.detach() for name, one in network.member_programmed().items()}
    with open_device(profile, network, members=[3]) as device:
        device.program(tunings, network.member_masks())
        acting = device.truth.acting
    for chain in open_chains(profile, network):
        tones = profile.ladder.tones_hz(acting[chain.name].shape[-1])
        tuning = tunings[chain.name][0, chain.destination, list(chain.sources)].double().expand(len(tones), -1)
        with chain.bank as bank:
            seen = bank.measure(tuning, tones, torch.ones_like(tones)).values
        assert torch.allclose(seen, acting[chain.name][0, chain.destination].double(), atol=2e-4)


def test_dead_and_stuck_resonators_are_named_and_left_out_of_masks(unkept, tmp_path):
    profile = chip(dead_fraction=0.08, stuck_fraction=0.08)
    record, network, _ = calibrated(profile, tmp_path, design=NETWORK)
    known, true = CalibratedChains.of(record), truth(profile, network)
    for name, table in record.matrices.items():
        hidden = true[name].at((0, list(table.destinations), list(table.sources)))
        dead, stuck = hidden.max_weight == 0, (hidden.tuning_span_hz == 0) & (hidden.max_weight != 0)
        assert sorted(table.failed) == (dead | stuck).nonzero()[:, 0].tolist()
        for place in stuck.nonzero()[:, 0].tolist():
            assert table.failed[place].startswith("it is stuck: its resonance stays at")
            assert table.values["resonance"][place] == pytest.approx(float(hidden.resonance_hz[place]), abs=2e6)
            assert table.values["tuning_span"][place] == 0
        for place in dead.nonzero()[:, 0].tolist():
            assert table.failed[place].startswith("it rectifies nothing within")
            assert table.values["resonance"][place] is None
    assert set(known.lost) == {name for name, why in record.failed().items() if "rectifies nothing" in why}
    with pytest.warns(SpinhwWarning, match=rf"nothing is known of {len(known.lost)} resonators.*w_.*\[\d+, \d+\], "):
        known.warn_of_lost()
    off, _ = scores(record, true)
    assert float((off.abs() < 3).double().mean()) > 0.985
    name, table = next((name, table) for name, table in record.matrices.items() if table.failed)
    place = next(iter(table.failed))
    left = known.masks({"w_int.0": network.mask("w_int.0")})["w_int.0"]
    assert f"{name}[{table.destinations[place]}, {table.sources[place]}]" in record.failed()
    assert int(left.sum()) == int(network.mask("w_int.0").sum()) - len(record.matrices["w_int.0"].failed)


def test_what_the_model_hardly_describes_is_held_and_acts(unkept, tmp_path):
    """Linewidths from a fifth to five times the designed one; tones 3 half-linewidths apart miss narrow ones."""
    rf = load_device("rf-chip").chip.synapses.rf.model_dump(mode="json", by_alias=True) | {"linewidth_spread": 0.8}
    record, network, _ = calibrated(chip(rf=rf), tmp_path, design=NETWORK.model_copy(update={"layers": (8, 8)}))
    known = CalibratedChains.of(record)
    network.use_resonators(known.chains, keep_weights=True)
    with open_device(chip(rf=rf), network, members=[network.seed]) as device:
        device.program({name: one.detach() for name, one in network.member_programmed().items()}, network.masks())
        acting = device.truth.acting
    held = {name: ~known.working[name] & (chain.max_weight[0] != 0) for name, chain in known.chains.items()}
    held = {name: one & known.measured[name] for name, one in held.items()}

    def missed(chains: dict[str, Chain]) -> float:
        network.use_resonators(chains)
        off = [(network.values()[name].detach() - acting[name][0])[where] for name, where in held.items()]
        return float(torch.cat(off).square().mean().sqrt())

    assert sum(int(one.sum()) for one in held.values()) > 4
    assert all(bool((known.chains[name].tuning_span_hz[0][one] == 0).all()) for name, one in held.items())
    assert all(bool((network.programmed()[name][one] == 0).all()) for name, one in held.items())
    nothing = {name: replace(chain, max_weight=chain.max_weight * ~held[name]) for name, chain in known.chains.items()}
    assert missed(known.chains) < 0.95 * missed(nothing)  # 0.12 to 0.80 of it over seeds.
    assert all(why.endswith(HELD) == (name not in known.lost) for name, why in record.failed().items())


def test_a_matrix_without_synapses_is_known_to_have_none(unkept, tmp_path):
    design = SMALL.model_copy(update={"density_intra": 0.0})
    _, network, _ = calibrated(chip(), tmp_path, design=design)
    known = CalibratedChains.of(load_chains(tmp_path / "record.yaml"))
    known.refuse_other(network)
    network.use_resonators(known.chains, keep_weights=True)
    assert not known.measured["w_int.0"].any() and known.measured["w_ext.1"].any()


def test_a_network_is_deployed_through_its_record(unkept, tmp_path):
    profile = chip(noise=0.01, repeatability=0.0, bits=None)
    record, network, _ = calibrated(profile, tmp_path, plan_of(levels=5, tones=9))
    wanted = {name: one.detach().clone() for name, one in network.member_values().items()}
    known = CalibratedChains.of(load_chains(tmp_path / "record.yaml", "rf-0"))
    known.refuse_other(network)
    with open_device(profile, network) as device:

        def missed() -> float:
            device.program(told(network, device.describe()), network.member_masks())
            there = [device.truth.acting[name] - wanted[name] for name in network.tuned()]
            return max(float(one.abs().max()) for one in there)

        designed = missed()
        network.use_resonators(known.chains, keep_weights=True)
        assert missed() < 0.1 < 1.0 < designed  # 0.04 and 5 of 4.
    assert record.repeatability < 0.003


def test_draws_scatter_by_the_errors_and_leave_what_was_not_measured(small):
    record, network, _ = small
    known = CalibratedChains.of(record)
    stream = torch_stream("test", 0)
    drawn = torch.stack([known.drawn(stream)["w_int.0"].resonance_hz[0] for _ in range(400)])
    fine = known.working["w_int.0"]
    assert torch.equal(fine, network.mask("w_int.0"))
    expected = known.covariance["w_int.0"][..., 0, 0].sqrt()
    assert torch.allclose(drawn.std(0)[fine], expected[fine], rtol=0.2)  # 3.5 % each.
    assert (drawn.std(0)[~fine] == 0).all()


def test_what_was_read_before_an_interruption_is_not_read_again(small, tmp_path):
    class StopError(Exception):
        pass

    def stopped(matrix: str, place: int, count: int) -> None:
        if place == 7:
            raise StopError

    whole, network, _ = small
    with pytest.raises(StopError):
        calibrate_chains(open_chains(chip(), network), network, QUICK, tmp_path / "record.yaml", told=stopped)
    files = sorted(traces_folder(tmp_path / "record.yaml").glob("*.nc"))
    assert len(files) == 7
    before = {path: path.stat().st_mtime_ns for path in files}
    record, _, _ = calibrated(chip(), tmp_path)
    assert record.matrices == whole.matrices and record.noise == whole.noise
    assert {path: path.stat().st_mtime_ns for path in files} == before
    (tmp_path / "record.yaml").unlink()
    with pytest.raises(CalibrationError, match="these readings are of another device, design or experiment"):
        calibrated(chip(), tmp_path, plan_of(levels=4))


def test_the_record_of_another_chip_or_network_is_refused(small):
    record, network, path = small
    assert load_either(path) == load_chains(path) == load_chains(path, "rf-0")
    with pytest.raises(CalibrationError, match=r"another device's; seen: rf-0; allowed: rf-1"):
        load_chains(path, "rf-1")
    assert load_chains(path, "rf-1", anyway=True).device.id == "rf-0"
    known = CalibratedChains.of(record)
    known.refuse_other(network)
    with pytest.raises(CalibrationError, match="network with other resonators"):
        known.refuse_other(SpintronicNetwork(SMALL, seed=1))
    with pytest.raises(CalibrationError, match="network with other resonators"):
        known.refuse_other(SpintronicNetwork(NETWORK, seed=0))
    with pytest.raises(ConfigError, match=r"kind: this record is of chains of a whole chip; seen: chains"):
        load_record(path)


def test_a_damaged_record_names_what_is_wrong(small, tmp_path):
    path = tmp_path / "record.yaml"
    data = yaml.safe_load(small[2].read_text(encoding="utf-8"))
    data["matrices"]["w_out"]["sources"] = "0 1"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"matrices.w_out: sources must have 16 values") as refused:
        load_chains(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"levels": 2}, "levels: must be greater than or equal to 3; seen: 2"),
        ({"tones": 2}, "tones: must be greater than or equal to 3; seen: 2"),
        ({"range": 1.5}, "range: must be less than or equal to 1; seen: 1.5"),
        ({"reach": 0.5}, "reach: must be greater than 1; seen: 0.5"),
        ({"experiments": []}, "unknown key 'experiments'"),
    ],
)
def test_bad_plans_are_refused(keys, says):
    with pytest.raises(ConfigError, match=says):
        plan_of(**keys)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (lambda: calibrate("rf-chip", "chains-quick"), "nothing says which resonators the chains have"),
        (lambda: open_chains("imperfect-chip", SpintronicNetwork(SMALL)), "takes weights, and has no chains"),
        (lambda: open_chains("rf-bench-virtual", SpintronicNetwork(SMALL)), "the network does not fit on the chip"),
        (lambda: open_chains("rf-chip", SpintronicNetwork(SMALL, seed=[0, 1])), "one network are measured at a time"),
        (
            lambda: open_chains(
                "rf-chip",
                SpintronicNetwork(SMALL.model_copy(update={"weight_limit": 2.0})),
            ),
            "others than the network is designed for",
        ),
    ],
)
def test_what_has_no_chains_is_refused_in_one_line(asked, says):
    with pytest.raises(ConfigError, match=says) as refused:
        asked()
    assert "\n" not in str(refused.value)


def test_a_chip_on_which_nothing_works_is_one_line(unkept, tmp_path):
    with pytest.raises(CalibrationError, match=r"not one of 42 resonators .* it rectifies nothing .* are kept"):
        calibrated(chip(dead_fraction=1.0), tmp_path)


def test_the_command_says_what_it_takes_calibrates_and_draws(spinhw, tmp_path):
    recipe, record = tmp_path / "run.yaml", tmp_path / "chip.yaml"
    recipe.write_text(
        yaml.safe_dump({"network": SIZES | {"layers": [3, 2], "outputs": 10, "synapses": SYNAPSES}}), encoding="utf-8"
    )
    done = spinhw("calibrate", "--device", "rf-chip", "--plan", "chains-quick", "--config", recipe, "--out", record)
    assert done.code == 0, done.err
    assert "resonators in" in done.out and "with one meter" in done.out and "resonators calibrated" in done.out
    shown = spinhw("calibrate", "show", record)
    assert shown.code == 0 and record.with_suffix(".png").stat().st_size > 10_000
    lacking = spinhw("calibrate", "--device", "rf-chip", "--plan", "chains-quick", "--out", tmp_path / "other.yaml")
    assert lacking.code == 2 and lacking.err.count("\n") == 1 and "--config" in lacking.err
