"""Whole networks against an ODE solver: equations 1, 4 and 5 with Q and sigma, and 6 to 8, written a second time."""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from spinhw import NetworkSettings, SpintronicNetwork
from spinhw.config import read_yaml, shipped
from spinhw.rollout import Engine, Neurons, Rollout, Steps

# Some steps are longer than a network should be trained with: how far they are off is what is asked here.
pytestmark = pytest.mark.filterwarnings("ignore:steps of")

F64 = torch.float64
Numbers = Mapping[str, np.ndarray]
INTERVAL_S, TIMES, MEMBERS, BATCH, READ = 1e-9, 6, 2, 3, 3
PER_NEURON = ("gamma", "sigma", "q", "cutoff_hz", "gain")
# Lowest and highest factor of what a nominal neuron has; Q itself, which is 0 there.
RANGES = {"gamma": (0.4, 2.5), "sigma": (0.4, 2.5), "q": (-0.9, 0.9), "cutoff_hz": (0.8, 1.25), "gain": (0.8, 1.25)}

NONE = {"kind": "none"}
# As far as the drives of -65 to 70 gamma that a network has learnt by the paper's own protocol.
FAR = {"tau_s": 14.12e-9, "saturation": NONE, "initial_state": "half", "weight_scale": 10.0}
SOFTWARE = {"kind": "ctrnn", "tau_s": 3e-9, "saturation": NONE, "weight_scale": 1.5}
CASES = {
    "bounded": {"weight_scale": 3.0},
    "bounded, half": {"weight_scale": 3.0, "initial_state": "half"},
    "unbounded": {"weight_scale": 3.0, "saturation": NONE},
    "unbounded, far": FAR,
    "software": SOFTWARE,
    "software, half": SOFTWARE | {"initial_state": "half"},
}
OSCILLATORS = tuple(name for name in CASES if "software" not in name)
# Largest errors of x and y by two midpoint steps per nanosecond, which networks are trained with, and by sixteen: three
# times the largest over eight seeds. Drives of 100 gamma are beyond two steps: 0.05 to 0.5.
LARGEST = {
    "bounded": (0.02, 3e-4),
    "bounded, half": (0.02, 3e-4),
    "unbounded": (0.04, 6e-4),
    "unbounded, far": (math.inf, 0.05),
    "software": (0.5, 0.01),
    "software, half": (0.5, 0.01),
}
SUBSTEPS = (8, 16, 32)
# Orders fitted to these steps are off by 0.05 at most over eight seeds, but for one gradient of first order (0.23);
# with drives of 100 gamma, which these steps hardly resolve, by 0.16 in values and by 0.29 in gradients.
CLOSE = 0.4


def made(case: str, members: int = MEMBERS, **settings: object) -> SpintronicNetwork:
    """Make an ensemble of small networks whose neurons all differ, in double precision."""
    sizes = {"inputs": 2, "layers": (4, 3, 5), "outputs": 3, "readout_samples": READ, "weight_limit": None}
    dense = {"density_input": 1.0, "density_inter": 0.8, "density_intra": 0.8}
    design = NetworkSettings(**(sizes | dense | CASES[case] | settings))
    network = SpintronicNetwork(design, seed=range(members)).to(F64)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for bias in (*network.bias, network.b_out):
            bias.copy_(torch.randn(bias.shape, generator=generator, dtype=F64))
    network.use_neurons(spread(network.neurons(), members))
    return network


def spread(nominal: Neurons, members: int) -> Neurons:
    """Spread neurons over the whole of every range, each member's in another order."""
    generator, size = torch.Generator().manual_seed(9), nominal.gamma.shape[1]

    def values(name: str) -> torch.Tensor:
        steps = torch.linspace(*RANGES[name], size, dtype=F64)
        factors = torch.stack([steps[torch.randperm(size, generator=generator)] for _ in range(members)])
        return factors if name == "q" else factors * getattr(nominal, name)

    return replace(nominal, **{name: values(name) for name in PER_NEURON})


def signals(members: int = MEMBERS) -> torch.Tensor:
    uniform = torch.rand(members, BATCH, TIMES, 2, generator=torch.Generator().manual_seed(3), dtype=F64)
    return 4 * (uniform - 0.3)


