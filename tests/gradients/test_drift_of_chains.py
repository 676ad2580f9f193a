"""The watch for drift on resonators: a chain that has moved is told from a neuron that has, and refitted."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from fakes.loops import true_neurons
from spinhw.config import build
from spinhw.device import SimulatedDevice, open_device
from spinhw.gradients import DeviceWatch, HardwareInLoop, NetworkRefit, NetworkWatch, WatchSettings
from spinhw.gradients.device_watch import DriftAlarm
from spinhw.gradients.neuron_chart import Shift
from spinhw.gradients.verdict import Hypotheses
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.streams import torch_stream
from spinhw.surrogate import CoupledRefit, Oscillators, TriedFit

G_HZ = 1e7
MEASURED = 0.01  # Standard error of a resonance, in half-linewidths.
RF = {"frequency": "2 GHz", "spacing": "160 MHz", "half_linewidth": "10 MHz", "tuning_span": "80 MHz"}
CHIP = {
    "synapses": {"takes": "tunings", "limit": 4.0, "rf": {**RF, "frequency_spread": 0.003}},
    "spread": {"gamma": 0.2, "sigma": 0.2, "q": 0.2},
    "power_readout": {"noise": 0.01},
    "drift": {"chains_per_1000_shots": 1.0, "individual_per_1000_shots": 1e-9},
}


class Watched:
    """A network of known resonators in the loop, whose chains drift by shots and whose neurons change when told."""

    def __init__(self, action: str = "log") -> None:
        ask = {"layers": [8, 6], "outputs": 3, "inputs": 1, "weight_scale": 2.8, "gain": 2.0}
        dense = {f"density_{kind}": 1.0 for kind in ("input", "inter", "intra")}
        settings = build(NetworkSettings, {**ask, **dense, "synapses": {"kind": "resonators"}}, "net")
        self.network = SpintronicNetwork(settings, seed=[0])
        device = open_device({"kind": "simulated", "id": "rf", "chip": CHIP}, self.network)
        assert isinstance(device, SimulatedDevice)
        self.device, draw = device, torch_stream("measured")
        known = {}
        for name, chain in device.true_resonators().items():
            missed = MEASURED * torch.randn(chain.resonance_hz.shape, generator=draw, dtype=torch.float64)
            known[name] = replace(chain, resonance_hz=chain.resonance_hz + G_HZ * missed)
        self.network.use_resonators(known, keep_weights=True)
        refits = [NetworkRefit(self.model(0.98), images=24)]
        asked, about = WatchSettings(every=1, learn=6, action=action), device.describe()
        self.watch = DeviceWatch(
            [NetworkWatch(self.model(1.0), asked, 1, chains=True)], about, self.network, asked, refits
        )
        self.loop = HardwareInLoop(self.network, device, refit=refits, watch=self.watch)
        self.batches = 0

    def model(self, forgetting: float) -> CoupledRefit:
        known = self.network.resonators()
        sure = {name: torch.full(one.resonance_hz.shape[1:], MEASURED * G_HZ).double() for name, one in known.items()}
        start = Oscillators.nominal(self.network.settings.neurons(torch.float64))
        return CoupledRefit(start, forgetting=forgetting, errors_hz=sure)

    @torch.no_grad()
    def go(self, batches: int) -> None:
        for _ in range(batches):
            draw = torch_stream("watched chains", self.batches)
            self.loop(4 * torch.rand(1, 60, 32, 1, generator=draw) - 1.2)
            self.batches += 1

    def warm_up(self, shots: int) -> dict[str, torch.Tensor]:
        """Let chains drift as in so many shots; return by how many half-linewidths, (destination,) by name."""
        before = self.device.true_resonators()
        state = self.device.state()
        self.device.restore(state | {"shots": state["shots"] + shots})
        after = self.device.true_resonators()
        return {name: ((after[name].resonance_hz - one.resonance_hz) / G_HZ)[0, :, 0] for name, one in before.items()}

    def shift_gamma(self, neuron: int, by: float) -> None:
        state = self.device.state()
        state["walk"][0][0][neuron] += by
        self.device.restore(state)

    def gamma_off(self) -> torch.Tensor:
        """By how much the model's gamma of each neuron is off."""
        walk = torch.as_tensor(self.device.state()["walk"])[0, 0]
        return (self.loop.neurons.gamma[0] / (true_neurons(self.device).gamma[0] * walk.exp()) - 1).abs()


