"""Devices that take tunings of resonators: programmed, read back, limited, translated for, trained on."""

import pytest
import torch

from spinhw import HardwareInLoop, NetworkSettings, SpintronicNetwork, open_device
from spinhw.config import build
from spinhw.device import Recorder, load_device
from spinhw.device.contract import check_device
from spinhw.device.told import told
from spinhw.errors import ConfigError, DeviceError, LimitError, SpinhwWarning

SIZES = {"layers": [6, 5], "outputs": 3, "inputs": 1, "readout_samples": 2}
RF = {"frequency": "2 GHz", "spacing": "160 MHz", "half_linewidth": "10 MHz", "tuning_span": "80 MHz"}


def network(resonators: bool = True, seed: int | list[int] = 0, **more) -> SpintronicNetwork:
    synapses = {"kind": "resonators" if resonators else "weights"}
    return SpintronicNetwork(build(NetworkSettings, {**SIZES, "synapses": synapses, **more}, "net"), seed=seed)


def profile(rf: dict | None = None, chip: dict | None = None, **synapses) -> dict:
    ask = {"takes": "tunings", "limit": 4.0, "rf": {**RF, **(rf or {})}, **synapses}
    return {"kind": "simulated", "id": "rf", "chip": {"synapses": ask, **(chip or {})}}


def played(members: int = 1) -> torch.Tensor:
    return torch.randn(members, 4, 7, 1, generator=torch.Generator().manual_seed(2))


def test_an_ideal_chip_of_resonators_does_what_the_network_does():
    net = network(seed=[0, 1])
    with open_device(profile(), net) as device:
        about = device.describe()
        assert about.takes_tunings
        assert {about.kinds[name] for name in net.tuned()} == {"tuning"}
        assert about.kinds["bias.0"] == "bias"
        assert any(line.startswith("tuning: ") and "-1 to 1 V" in line for line in about.takes())
        assert "y is not measured" in about.remarks()[-1]
        applied = device.program(net.member_programmed(), net.member_masks())
        assert all(torch.equal(applied[name], value) for name, value in net.member_programmed().items())
        trace = device.run(played(2))
        run = net.run(played(2), steps=net.steps.at_least_per_ns(16))
        assert trace.power is not None and trace.filtered is not None
        assert torch.allclose(trace.power.values, run.power, atol=2e-5)
        # Computed from samples of the power, a straight line between them.
        assert (trace.filtered.values - run.filtered).abs().max() < 0.03


def test_a_chip_of_resonators_keeps_every_promise_of_a_device():
    verdicts = check_device(lambda: open_device("rf-chip", network()))
    assert [one for one in verdicts if not one.passed] == []


def test_tunings_beyond_their_span_and_values_of_absent_resonators_are_refused():
    net = network()
    with open_device(profile(), net) as device:
        wanted = {name: value.detach() for name, value in net.member_programmed().items()}
        with pytest.raises(LimitError, match=r"tuning w_int.0.*-1 to 1 V"):
            device.program(wanted | {"w_int.0": wanted["w_int.0"] + 1.5}, {})
        with pytest.raises(ValueError, match="asks for synapses that do not exist"):
            device.program(wanted | {"w_int.0": wanted["w_int.0"] + 0.1}, net.member_masks())


def test_every_error_of_a_resonator_acts_and_bits_are_those_of_the_span():
    net = network()
    wanted = {name: value.detach() for name, value in net.member_programmed().items()}

    def acting(**options) -> torch.Tensor:
        with open_device(profile(**options), net) as device:
            device.program(wanted, net.member_masks())
            return device.truth.acting["w_int.0"]

    ideal = acting()
    assert torch.allclose(ideal, net.member_values()["w_int.0"], atol=1e-5)
    for options in (
        {"rf": {"frequency_spread": 0.001}},
        {"rf": {"linewidth_spread": 0.1}},
        {"scale_spread": 0.1},
        {"repeatability": 0.01},
        {"programming_error": 0.01},
        {"dead_fraction": 0.3},
        {"stuck_fraction": 0.3},
        {"bits": 6},
    ):
        assert (acting(**options) - ideal).abs().max() > 1e-3, options
        assert torch.equal(acting(**options), acting(**options))
    with open_device(profile(bits=6), net) as device:
        applied = device.program(wanted, net.member_masks())["w_int.0"]
    assert torch.allclose(applied * 31, (applied * 31).round(), atol=1e-5)


def test_a_programming_error_is_a_share_of_the_largest_weight():
    """Off by a share e of w_max means a resonance off by e G / 2: the slope at the tone is 2 w_max / G."""
    net = network(layers=[80], density_input=1.0)
    still = {name: torch.zeros_like(value) for name, value in net.member_programmed().items()}
    with open_device(profile(programming_error=0.01), net) as device:
        device.program(still, net.member_masks())
        # The spread of 80 numbers is known to 8 %.
        assert 0.006 < float(device.truth.acting["w_ext.0"].std()) / 4.0 < 0.014


def test_weights_are_translated_with_the_crosstalk_of_the_chain():
    net = network(resonators=False, seed=[0, 1])
    with open_device(profile(), net) as device:
        asked = told(net, device.describe())
        device.program(asked, net.member_masks())
        acting = device.truth.acting
        for name, mask in net.member_masks().items():
            assert ((acting[name] - net.member_values()[name]) * mask).abs().max() < 1e-3
        assert torch.equal(asked["bias.0"], net.member_values()["bias.0"])


