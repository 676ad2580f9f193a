"""Weights on a few resonators: each synapse measured once, what was measured is what acts, and nothing is left on."""

from pathlib import Path

import pytest
import torch

from spinhw.calibration import SynapsePlanSettings, calibrate_synapses
from spinhw.config import build, shipped
from spinhw.device import MultiplexedDevice, MultiplexedSettings, SimulatedSettings, load_device, open_device
from spinhw.device.bank_effort import bank_effort
from spinhw.device.contract import check_device
from spinhw.device.multiplex.synapses import Groups, left_out, present_of
from spinhw.errors import CalibrationError, ConfigError, DeviceError
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.surrogate import CalibratedSynapses
from spinhw.training import load_settings

INTERVAL_S = 1e-9
NETWORK = NetworkSettings(layers=(6, 3), outputs=2, density_intra=0.5, weight_limit=2.8)
RESONATORS = 4
SWEEP = {"kind": "detuning_sweep", "levels": 5, "tones": 15, "reach": 5}
PLAN = {"kind": "synapses", "name": "test", "experiments": [{"kind": "no_tone"}, SWEEP]}
EXAMPLE = shipped("examples") / "eight_resonators.yaml"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Locks and what was left on are kept in the user's home."""
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)


def chain(**synapses):
    parts = {"limit": 4.0, "rf": {"frequency_spread": 0.001}} | synapses
    return build(SimulatedSettings, {"kind": "simulated", "id": "lab", "chip": {"synapses": parts}}, "lab")


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """A record of the chain of `chain()`, with its errors but without scatter."""
    path = tmp_path_factory.mktemp("records") / "lab.yaml"
    with chain().open_synapses(RESONATORS, 0) as bank:
        calibrate_synapses(bank, build(SynapsePlanSettings, PLAN, "plan"), path)
    return path


def on(record: Path, lab=None, **more):
    synapses = {"bank": lab or chain(), "record": str(record)} | more
    about = {"kind": "multiplexed", "bank": "ideal", "refit": [], "passes": 1, "samples_per_interval": 1}
    return MultiplexedSettings.model_validate(about | {"synapses": synapses})


def opened(settings, network=NETWORK) -> MultiplexedDevice:
    device = open_device(settings, network, INTERVAL_S)
    assert isinstance(device, MultiplexedDevice)
    return device


def weights(seed=0):
    network = SpintronicNetwork(NETWORK, seed=seed)
    return {name: value.detach() for name, value in network.values().items()}, network.masks()


