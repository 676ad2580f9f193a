import pytest
import torch

from spinhw.config import build
from spinhw.device import SimulatedDevice, SimulatedSettings, VerifyPlan, open_device, program_chip_and_verify
from spinhw.errors import ConfigError
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.physics import Chain

SPREAD, SCATTER, NOISE = 0.003, 0.01, 0.02
CHIP = {
    "kind": "simulated",
    "chip": {
        "synapses": {
            "takes": "tunings",
            "limit": 4.0,
            "repeatability": SCATTER,
            "rf": {"spacing": "160 MHz", "tuning_span": "80 MHz", "frequency_spread": SPREAD},
        },
        "output_readout": {"noise": NOISE},
    },
}
NETWORK = {"layers": [8], "readout": "hardware", "weight_limit": 4.0, "synapses": {"kind": "resonators"}}


def chips(members: int = 2, bits: int | None = None) -> SimulatedDevice:
    synapses = CHIP["chip"]["synapses"] | {"bits": bits}
    profile = CHIP | {"chip": CHIP["chip"] | {"synapses": synapses}}
    device = open_device(
        build(SimulatedSettings, profile, "chip"), build(NetworkSettings, NETWORK, "network"), 1e-9, range(members)
    )
    assert isinstance(device, SimulatedDevice)
    return device


def networks(known: dict[str, Chain] | None, members: int = 2) -> SpintronicNetwork:
    network = SpintronicNetwork(build(NetworkSettings, NETWORK, "network"), seed=range(members))
    network.use_resonators(known, keep_weights=True)
    return network


def roughly(true: dict[str, Chain], error: float = 0.05) -> dict[str, Chain]:
    """Know every resonance to a share of the half-linewidth, each off to the other side than the one before."""
    return {
        name: Chain(
            one.resonance_hz + error * one.half_linewidth_hz * torch.where(torch.arange(one.count) % 2 == 0, 1, -1),
            one.half_linewidth_hz,
            one.max_weight,
            one.tuning_span_hz,
        )
        for name, one in true.items()
    }


def off(device: SimulatedDevice, network: SpintronicNetwork, wanted: dict[str, torch.Tensor]) -> torch.Tensor:
    """Program, and say by how much the weights that act are off, of resonators that exist, over the largest one."""
    masks = network.member_masks()
    device.program({name: one.detach() for name, one in network.member_programmed().items()}, masks)
    found = [(device.truth.acting[name] - wanted[name])[masks[name]] for name in sorted(masks)]
    return torch.cat(found) / 4.0


def test_chips_that_were_programmed_by_measuring_do_what_was_wanted_of_them() -> None:
    with chips() as device:
        network = networks(roughly(device.true_resonators()))
        wanted = {name: one.detach() for name, one in network.member_values().items()}
        believed = off(device, network, wanted)
        done = program_chip_and_verify(device, network)
        measured = off(device, done.network, wanted)
        # A resonance that is off by 0.05 half-linewidths is a weight off by 0.1 of the largest at the steepest place.
        assert believed.square().mean().sqrt() > 0.05
        # What is left is the tolerance, one scatter, and the noise of readings, a quarter of it.
        assert measured.square().mean().sqrt() < 1.5 * SCATTER
        assert bool((done.right > 0.95).all())
        # The chip keeps what it was written with, however often it is told the same.
        assert torch.equal(off(device, done.network, wanted), measured)


def test_tunings_too_coarse_to_be_right_are_not_made_worse() -> None:
    with chips(bits=6) as device:
        network = networks(device.true_resonators())
        wanted = {name: one.detach() for name, one in network.member_values().items()}
        believed = off(device, network, wanted).square().mean().sqrt()
        done = program_chip_and_verify(device, network)
        # A step is 0.26 half-linewidths, or 0.15 of the largest weight where it is steepest.
        assert off(device, done.network, wanted).square().mean().sqrt() < 1.05 * believed


def test_every_reading_is_counted_and_chains_that_are_done_are_not_read_again() -> None:
    with chips() as device:
        network = networks(device.true_resonators())
        synapses = sum(int(mask[0].sum()) for mask in network.member_masks().values()) + network.w_out[0].numel()
        once = program_chip_and_verify(device, network, VerifyPlan(rounds=1))
        plan = VerifyPlan(rounds=8)
        often = program_chip_and_verify(device, network, plan)
    assert once.rounds == 1
    each = int(once.readings[0]) // synapses
    assert int(once.readings[0]) == each * synapses
    assert synapses * each < int(often.readings.max()) < plan.rounds * synapses * each


def test_each_of_several_chips_is_programmed_as_it_would_be_alone() -> None:
    found = []
    for members in (1, 2):
        with chips(members) as device:
            network = networks(roughly(device.true_resonators()), members)
            found.append(program_chip_and_verify(device, network).network.member_programmed()["w_int.0"][0])
    assert torch.allclose(found[0], found[1], atol=1e-5)


def test_resonators_that_nobody_knows_cannot_be_verified() -> None:
    with chips() as device, pytest.raises(ConfigError, match="does not know the resonators"):
        program_chip_and_verify(device, networks(None))
