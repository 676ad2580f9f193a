"""Networks whose synapses are resonators: tunings in, dense weights out, gradients through."""

import math

import numpy as np
import pytest
import torch

from spinhw import NetworkSettings, SpintronicNetwork
from spinhw.config import build
from spinhw.energy import EnergySettings, ledger
from spinhw.errors import ConfigError
from spinhw.network import ResonatorSynapses
from spinhw.physics import Chain, Ladder
from spinhw.rollout import Steps

F64 = torch.float64
SIZES = {"layers": [4, 3], "outputs": 2, "inputs": 2, "readout_samples": 2}
EVERYTHING = {
    "angle_rad": 0.2,
    "loss_db": 0.3,
    "curve": {"kind": "parabola", "bend": 0.2},
    "spacing": "6 half-linewidths",
}


def settings(synapses: dict | None = None, **network) -> NetworkSettings:
    return build(NetworkSettings, {**SIZES, "synapses": {"kind": "resonators", **(synapses or {})}, **network}, "net")


def made(synapses: dict | None = None, seed: int | list[int] = 1, **network) -> SpintronicNetwork:
    return SpintronicNetwork(settings(synapses, **network), seed=seed)


def plain(network: SpintronicNetwork) -> SpintronicNetwork:
    """Make the network of weights with the same seed."""
    design = network.settings.model_copy(update={"synapses": NetworkSettings().synapses})
    return SpintronicNetwork(design, seed=network.seed)


def test_spacing_and_span_are_counted_in_half_linewidths_or_hertz() -> None:
    wide = settings({"half_linewidth": "20 MHz"}).synapses
    assert isinstance(wide, ResonatorSynapses)
    assert (wide.spacing_hz, wide.span_hz) == (320e6, 160e6)
    named = settings({"half_linewidth": "5 MHz", "spacing": "4 half-linewidths", "span": "12 MHz"}).synapses
    assert isinstance(named, ResonatorSynapses)
    assert (named.spacing_hz, named.span_hz) == (20e6, 12e6)
    again = ResonatorSynapses(**named.model_dump())
    assert again == named


@pytest.mark.parametrize("options", [{}, EVERYTHING, {"crosstalk": False}])
def test_initial_tunings_are_those_of_the_initial_weights(options: dict) -> None:
    """Each resonator by itself has the weight that the network of weights begins with; the same seed, the same mask."""
    network = made(options).double()
    chains, weights = network.chains, plain(network)
    assert chains is not None
    for name in network.tuned():
        mask = network.masks().get(name, torch.ones_like(weights.values()[name], dtype=torch.bool))
        assert torch.equal(mask, weights.masks().get(name, mask))
        apart = chains.__class__(chains.settings.model_copy(update={"crosstalk": False}), chains.max_weight)
        own = apart.weights(network.programmed()[name], mask)
        assert (own - weights.values()[name]).abs().max() < 1e-5
        assert torch.equal(network.programmed()[name] != 0, mask)


def test_parameters_keep_names_counts_and_state() -> None:
    network = made(seed=[3, 4])
    assert set(dict(network.named_parameters())) == set(dict(plain(network).named_parameters()))
    assert network.synapse_count == plain(network).synapse_count
    assert SpintronicNetwork(build(NetworkSettings, {"synapses": {"kind": "resonators"}}, "net")).synapse_count == 2896
    assert network.tuned() == {"w_ext.0", "w_ext.1", "w_int.0", "w_int.1", "w_out"}
    assert "w_out" not in made(readout="software").tuned()
    other, u = made(seed=[5, 6]), torch.rand(2, 5, 7, 2)
    other.load_state_dict(network.state_dict())
    assert torch.equal(network(u), other(u))
    assert torch.equal(made(seed=4)(u[1]), network(u)[1])