@pytest.fixture(scope="module")
def run() -> Iterator[Watched]:
    one = Watched()
    with one.device:
        one.go(8)
        yield one


def blamed(alarm: DriftAlarm) -> set[str]:
    return {"chain" if name.startswith("chain ") else "neuron" for name in alarm.parameters}


def test_neurons_and_chains_that_drift_are_told_apart(run: Watched) -> None:
    assert len(run.watch.alarms) <= 1  # One in five seeds, by a tenth of the limit.
    changed = {1, 3, 6, 9, 11}
    for neuron in changed:
        run.shift_gamma(neuron, 0.1)
    run.go(1)
    first = [one for one in run.watch.alarms if one.neuron in changed]
    assert len(first) > 2
    assert sum(blamed(one) == {"neuron"} for one in first) > 0.7 * len(first)
    gamma = torch.tensor([one.parameters.get("gamma", 0.0) for one in first])
    assert float(gamma.median()) == pytest.approx(0.1, abs=0.03)

    moved = run.warm_up(200)
    run.go(1)
    fresh = [one for one in run.watch.alarms if one.batch == run.batches]
    assert len(fresh) > 2
    assert sum("chain" in blamed(one) for one in fresh) > 0.7 * len(fresh)
    off = [
        abs(value - float(moved[name.split()[1]][int(name.split("[")[1][:-1])]))
        for one in fresh
        for name, value in one.parameters.items()
        if name.startswith("chain ")
    ]
    assert float(torch.tensor(off).median()) < 0.15  # 0.05 in one of five seeds.
    assert any("half-linewidths" in str(one) for one in fresh)


def test_a_refit_on_alarm_mends_chains_and_leaves_neurons() -> None:
    one = Watched("refit")
    with one.device:
        one.go(9)  # The refit has just looked at the eighth.
        before = one.gamma_off()
        moved = one.warm_up(200)
        one.go(2)
        after, trace = one.gamma_off(), one.loop.trace
        found, true = one.network.resonators(), one.device.true_resonators()
    assert trace is not None and float((after - before).abs().median()) < 0.01
    assert one.loop.refits is not None
    shifts = one.loop.refits.each[0].shifts_hz()
    off, were = [], []
    for name, shift in shifts.items():
        apart = found[name].resonance_hz[0] + shift - true[name].resonance_hz[0]
        off.append(apart.mean(1).abs() / G_HZ)
        were.append(moved[name].abs())
    assert float(torch.cat(off).median()) < 0.4 * float(torch.cat(were).median())


def test_a_watch_of_chains_goes_on_from_its_state(run: Watched) -> None:
    other = Watched()
    with other.device:
        other.go(1)  # Lists its synapses.
        other.network.load_state_dict(run.network.state_dict())
        other.device.restore(run.device.state())
        other.loop.restore(run.loop.state(), run.loop.tensors())
        other.batches = run.batches
        for one in (run, other):
            one.warm_up(100)
            one.go(1)
    assert run.watch.alarms and run.watch.state() == other.watch.state()


def tried(squares: float, gamma: float = 0.0, chain: float = 0.0) -> TriedFit:
    return TriedFit(
        torch.tensor([[gamma, 0.1 * gamma, 0.0]]),
        torch.tensor([[chain, 0.0]]),
        torch.tensor([squares]),
        torch.tensor([1000.0]),
    )


@pytest.mark.parametrize(
    ("neurons", "chains", "parameters", "instead"),
    [
        (1.01, 1.6, {"gamma": 0.1}, {}),
        (1.6, 1.01, {"w_ext": 0.3}, {}),
        (1.02, 1.01, {"w_ext": 0.3}, {"gamma": 0.1}),
        (1.5, 1.6, {"gamma": 0.2, "w_ext": 0.1}, {}),
    ],
)
def test_what_explains_most_is_named_and_what_does_as_well_too(neurons, chains, parameters, instead) -> None:
    fits = Hypotheses(tried(2.0), tried(neurons, gamma=0.1), tried(chains, chain=0.3), tried(1.0, 0.2, 0.1))
    found = fits.verdict(0, Shift(7, 100.0, 50.0, {"q": 1.0}))
    assert (found.neuron, found.score) == (7, 100.0)
    assert found.parameters == pytest.approx(parameters) and found.instead == pytest.approx(instead)