def numbers_of(network: SpintronicNetwork) -> dict[str, np.ndarray]:
    """Every number of a network by name, the member axis in front."""
    found = {name: value.detach() for name, value in network.member_values().items()}
    found |= {name: getattr(network.neurons(), name) for name in PER_NEURON}
    return {name: value.numpy() for name, value in found.items()}


def exact(settings: NetworkSettings, numbers: Numbers, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integrate networks side by side; x and y at the ends of sample intervals, (member, batch, time, neuron)."""
    rate = (software_rate if settings.kind == "ctrnn" else oscillator_rate)(settings, numbers)
    state, states = start(settings, numbers, inputs), []
    for time in range(inputs.shape[2]):

        def flat(
            _: float, now: np.ndarray, u: np.ndarray = inputs[:, :, time], like: tuple = state.shape
        ) -> np.ndarray:
            return INTERVAL_S * rate(now.reshape(like), u).ravel()

        found = solve_ivp(flat, (0.0, 1.0), state.ravel(), "DOP853", rtol=1e-10, atol=1e-10)
        assert found.success
        state = found.y[:, -1].reshape(state.shape)
        states.append(state)
    whole = np.stack(states, axis=3)
    return (whole[0], np.tanh(whole[0])) if settings.kind == "ctrnn" else (np.exp(whole[0]), whole[1])


def start(settings: NetworkSettings, numbers: Numbers, inputs: np.ndarray) -> np.ndarray:
    """The state before the first sample: x of software neurons, (1, ...), ln x and y of oscillators, (2, ...)."""
    kind = np.result_type(*numbers.values())
    shape, half = (*inputs.shape[:2], sum(settings.layers)), settings.initial_state == "half"
    if settings.kind == "ctrnn":
        return np.full((1, *shape), 0.5 if half else 0.0, kind)
    gamma, sigma, q = (numbers[name][:, None] for name in ("gamma", "sigma", "q"))
    pumped = sigma * 2 / settings.tau_s
    oscillates = pumped > gamma
    above = (pumped - gamma) / np.where(oscillates, pumped + gamma * q, 1.0)
    rest = np.where(oscillates & (above > 1e-6), above, 1e-6)
    return np.stack([np.broadcast_to(np.log(0.5 if half else rest), shape), np.zeros(shape)]).astype(kind)


def synaptic_drive(settings: NetworkSettings, numbers: Numbers, y: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Equations 4 and 7 without the fixed bias, in 1/s."""
    before, sums, begin = u, [], 0
    for layer, size in enumerate(settings.layers):
        own = y[..., begin : begin + size]
        begin += size
        total = before @ numbers[f"w_ext.{layer}"].swapaxes(1, 2) + own @ numbers[f"w_int.{layer}"].swapaxes(1, 2)
        sums.append(total + numbers[f"bias.{layer}"][:, None])
        before = own
    return settings.drive_rate_per_s * numbers["gain"][:, None] * np.concatenate(sums, axis=-1)


def oscillator_rate(settings: NetworkSettings, numbers: Numbers) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Equations 1, 4 and 5 without the factor 2: of ln x, for x itself loses its digits far below threshold."""
    gamma, sigma, q = (numbers[name][:, None] for name in ("gamma", "sigma", "q"))
    omega, nominal = 2 * math.pi * numbers["cutoff_hz"][:, None], 1 / settings.tau_s

    def rate(state: np.ndarray, u: np.ndarray) -> np.ndarray:
        x, y = np.exp(state[0]), state[1]
        drive = synaptic_drive(settings, numbers, y, u) + 2 * nominal
        if settings.saturation.kind == "sigmoid":
            drive = 4 * nominal / (1 + np.exp(2 - drive / nominal))
        by_log = sigma * drive * (1 - x) - gamma * (1 + q * x)
        return np.stack([by_log, x * by_log - omega * y])

    return rate


def software_rate(settings: NetworkSettings, numbers: Numbers) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Equations 6 to 8."""
    return lambda x, u: synaptic_drive(settings, numbers, np.tanh(x[0]), u) - numbers["gamma"][:, None] * x


@functools.cache
def solved(case: str) -> tuple[np.ndarray, np.ndarray]:
    network = made(case)
    return exact(network.settings, numbers_of(network), signals().numpy())


def played(network: SpintronicNetwork, substeps: int, order: int = 2, engine: Engine = "cpu") -> Rollout:
    inputs = signals().to(network.w_out.dtype)
    with torch.no_grad():
        return network.run(inputs, Steps(INTERVAL_S, substeps, order), engine=engine)


def gap(result: Rollout, wanted: tuple[np.ndarray, np.ndarray]) -> float:
    """The largest error of x and y."""
    found = (result.power.numpy(), result.filtered.numpy())
    return max(float(np.abs(one - other).max()) for one, other in zip(found, wanted, strict=True))


def gap_of_logarithms(result: Rollout, power: np.ndarray) -> float:
    return float(np.abs(np.log(result.power.double().numpy() / power)).max())


def fitted_order(errors: list[float]) -> float:
    return -float(np.polyfit(np.log(SUBSTEPS), np.log(errors), 1)[0])


def test_shipped_chips_lie_within_the_ranges() -> None:
    """To four standard deviations: of the logarithm, and of Q, which is drawn again below -0.9."""
    profiles = [read_yaml(path) for path in shipped("devices").rglob("*.yaml")]
    found = [profile["chip"]["spread"] for profile in profiles if "spread" in profile.get("chip", {})]
    assert len(found) >= 4
    for one in found:
        for name, (low, high) in RANGES.items():
            deviation = one.get(name.removesuffix("_hz"), 0.0)
            width = 4 * math.sqrt(math.log1p(deviation**2))
            ends = (-min(4 * deviation, 0.9), 4 * deviation) if name == "q" else (math.exp(-width), math.exp(width))
            assert low <= ends[0] <= ends[1] <= high, (name, deviation)


def test_drives_reach_as_far_as_by_the_papers_protocol() -> None:
    network = made("unbounded, far")
    with torch.no_grad():
        drive = network.run(signals(), Steps(INTERVAL_S, 16), record_drive=True).drive
    assert drive is not None
    over_gamma = drive * network.settings.tau_s
    assert over_gamma.min() < -70
    assert over_gamma.max() > 70


# The other tests take the engine that trains; it is held to the reference where engines are tested.
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("engine", "order"), [("cpu", 1), ("cpu", 2), ("reference", 2)])
def test_networks_converge_to_the_solution(case: str, order: int, engine: Engine) -> None:
    network = made(case)
    errors = [gap(played(network, substeps, order, engine), solved(case)) for substeps in SUBSTEPS]
    assert fitted_order(errors) == pytest.approx(order, abs=CLOSE)