def test_effective_weights_are_the_sum_over_all_pairs_of_tones_and_resonators() -> None:
    """Every option at once, in plain loops that know nothing of the code, to 1e-12 of w_max."""
    network = made(EVERYTHING).double()
    synapses = network.settings.synapses
    assert isinstance(synapses, ResonatorSynapses)
    found, tunings = network.values(), network.programmed()
    for name in ("w_ext.1", "w_int.0"):
        rows, mask = tunings[name].detach().numpy(), network.mask(name).numpy()
        wanted, limit = np.zeros(rows.shape), 4.0
        for j in range(rows.shape[0]):
            passed = 0
            for k in range(rows.shape[1]):
                if not mask[j, k]:
                    continue
                t, size = rows[j, k], (-1) ** k * limit * 10 ** (-0.03 * passed)
                z_k = (synapses.spacing_hz * k + synapses.span_hz * (t + 0.2 * t * t)) / synapses.half_linewidth_hz
                for i in range(rows.shape[1]):
                    d = synapses.spacing_hz * i / synapses.half_linewidth_hz - z_k
                    wanted[j, i] += size * 2 * (d * math.cos(0.2) + math.sin(0.2)) / (d * d + 1)
                passed += 1
        assert np.abs(found[name].detach().numpy() - wanted).max() < 1e-12 * limit
        assert (found[name][~network.mask(name).any(1)] == 0).all()


