"""Gradients without a model on devices that take tunings: perturbed in what is trained, within what is read back."""

import pytest
import torch

from spinhw import HardwareInLoop, NetworkSettings, SpintronicNetwork, open_device
from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.gradients import Choices, Perturbed
from spinhw.tasks import Batch, Classes
from spinhw.training.alignment import OwnSlopes, Reference, cosine, loop_gradients

RF = {"frequency": "2 GHz", "spacing": "160 MHz", "half_linewidth": "10 MHz", "tuning_span": "80 MHz"}


def network(**more) -> SpintronicNetwork:
    ask = {"layers": [3, 2], "outputs": 3, "inputs": 1, "readout_samples": 2, "weight_scale": 3.0, **more}
    return SpintronicNetwork(build(NetworkSettings, {**ask, "synapses": {"kind": "resonators"}}, "net"), seed=[0, 1])


def profile(rf: dict | None = None, **synapses) -> dict:
    ask = {"takes": "tunings", "limit": 4.0, "rf": RF | (rf or {}), **synapses}
    return {"kind": "simulated", "id": "rf", "chip": {"synapses": ask, "spread": {"gamma": 0.2, "sigma": 0.2}}}


def played() -> torch.Tensor:
    return 4 * torch.rand(2, 3, 6, 1, generator=torch.Generator().manual_seed(0)) - 1.2


def labelled() -> Batch:
    return Batch(played(), Classes(torch.arange(3).expand(2, -1)))


def gradients(net: SpintronicNetwork, device, mode: str, **choices) -> dict[str, torch.Tensor]:
    loop = HardwareInLoop(net, device, mode, choices=Choices(**choices))
    return loop_gradients(loop, labelled(), 0.0)


def test_finite_differences_of_tunings_are_the_true_gradient_of_what_is_trained() -> None:
    """By the chain rule through tunings that are off, and told in their own units."""
    net = network()
    with open_device(profile({"frequency_spread": 0.003}), net) as device:
        net.use_resonators(device.true_resonators(), keep_weights=True)
        truth = gradients(net, device, "oracle")
        found = gradients(net, device, "finite_difference", perturbation=0.02)
    for name, expected in truth.items():
        torch.testing.assert_close(found[name], expected, rtol=0.03, atol=0.03 * float(expected.abs().max()))


def test_a_step_that_bits_make_larger_counts_as_it_was_read_back() -> None:
    """12 bits are steps of 0.031 in units of weight: a move of 0.02 either way becomes one of 0.016 or 0.031."""
    net = network()
    with open_device(profile(bits=12), net) as device:
        truth = gradients(net, device, "oracle")
        found = gradients(net, device, "finite_difference", perturbation=0.02)
    off, size = (
        torch.cat([value.flatten() for value in one.values()]).abs().max()
        for one in ({name: found[name] - truth[name] for name in truth}, truth)
    )
    assert float(off / size) < 0.2


def test_a_perturbation_that_bits_round_away_is_refused() -> None:
    net = network()
    with (
        open_device(profile(bits=7), net) as device,
        pytest.raises(ConfigError, match=r"rounds perturbed tunings back.*seen: 0.05.*raise it to 0") as refused,
    ):
        gradients(net, device, "spsa")
    assert "\n" not in str(refused.value)


def test_spsa_on_tunings_comes_near_the_true_gradient() -> None:
    net = network()
    with open_device(profile(), net) as device:
        truth = gradients(net, device, "oracle")
        cosines = [
            float(cosine(gradients(net, device, "spsa", perturbation=0.01, directions=count), truth).min())
            for count in (2, 80)
        ]
    assert cosines[1] > max(0.75, cosines[0])


def test_tunings_stay_on_their_branch_and_what_cannot_move_is_left_alone() -> None:
    net = network()
    with open_device(profile({"frequency_spread": 0.003}, stuck_fraction=0.4), net) as device:
        known = device.true_resonators()
        net.use_resonators(known, keep_weights=True)
        centre = Perturbed.around(net, net.tuned(), 0.3)
        drawn = {name: torch.where(centre.free[name], 1.0, 0.0) for name in net.tuned()}
        for sign in (1.0, -1.0):
            told = centre.told(drawn, sign)
            device.program(told, net.member_masks())  # Within the limits.
            for name, chain in known.items():
                assert not (centre.free[name] & (chain.tuning_span_hz == 0)).any()
                at = chain.resonance_hz + chain.tuning_span_hz * told[name].double()
                tones = 2e9 + 160e6 * torch.arange(at.shape[-1])
                assert (((at - tones).abs() <= 1.001e7) | ~centre.free[name]).all()
        assert any((~centre.free[name]).any() for name in net.tuned())


def test_slopes_of_a_bench_of_tunings_give_the_cosine_with_the_truth() -> None:
    net = network()
    with open_device(profile(bits=12), net) as device:
        loop = HardwareInLoop(net, device, "output", choices=Choices(perturbation=0.05))
        modelled = loop_gradients(loop, labelled(), 0.0)
        truth = loop_gradients(Reference(loop, 0.0).loop, labelled(), 0.0)
        slopes = OwnSlopes(loop, labelled(), ("test",), 60, 0.0)
    # From 60 directions it scatters by 0.13.
    torch.testing.assert_close(slopes.cosine(modelled), cosine(modelled, truth), rtol=0, atol=0.35)
    against = slopes.cosine({name: -value for name, value in modelled.items()})
    assert (against < 0).all()