@pytest.mark.parametrize("case", CASES)
def test_errors_by_the_steps_that_networks_are_trained_and_judged_with(case: str) -> None:
    network = made(case)
    for substeps, largest in zip((2, 16), LARGEST[case], strict=True):
        assert gap(played(network, substeps), solved(case)) < largest


@pytest.mark.parametrize("case", CASES)
def test_single_precision_adds_less_than_any_step(case: str) -> None:
    """Rounding grows with drives and steps: 1e-5 at most over six seeds."""
    for substeps in (2, 16):
        wanted = played(made(case), substeps)
        found = played(made(case).to(torch.float32), substeps)
        assert gap(found, (wanted.power.numpy(), wanted.filtered.numpy())) < 4e-5


@pytest.mark.parametrize("case", ["bounded", "unbounded", "unbounded, far"])
def test_far_below_threshold_the_logarithm_of_a_power_is_right(case: str) -> None:
    network = made(case)
    with torch.no_grad():
        for bias in network.bias:
            bias.sub_(5.0)
    power, _ = exact(network.settings, numbers_of(network), signals().numpy())
    assert power.min() < (1e-7 if network.settings.saturation.kind == "sigmoid" else 1e-12)
    errors = [gap_of_logarithms(played(network, substeps), power) for substeps in SUBSTEPS]
    assert fitted_order(errors) == pytest.approx(2, abs=CLOSE)
    if power.min() > 1e3 * torch.finfo(torch.float32).tiny:  # Below, single precision has no digits, and then no power.
        assert gap_of_logarithms(played(network.to(torch.float32), SUBSTEPS[-1]), power) < errors[-1] + 1e-3