@pytest.mark.parametrize("options", [{}, EVERYTHING])
def test_gradients_reach_the_tunings_through_the_whole_network(options: dict) -> None:
    network = made(options, seed=2).double()
    network.steps = Steps(1e-9, substeps=1)
    u = torch.rand(2, 4, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    names = [name for name, _ in network.named_parameters()]
    values = [value.detach().clone().requires_grad_() for value in network.parameters()]

    def answers(*given: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(network, dict(zip(names, given, strict=True)), (u,))

    assert torch.autograd.gradcheck(answers, values, atol=1e-6, fast_mode=True)
    network(u).square().sum().backward()
    for name, mask in network.masks().items():
        gradient = network.get_parameter(name).grad
        assert gradient is not None
        assert (gradient[~mask] == 0).all() and (gradient[mask] != 0).any()


def test_projection_keeps_tunings_on_the_inner_branch_and_reaches_its_ends() -> None:
    network = made({"span": "20 half-linewidths"}, seed=[0, 1])
    with torch.no_grad():
        for value in network.parameters():
            value.mul_(1000.0)
    network.limit_weights_()
    chains = network.chains
    assert chains is not None
    largest = max(value.abs().max().item() for name, value in network.programmed().items() if name in network.tuned())
    assert largest == pytest.approx(1 / 20)
    own = chains.__class__(chains.settings.model_copy(update={"crosstalk": False}), 4.0)
    mask = network.mask("w_int.0")
    assert own.weights(network.programmed()["w_int.0"], mask).abs().max().item() == pytest.approx(4.0)
    assert network.bias[0].abs().max() <= 4.0
    before = network.w_int[0].detach().clone()
    network.limit_weights_()
    assert torch.equal(before, network.w_int[0])


def test_far_apart_the_network_is_that_of_weights() -> None:
    network = made({"half_linewidth": "1 kHz", "spacing": "1 GHz"}, seed=7)
    u = torch.randn(6, 9, 2, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(network(u), plain(network)(u), atol=2e-4)
    assert torch.allclose(made({"crosstalk": False}, seed=7)(u), plain(network)(u), atol=1e-4)


def test_inputs_may_ride_on_a_carrier_whose_constant_folds_into_the_bias() -> None:
    """W u + b = W (u - u_min) + (b + u_min W 1): power is never negative, and the chain sees u - u_min."""
    network, lowest = made(seed=3).double(), -1.5
    u = torch.rand(4, 6, 2, dtype=F64) * 3 + lowest
    values = network.member_values()
    carried = values | {"bias.0": values["bias.0"] + lowest * values["w_ext.0"].sum(-1)}
    power = u - lowest
    assert power.min() >= 0
    assert torch.allclose(network.run(u).power, network.run(power, values=carried).power, rtol=1e-10)


def test_a_chain_is_translated_with_its_crosstalk() -> None:
    network = made({"spacing": "16 half-linewidths"}, layers=[16, 16], seed=5)
    chains = network.chains
    assert chains is not None
    mask = network.mask("w_int.0")
    wanted = (torch.rand(16, 16, generator=torch.Generator().manual_seed(3), dtype=F64) * 2 - 1) * 2.5 * mask
    alone, solved = (chains.weights(of(wanted, mask), mask) for of in (chains.alone, chains.translated))
    assert ((alone - wanted) * mask).abs().max() > 0.3
    assert ((solved - wanted) * mask).abs().max() < 1e-9
    assert chains.translated(wanted.float(), mask).dtype == torch.float32


def test_tuning_power_is_a_line_of_its_own() -> None:
    without = ledger(EnergySettings(), 96, 2896, 64e-9)
    free, held = (ledger(EnergySettings(tuning_power_w=watts), 96, 2896, 64e-9, tuned=2896) for watts in (0.0, 1e-6))
    assert [line.part for line in without.lines if line.form == "power"] == ["neurons", "synapses"]
    line = next(line for line in free.lines if line.part == "tunings")
    assert line.energy_j == 0.0
    assert "not counted" in line.source
    assert free.scaled_per_inference_j == without.scaled_per_inference_j
    assert held.scaled_per_inference_j - without.scaled_per_inference_j == pytest.approx(2896 * 1e-6 * 64e-9)
    assert held.per_inference_j == without.per_inference_j


@pytest.mark.parametrize(
    ("synapses", "network", "says"),
    [
        ({"spacing": "0 Hz"}, {}, "synapses.*spacing"),
        ({"spacing": "1 parsec"}, {}, "spacing"),
        ({"span": "0.5 half-linewidths"}, {}, "span: no tuning reaches the largest weight.*5 MHz.*10 MHz"),
        ({"span": "10.5 MHz", "angle_rad": 0.3}, {}, "span: no tuning reaches the largest weight"),
        ({"curve": {"kind": "saturation", "strength": 5}, "span": "3 half-linewidths"}, {}, "no tuning reaches"),
        ({}, {"layers": [4, 200]}, "the tones of layer 2, 200 of them, leave the band.*33.84 GHz.*20 GHz.*113"),
        ({"spacing": "10 GHz"}, {}, "layer 1.*leave the band"),
        ({}, {"weight_limit": None}, "weight_limit is the largest weight of a resonator"),
        ({}, {"kind": "ctrnn", "saturation": {"kind": "none"}}, "ctrnn.*pure software"),
        ({"loss_db": 5.0}, {}, "cannot have every initial weight"),
        ({"linewidth": 3}, {}, "unknown key 'linewidth'"),
    ],
)
def test_what_no_chain_can_do_is_refused_in_one_line(synapses: dict, network: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        settings(synapses, **network)
    assert "\n" not in str(refused.value)


def test_a_spread_of_corners_is_refused() -> None:
    network = made()
    neurons = network.neurons()
    network.use_neurons(neurons)
    with pytest.raises(ConfigError, match="the high-pass stands behind the chains"):
        network.use_neurons(neurons.mapped(lambda one: one * torch.linspace(1, 1.1, 7)))


def known_of(network: SpintronicNetwork, seed: int = 3, members: int = 1) -> dict[str, Chain]:
    """Draw resonators that are others than designed: a dead one and one that is stuck in the first row of each."""
    generator, known = torch.Generator().manual_seed(seed), {}
    assert network.chains is not None
    for name in network.tuned():
        shape = (members, *dict(network.named_parameters())[name].shape[-2:])
        ask = network.settings.synapses
        assert isinstance(ask, ResonatorSynapses)

        def around(size: float, shape: tuple[int, ...] = shape) -> torch.Tensor:
            return 1 + size * torch.randn(shape, generator=generator, dtype=F64)

        tones = ask.first_tone_hz + ask.spacing_hz * torch.arange(shape[-1], dtype=F64)
        signs = 1.0 - 2.0 * (torch.arange(shape[-1]) % 2)
        chain = Chain(
            tones + ask.half_linewidth_hz * around(1.0),
            ask.half_linewidth_hz * around(0.1),
            network.chains.max_weight * signs * around(0.1),
            ask.span_hz * around(0.05),
        )
        chain.max_weight[:, 0, 0] = 0.0
        if shape[-1] > 1:
            chain.tuning_span_hz[:, 0, 1] = 0.0
        known[name] = chain
    return known


def test_known_resonators_make_the_weights_that_their_numbers_say() -> None:
    """Against the sum over all pairs, in numpy loops."""
    network = made(seed=[1, 2]).double()
    known, tunings, masks = known_of(network, members=2), network.member_programmed(), network.member_masks()
    network.use_resonators(known)
    ask, acting = network.settings.synapses, network.member_values()
    assert isinstance(ask, ResonatorSynapses)
    for name, chain in known.items():
        there = masks.get(name, torch.ones_like(tunings[name], dtype=torch.bool))
        resonance = (chain.resonance_hz + chain.tuning_span_hz * tunings[name]).detach().numpy()
        width, most = chain.half_linewidth_hz.numpy(), chain.max_weight.numpy()
        for place in np.ndindex(*acting[name].shape):
            member, row, source = place
            tone, total = ask.first_tone_hz + source * ask.spacing_hz, 0.0
            for k in range(resonance.shape[-1]):
                d, g = tone - resonance[member, row, k], width[member, row, k]
                total += float(there[member, row, k]) * most[member, row, k] * 2 * g * d / (d * d + g * g)
            # Absolute frequencies of gigahertz leave a microhertz of them.
            assert float(acting[name][place].detach()) == pytest.approx(total, abs=1e-9)


def test_resonators_known_as_designed_change_nothing() -> None:
    network, same = made().double(), made().double()
    ask = network.settings.synapses
    assert isinstance(ask, ResonatorSynapses) and network.chains is not None
    known = {}
    for name in network.tuned():
        shape = dict(network.named_parameters())[name].shape
        chain = Chain.designed(
            Ladder(ask.first_tone_hz, ask.spacing_hz, ask.half_linewidth_hz, ask.span_hz, 1.0), shape[-1]
        )
        signs = 1.0 - 2.0 * (torch.arange(shape[-1]) % 2)
        whole = Chain(
            chain.resonance_hz, chain.half_linewidth_hz, network.chains.max_weight * signs, chain.tuning_span_hz
        )
        known[name] = whole.mapped(lambda one, shape=shape: one.expand(1, *shape))
    same.use_resonators(known)
    for name, value in network.values().items():
        assert torch.allclose(same.values()[name], value, rtol=0, atol=1e-12)
    with torch.no_grad():
        for one in (network, same):
            one.w_int[0].add_(100.0)
            one.limit_weights_()
    assert torch.allclose(same.w_int[0], network.w_int[0], rtol=1e-12)


@pytest.mark.parametrize("options", [{}, {"curve": {"kind": "saturation", "strength": 1.0}}, {"angle_rad": 0.1}])
def test_networks_keep_their_weights_on_other_resonators_as_far_as_these_reach(options: dict) -> None:
    network = made(options).double()
    before, known = network.values(), known_of(network)
    wanted = {name: value.detach() for name, value in before.items()}
    network.use_resonators(known, keep_weights=True)
    for name, chain in known.items():
        works = (chain.max_weight != 0) & (chain.tuning_span_hz != 0)
        works[0] &= network.masks().get(name, torch.ones_like(works[0]))
        off = (network.values()[name].detach() - wanted[name])[works[0]].abs()
        assert float(off.max()) < 1e-6
        assert float(network.programmed()[name].detach().abs().max()) <= 1.0


def test_tunings_stay_on_the_inner_branch_of_the_known_resonance() -> None:
    network = made().double()
    known = known_of(network)
    network.use_resonators(known)
    ask = network.settings.synapses
    assert isinstance(ask, ResonatorSynapses)
    for sign in (1, -1):
        with torch.no_grad():
            for name in network.tuned():
                dict(network.named_parameters())[name].add_(sign * 1e3)
        network.limit_weights_()
        for name, chain in known.items():
            tones = ask.first_tone_hz + ask.spacing_hz * torch.arange(chain.count, dtype=F64)
            tuning = network.programmed()[name].detach()
            detuning = tones - chain.resonance_hz[0] - chain.tuning_span_hz[0] * tuning
            present = network.masks().get(name, torch.ones_like(tuning, dtype=torch.bool))
            moves = present & (chain.tuning_span_hz[0] != 0)
            assert float((detuning.abs() / chain.half_linewidth_hz[0])[moves].max()) <= 1 + 1e-9
            assert float(tuning.abs()[present & ~moves].sum()) == 0.0


def test_gradients_flow_to_tunings_of_known_resonators() -> None:
    network = made().double()
    known = known_of(network)
    chains = network.chains
    assert chains is not None
    tunings, present = network.programmed()["w_int.0"].detach(), network.mask("w_int.0")
    here = chains.with_known(known["w_int.0"])
    assert torch.autograd.gradcheck(lambda t: here.weights(t, present), tunings.requires_grad_(True), atol=1e-4)


def test_resonators_of_another_network_are_refused() -> None:
    network = made()
    known = known_of(network)
    with pytest.raises(ConfigError, match="other chains are known than the network has"):
        network.use_resonators({name: one for name, one in known.items() if name != "w_out"})
    with pytest.raises(ConfigError, match=r"resonance_hz of w_ext.1 has another shape"):
        network.use_resonators(known | {"w_ext.1": known["w_ext.1"].mapped(lambda one: one[:, :2])})
