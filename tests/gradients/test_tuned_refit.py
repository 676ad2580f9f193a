"""The refit of resonators: what shifts do to weights, a chain that has moved, what is told and what is not."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from spinhw.config import build
from spinhw.device import SimulatedDevice, open_device
from spinhw.errors import ConfigError
from spinhw.gradients import HardwareInLoop, NetworkRefit
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.streams import torch_stream
from spinhw.surrogate import CoupledRefit, Oscillators, ToldTunings
from spinhw.surrogate.tuned import TunedSynapses

G_HZ = 1e7
MEASURED = 0.01  # Standard error of a resonance, in half-linewidths.
RF = {"frequency": "2 GHz", "spacing": "160 MHz", "half_linewidth": "10 MHz", "tuning_span": "80 MHz"}
SYNAPSES = {"takes": "tunings", "limit": 4.0, "rf": {**RF, "frequency_spread": 0.003}}
CHIP = {"synapses": SYNAPSES, "spread": {"gamma": 0.2, "sigma": 0.2, "q": 0.2}, "power_readout": {"noise": 0.01}}


def network(**synapses) -> SpintronicNetwork:
    """A network of which every neuron moves."""
    ask = {"layers": [8, 6], "outputs": 3, "inputs": 1, "weight_scale": 2.8, "gain": 2.0}
    densities = {f"density_{kind}": 1.0 for kind in ("input", "inter", "intra")}
    data = {**ask, **densities, "synapses": {"kind": "resonators", **synapses}}
    return SpintronicNetwork(build(NetworkSettings, data, "net"), seed=[0])


def programmed(net: SpintronicNetwork) -> ToldTunings:
    assert net.chains is not None
    tunings = {name: one.detach().double() for name, one in net.member_programmed().items() if name in net.tuned()}
    known = {name: chain for name, chain in net.resonators().items() if name != "w_out"}
    return ToldTunings(net.chains, known, tunings, net.member_masks())


@pytest.mark.parametrize("options", [{}, {"angle_rad": 0.2, "loss_db": 0.1}, {"crosstalk": False}])
def test_what_a_shift_does_to_weights_is_their_derivative(options: dict) -> None:
    net = network(**options)
    told, weights = programmed(net), net.weights()
    there = TunedSynapses.of(weights, told, 0.1, None)
    every, drawn = (
        torch.arange(14),
        torch.randn(there.error.shape, generator=torch_stream("shifts"), dtype=torch.float64),
    )
    there = there.moved(0.1 * drawn, every)
    step = 1e-3 * drawn.flip(0)
    up, down = (there.moved(sign * step, every).acting(weights, told) for sign in (1, -1))
    change = there.change(there.design(told), 2 * step, every)
    place = {"w_ext": (slice(8, 14), slice(0, 8)), "w_int": (slice(8, 14), slice(8, 14))}
    for kind, (rows, columns) in place.items():
        found = getattr(up, kind)[1][0] - getattr(down, kind)[1][0]
        torch.testing.assert_close(change[rows, columns], found, rtol=1e-3, atol=2e-5)
    assert float(found.abs().max()) > 1e-3


class Shifted:
    """A chip whose resonators were measured before two of its chains moved, in the loop."""

    def __init__(
        self, moved: dict[tuple[str, int], float], channels: int | None = None, trusting: bool = False
    ) -> None:
        self.network = network()
        profile = {"kind": "simulated", "id": "rf", "chip": CHIP, "channels": channels}
        device = open_device(profile, self.network)
        assert isinstance(device, SimulatedDevice)
        self.moved, self.device, known, draw = moved, device, {}, torch_stream("measured")
        self.shifts = {name: torch.zeros(chain.resonance_hz.shape[1]) for name, chain in self.true().items()}
        for (name, row), shift in moved.items():
            self.shifts[name][row] = shift
        for name, chain in self.true().items():
            missed = MEASURED * torch.randn(chain.resonance_hz.shape, generator=draw, dtype=torch.float64)
            off = self.shifts[name].double()[:, None]
            known[name] = replace(chain, resonance_hz=chain.resonance_hz + G_HZ * (missed - off))
        self.network.use_resonators(known, keep_weights=True)
        sure = {name: torch.full(one.resonance_hz.shape[1:], MEASURED * G_HZ).double() for name, one in known.items()}
        start = Oscillators.nominal(self.network.settings.neurons(torch.float64))
        self.online = CoupledRefit(start, 0.0 if trusting else 0.1, errors_hz=sure)
        refit = NetworkRefit(self.online, images=24, every=1)
        self.loop = HardwareInLoop(self.network, device, refit=refit)
        assert self.loop.refits is not None
        self.refits, self.batches = self.loop.refits, 0

    def true(self):
        return self.device.true_resonators()

    @torch.no_grad()
    def go(self, batches: int) -> None:
        for _ in range(batches):
            draw = torch_stream("shifted", self.batches)
            self.loop(4 * torch.rand(1, 40, 32, 1, generator=draw) - 1.2)
            self.batches += 1

    def scores(self) -> torch.Tensor:
        """How many stated errors the shifts of chains are off, of those that were told."""
        found = self.online.chain_shifts()
        return torch.cat([((one.values - self.shifts[name]) / one.errors)[one.told] for name, one in found.items()])


@pytest.fixture(scope="module")
def shifted() -> Iterator[Shifted]:
    case = Shifted({("w_int.0", 3): 0.3, ("w_ext.1", 2): -0.3})
    with case.device:
        case.go(1)
        yield case


def test_a_chain_that_has_moved_is_recognised_within_its_stated_error(shifted: Shifted) -> None:
    found = shifted.online.chain_shifts()
    for (name, row), shift in {("w_int.0", 3): 0.3, ("w_ext.1", 2): -0.3}.items():
        assert bool(found[name].told[row])
        assert float(found[name].errors[row]) < 0.06
        assert float(found[name].values[row]) == pytest.approx(shift, abs=0.1)
    assert len(shifted.scores()) > 20
    assert float(shifted.scores().square().mean().sqrt()) < 2.0


def test_the_model_of_the_gradient_takes_what_has_moved_out(shifted: Shifted) -> None:
    network, acting = shifted.network, shifted.device.truth.acting
    assert shifted.loop.trace is not None
    applied, masks = shifted.loop.trace.applied, network.member_masks()
    before = network.as_they_act(applied, masks)
    after = network.as_they_act(applied, masks, shifted.refits.resonators())
    for name, row in (("w_int.0", 3), ("w_ext.1", 2)):
        off = [float((one[name] - acting[name])[0, row].abs().max()) for one in (before, after)]
        assert off[1] < off[0] / 3
    [told] = shifted.refits.chain_shifts()
    assert told["chains"] == 28 + 3 and abs(told["shift"]) > 0.2


def test_a_chain_of_a_neuron_that_nobody_sees_is_not_told() -> None:
    case = Shifted({}, channels=8)  # Of the first layer.
    with case.device:
        case.go(1)
    for name, found in case.online.chain_shifts().items():
        assert bool(found.told.any()) == name.endswith(".0")
        assert found.told.any() or float(found.values.abs().max()) == 0.0


def test_what_is_known_of_chains_outlives_an_interruption(shifted: Shifted) -> None:
    again = CoupledRefit(Oscillators.nominal(shifted.network.settings.neurons(torch.float64)))
    again.restore(shifted.online.state())
    for name, value in shifted.online.shifts_hz().items():
        assert torch.equal(again.shifts_hz()[name], value)
    assert again.acting("w_int.0") is None


def test_a_loop_takes_out_what_has_moved_and_what_acted_acts_again() -> None:
    case = Shifted({("w_int.0", 3): 0.3, ("w_ext.1", 2): -0.3, ("w_out", 1): 0.3})
    network, device = case.network, case.device
    wanted = {name: value.detach() for name, value in network.member_values().items()}
    off = []
    with device:
        for _ in range(3):
            case.go(1)
            acting = device.truth.acting
            off.append([float((acting[name] - wanted[name])[0, row].abs().max()) for name, row in case.moved])
    assert all(last < first / 3 for first, last in zip(off[0], off[2], strict=True))
    true, known = case.true(), network.resonators()
    for (name, row), shift in case.moved.items():
        apart = (true[name].resonance_hz - known[name].resonance_hz)[0, row] / G_HZ
        assert float(apart.mean().abs()) < abs(shift) / 3
    [told] = case.refits.chain_shifts()
    assert told["chains"] == 28 + 3 and told["told"] > 20


def test_a_refit_that_trusts_synapses_knows_of_no_chain() -> None:
    case = Shifted({("w_out", 1): 0.3}, trusting=True)
    with case.device:
        case.go(2)
    assert case.refits.chain_shifts() == [] and case.refits.resonators() is None


def test_what_was_taken_out_outlives_an_interruption() -> None:
    case, again = Shifted({("w_int.0", 3): 0.3}), Shifted({})
    with case.device:
        case.go(2)
    again.loop.restore(case.loop.state(), case.loop.tensors())
    for name, chain in case.network.resonators().items():
        assert torch.equal(again.network.resonators()[name].resonance_hz, chain.resonance_hz)
    assert again.loop.turn == 2


def test_chains_of_a_chip_drift_at_their_own_rates_and_act_at_the_next_programming() -> None:
    net = network()
    chip = CHIP | {"drift": {"chains_per_1000_shots": 0.3}}
    device = open_device({"kind": "simulated", "id": "rf", "chip": chip}, net)
    assert isinstance(device, SimulatedDevice)
    told = {name: one.detach() for name, one in net.member_programmed().items()}
    with device:
        made = device.true_resonators()["w_int.0"].resonance_hz
        device.program(told, net.member_masks())
        acting = device.truth.acting["w_int.0"]
        device.restore(device.state() | {"shots": 1000})
        moved = (device.true_resonators()["w_int.0"].resonance_hz - made)[0] / G_HZ
        assert torch.equal(device.truth.acting["w_int.0"], acting)
        device.program(told, net.member_masks())
        assert float((device.truth.acting["w_int.0"] - acting).abs().max()) > 0.05
        device.restore(device.state() | {"shots": 2000})
        twice = (device.true_resonators()["w_int.0"].resonance_hz - made)[0] / G_HZ
    torch.testing.assert_close(moved, moved[:, :1].expand_as(moved), rtol=0, atol=1e-6)
    torch.testing.assert_close(twice, 2 * moved, rtol=0, atol=1e-6)
    assert 0.05 < float(moved[:, 0].std()) < 0.8  # Of eight: 0.3, known to a quarter of it.
    with pytest.raises(ConfigError, match="this chip has none"):
        open_device({"kind": "simulated", "id": "w", "chip": {"drift": {"chains_per_1000_shots": 0.3}}}, net)