def rows(found: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([found[name].flatten().double() for name in sorted(found) if name.startswith("w")])


@pytest.mark.parametrize("seed", range(3))
def test_every_synapse_stands_in_one_group_and_comes_back(seed):
    generator = torch.Generator().manual_seed(seed)
    masks = {name: torch.rand(5, 7, generator=generator) < 0.6 for name in ("one", "two")}
    working = torch.tensor([True, False, True, True])
    groups = Groups.of(masks, working)
    values = {name: torch.randn(5, 7, generator=generator, dtype=torch.float64) * masks[name] for name in masks}
    back = groups.put(groups.taken(values))
    assert all(torch.equal(back[name], values[name]) for name in masks)
    places = groups.place[groups.used]
    assert len(places.unique()) == len(places) == sum(int(mask.sum()) for mask in masks.values())
    assert not bool(groups.used[:, 1].any())
    for group, used in enumerate(groups.used):  # A group lies within one row.
        assert len({int(place) // 7 for place in groups.place[group][used]}) == 1
    first = masks["two"].nonzero()[0].tolist()
    where = [groups.called(*pair) for pair in groups.used.nonzero().tolist()]
    assert f"two[{first[0]}, {first[1]}]" in where


def test_what_acts_is_what_was_measured(record):
    values, masks = weights()
    with opened(on(record)) as device:
        applied = device.program(values, masks)
        bank, readings = device.synapses.bank, device.synapses.readings
        truth, known = bank.truth, device.synapses.known
        groups = Groups.of(present_of({n: v.shape for n, v in values.items() if n[0] == "w"}, masks), known.working)
        tunings = known.tuning_for(groups.taken(values))
        detuning = known.tones_hz[:, None] - truth.resonance_hz - truth.tuning_span_hz * tunings[:, None, :]
        width = truth.half_linewidth_hz
        really = (truth.max_weight * 2 * width * detuning / (detuning**2 + width**2)).sum(-1)
    for name, one in groups.put(really).items():
        torch.testing.assert_close(applied[name].double(), one, rtol=0, atol=1e-6)
    assert readings == int(groups.used.sum()) + 1
    for name, mask in masks.items():
        assert not bool(applied[name][mask == 0].any())
    assert torch.equal(applied["bias.0"], values["bias.0"])


def test_between_two_that_are_measured_the_record_says_what_changed(record):
    (first, masks), (second, _) = weights(0), weights(0)
    second = {name: value * 0.9 for name, value in second.items()}
    with opened(on(record, measure_every=3)) as device:
        before = device.program(first, masks)
        taken = device.synapses.readings
        expected = device.program(second, masks)
        assert device.synapses.readings == taken
        measured = device.program(second, masks, afresh=True)
        assert device.synapses.readings == 2 * taken
        for _ in range(2):
            device.program(second, masks)
        assert device.synapses.readings == 2 * taken
        device.program(second, masks)
        assert device.synapses.readings == 3 * taken
    far, near = (float((rows(one) - rows(measured)).abs().max()) for one in (before, expected))
    assert near < 0.02 < far


def test_other_masks_are_measured_at_once(record):
    values, masks = weights()
    other, others = weights(1)
    with opened(on(record, measure_every=100)) as device:
        device.program(values, masks)
        device.program(other, others)
        assert device.synapses.measured == 2


def test_rounds_make_up_for_a_chain_that_has_drifted(record):
    values, masks = weights()
    drifted = chain(rf={"frequency_spread": 0.0013})
    off = []
    for more in ({"rounds": 1}, {"rounds": 6, "tolerance": 0.002}):
        with opened(on(record, drifted, **more)) as device:
            applied = device.program(values, masks)
        off.append(float((rows(applied) - rows(values)).abs().max()))
    assert off[1] <= 0.002 * 4.2 < 0.05 < off[0]


def test_the_same_state_gives_the_same_bits(record):
    values, masks = weights()
    noisy = chain(repeatability=0.02)
    inputs = torch.linspace(-1, 1, 20).view(2, 10, 1)

    def go(device):
        applied = [device.program({n: v * share for n, v in values.items()}, masks) for share in (0.9, 0.8, 0.7)]
        return [rows(one) for one in applied], device.run(inputs).power.values

    with opened(on(record, noisy, measure_every=2)) as device:
        device.program(values, masks)
        state = device.state()
        weights_after, power_after = go(device)
    with opened(on(record, noisy, measure_every=2)) as device:
        device.restore(state)
        again, power_again = go(device)
    assert all(map(torch.equal, weights_after, again)) and torch.equal(power_after, power_again)


def test_weights_out_of_reach_are_named_once_and_act_as_they_are(record, caplog):
    values, masks = weights()
    values["w_out"] = torch.full_like(values["w_out"], 2.8)
    with opened(on(record, chain(limit=2.0), anyway=True)) as device:
        applied = device.program(values, masks)
    assert float(applied["w_out"].max()) < 2.8
    with opened(on(record)) as device:
        device.program({name: value * 0 + 2.8 * masks.get(name, 1) for name, value in values.items()}, masks)
    assert not [one for one in caplog.messages if "out of reach" in one]


def test_a_failing_chain_leaves_both_benches_safe(record, mocker):
    values, masks = weights()
    with opened(on(record)) as device:
        bank = device.synapses.bank
        mocker.patch.object(bank, "measure", side_effect=DeviceError("the chain is gone"))
        with pytest.raises(DeviceError, match="the chain is gone"):
            device.program(values, masks)
        for each in (bank, device.bank):
            with pytest.raises(DeviceError, match="is not open"):
                each.look_over()


def test_it_keeps_what_every_device_promises(record):
    found = check_device(lambda: opened(on(record)))
    assert [f"{one.name}: {one.detail}" for one in found if not one.passed] == []


def test_records_that_do_not_fit_are_refused(record, tmp_path):
    with pytest.raises(ConfigError, match="no such record"):
        opened(on(tmp_path / "none.yaml"))
    with pytest.raises(CalibrationError, match="synapses-virtual"):
        opened(on(shipped("calibration") / "synapses-virtual.yaml"))
    with pytest.raises(CalibrationError, match="of another chain"):
        opened(on(record, load_device("synapses-virtual"), anyway=True))


def test_tails_that_are_left_out_are_those_of_the_other_groups(record):
    known = CalibratedSynapses.of(load_record_of(record))
    assert left_out(known, RESONATORS) == 0.0
    spacing = float(known.tones_hz[1] - known.tones_hz[0])
    width = float(known.chain.half_linewidth_hz.median())
    tails = []
    for source in range(8):
        others = [one for one in range(8) if one // RESONATORS != source // RESONATORS]
        far = [(source - one) * spacing for one in others]
        tails.append(sum((-1) ** one * 2 * width * d / (d**2 + width**2) for one, d in zip(others, far, strict=True)))
    assert left_out(known, 8) == pytest.approx((sum(one**2 for one in tails) / 8) ** 0.5, rel=1e-9)


def load_record_of(path):
    from spinhw.records import load_synapses

    return load_synapses(path)


def test_the_shipped_recipe_takes_few_readings_and_the_budget_says_so():
    run = load_settings(EXAMPLE)
    effort = bank_effort(run.device, run.network, run.task.sample_interval_s, (12, run.task.samples))
    assert "at most 233 readings of 36 groups" in effort.basis and effort.measured_every == 10
    assert 233 * 0.05 < effort.programming_s < 60