@pytest.mark.parametrize("case", CASES)
def test_a_held_drive_is_exact_by_any_step(case: str) -> None:
    """One layer without synapses of its own: its drive changes from sample to sample only."""
    network = made(case, layers=(24,), density_intra=0.0)
    if case in OSCILLATORS:
        with_defects(network)
    power, filtered = exact(network.settings, numbers_of(network), signals().numpy())
    once = played(network, 1, order=1)
    for substeps, order in ((1, 2), (7, 1), (7, 2)):
        assert torch.allclose(played(network, substeps, order).power, once.power, rtol=1e-11, atol=0)
    if case not in OSCILLATORS:
        assert gap(once, (power, filtered)) < 1e-8
        return
    assert gap_of_logarithms(once, power) < 1e-7
    # The filter takes the power as linear over a step, so y is of order two, whatever the order of the drive.
    errors = [gap(played(network, each, order=1), (power, filtered)) for each in SUBSTEPS]
    assert fitted_order(errors) == pytest.approx(2, abs=CLOSE)


def with_defects(network: SpintronicNetwork) -> None:
    """Put a dead oscillator, without pumping, and a stuck one, without damping too, among those of a network."""
    gamma, sigma = (getattr(network.neurons(), name).clone() for name in ("gamma", "sigma"))
    gamma[:, 1] = sigma[:, :2] = 0.0
    network.use_neurons(replace(network.neurons(), gamma=gamma, sigma=sigma))


# What is trained, and what a calibration finds.
LEARNT = ("w_ext.0", "w_ext.1", "w_int.0", "w_int.2", "bias.1")


def directions(network: SpintronicNetwork) -> dict[str, torch.Tensor]:
    """A direction for each parameter, of its own size; absent synapses stay absent."""
    generator, numbers, masks = torch.Generator().manual_seed(7), numbers_of(network), network.member_masks()
    found = {}
    for name in LEARNT + (("gamma", "gain") if network.settings.kind == "ctrnn" else PER_NEURON):
        normals = torch.randn(numbers[name].shape, generator=generator, dtype=F64)
        found[name] = np.abs(numbers[name]).mean() * normals * masks.get(name, 1.0)
    return found


@functools.cache
def exact_slopes(case: str) -> np.ndarray:
    """Derivatives of the outputs' sum along each direction, of the solution itself.

    By complex steps: f(p + ih) = f(p) + ih f'(p) + O(h^2), without a difference that loses digits.
    """
    network, small = made(case, members=1), 1e-30
    moves, given = directions(network), numbers_of(network)
    copies = [given | {name: given[name] + 1j * small * move.numpy()} for name, move in moves.items()]
    together = {name: np.concatenate([copy[name] for copy in copies]) for name in given}
    y = exact(network.settings, together, np.repeat(signals(1).numpy(), len(copies), axis=0))[1]
    last = network.settings.out_gain * y[:, :, -READ:, -network.settings.layers[-1] :].mean(2)
    outputs = last @ together["w_out"].swapaxes(1, 2) + together["b_out"][:, None]  # (copy, batch, output)
    return (outputs * np.arange(1, 4)).sum((1, 2)).imag / small


def slopes(case: str, substeps: int, order: int) -> np.ndarray:
    """The same by the adjoint of the CPU engine."""
    network = made(case, members=1)
    along, neurons = directions(network), network.neurons()
    leaves = {name: getattr(neurons, name).clone().requires_grad_() for name in along if name in PER_NEURON}
    values = {name: value.detach().requires_grad_() for name, value in network.member_values().items()}
    changed, steps = replace(neurons, **leaves), Steps(INTERVAL_S, substeps, order)
    result = network.run(signals(1), steps, values=values, neurons=changed, engine="cpu")
    outputs = network.read_out(result.filtered)[:, :, 0]  # (1, batch, output)
    (outputs * torch.arange(1, 4)).sum().backward()
    return np.array([float(((values | leaves)[name].grad * move).sum()) for name, move in along.items()])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("order", [1, 2])
def test_gradients_converge_to_those_of_the_solution(case: str, order: int) -> None:
    wanted = exact_slopes(case)
    errors = [np.linalg.norm(slopes(case, substeps, order) - wanted) for substeps in SUBSTEPS]
    assert fitted_order(errors) == pytest.approx(order, abs=CLOSE)
    if order == 2:
        assert np.linalg.norm(slopes(case, 128, 2) - wanted) < 1e-3 * np.linalg.norm(wanted)