def test_weights_out_of_reach_are_named():
    net = network(resonators=False)
    with torch.no_grad():
        net.w_int[0].mul_(0).add_(3.9)
    with open_device(profile(limit=2.0), net) as device, pytest.warns(SpinhwWarning, match=r"w_int.0 \[.*more"):
        told(net, device.describe())


def test_a_recording_says_that_it_takes_tunings_and_is_played_again(tmp_path):
    net = network()
    told_there = {name: value.detach() for name, value in net.member_programmed().items()}
    traces = []
    for kept in (None, tmp_path):
        with open_device(profile() if kept is None else load_device(tmp_path / "device.yaml"), net) as device:
            if kept is None:
                device.record_with(Recorder(tmp_path))
            assert device.describe().takes_tunings
            device.program(told_there, net.member_masks())
            traces.append(device.run(played()))
    assert traces[0].power is not None and traces[1].power is not None
    assert torch.equal(traces[0].power.values, traces[1].power.values)
    with pytest.raises(ConfigError, match="weight_limit 3.0.*weight_limit 4.0"):
        open_device(load_device(tmp_path / "device.yaml"), network(weight_limit=3.0))


@pytest.mark.parametrize("rf", [{}, {"frequency_spread": 0.003, "linewidth_spread": 0.1}], ids=["designed", "known"])
def test_gradients_in_the_loop_are_those_of_the_chip_where_the_model_is_right(rf: dict) -> None:
    """As designed, or on a ladder that is off and known."""
    net = network(seed=[0, 1])
    with open_device(profile(rf=rf), net) as device:
        net.use_resonators(device.true_resonators() if rf else None, keep_weights=bool(rf))
    found = {}
    for mode in ("output", "layerwise", "surrogate", "observer", "oracle"):
        with open_device(profile(rf=rf, chip={"steps_per_ns": 16}), net) as device:
            net.zero_grad()
            HardwareInLoop(net, device, mode)(played(2)).square().sum().backward()
        found[mode] = torch.cat([value.grad.flatten() for name, value in net.named_parameters() if name in net.tuned()])
    for mode in ("output", "layerwise", "surrogate", "observer"):
        assert torch.nn.functional.cosine_similarity(found[mode], found["oracle"], dim=0) > 0.99, mode


def test_bits_pass_the_gradient_straight_through_to_the_tunings():
    net = network()
    with open_device(profile(bits=8), net) as device:
        HardwareInLoop(net, device, "output")(played()[0]).square().sum().backward()
    gradient, mask = net.w_int[0].grad, net.mask("w_int.0")
    assert gradient is not None
    assert (gradient[mask] != 0).all() and (gradient[~mask] == 0).all()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (lambda: open_device("imperfect-chip", network()), "takes weights here, and the network has tunings"),
        (
            lambda: open_device(profile(rf={"spacing": "200 MHz"}), network()),
            "spacing_hz 1600.*allowed: spacing_hz 2000",
        ),
        (lambda: open_device(profile(limit=3.0), network()), "weight_limit 4.0.*weight_limit 3.0"),
        (lambda: open_device(profile(crosstalk=True), network()), "always has crosstalk"),
        (lambda: open_device(profile(limit=None), network()), "needs the largest weight"),
        (lambda: open_device(profile(chip={"spread": {"cutoff": 0.1}}), network()), "stands behind the chains"),
        (lambda: HardwareInLoop(network(False), open_device(profile(), network(False))), "trained in weights"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(asked, says):
    with pytest.raises(ConfigError, match=says) as refused:
        asked()
    assert "\n" not in str(refused.value)


def test_the_truth_of_a_chip_says_what_its_tunings_make() -> None:
    """Dead, stuck and shifted resonators included; without a scatter of programmings."""
    net = network(seed=[0, 1])
    errors = {"scale_spread": 0.1, "programming_error": 0.1, "dead_fraction": 0.2, "stuck_fraction": 0.2}
    ask = profile(rf={"frequency_spread": 0.003, "linewidth_spread": 0.1}, **errors)
    with open_device(ask, net) as device:
        net.use_resonators(device.true_resonators())
        device.program({name: one.detach() for name, one in net.member_programmed().items()}, net.member_masks())
        expected = net.member_values()
        for name in net.tuned():
            assert torch.allclose(device.truth.acting[name], expected[name], atol=2e-4)
    with (
        open_device({"kind": "simulated", "id": "w"}, network(resonators=False)) as plain,
        pytest.raises(DeviceError, match="no resonators to tell of"),
    ):
        plain.true_resonators()


@pytest.mark.parametrize("resonators", [True, False])
def test_known_resonators_bring_weights_onto_a_chip_whose_ladder_is_off(resonators: bool) -> None:
    net = network(resonators)
    wanted = {name: one.detach() for name, one in net.member_values().items()}
    with open_device(profile(rf={"frequency_spread": 0.003}), net) as device:
        net.use_resonators(device.true_resonators(), keep_weights=resonators)
        device.program(told(net, device.describe()), net.member_masks())
        for name in ("w_int.0", "w_ext.1", "w_out"):
            there = net.member_masks().get(name, torch.ones_like(wanted[name], dtype=torch.bool))
            off = (device.truth.acting[name] - wanted[name])[there].abs()
            assert float(off.max()) < 1e-3
