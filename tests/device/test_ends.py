"""Each sequence ends at its own end: what is handed in for later is neither played, used nor learned from."""

import pytest
import torch

from spinhw.config import build
from spinhw.device import MultiplexedSettings, Quality, Recorder, SimulatedSettings, load_device, open_device
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.streams import torch_stream

INTERVAL_S = 1e-9
NETWORK = NetworkSettings(layers=(4, 3), outputs=2, readout_samples=2, weight_scale=2.0)
LENGTHS = torch.tensor([3, 8, 5, 2])
CHIP = {"kind": "simulated", "seed": 3, "chip": {"spread": {"gamma": 0.2}, "power_readout": {"noise": 0.01}}}


def played(after: float) -> torch.Tensor:
    """Inputs of a batch, with something after each end."""
    inputs = torch.rand(4, 8, 1, generator=torch_stream("inputs with ends")) * 4 - 1.2
    return inputs.masked_fill((torch.arange(8) >= LENGTHS[:, None])[..., None], after)


def measured(settings, after, recorder=None):
    with open_device(settings, NETWORK, INTERVAL_S, members=1) as device:
        if recorder is not None:
            device.record_with(recorder)
        device.program(SpintronicNetwork(NETWORK, seed=0).values())
        return device.run(played(after), lengths=LENGTHS), device


def assert_the_same(one, other):
    for name, signal in one.signals().items():
        theirs = other.signals()[name]
        assert torch.equal(signal.quality, theirs.quality)
        assert torch.equal(torch.nan_to_num(signal.values), torch.nan_to_num(theirs.values))


@pytest.mark.parametrize("kind", ["simulated", "multiplexed"])
def test_what_follows_an_end_is_not_played_and_nobody_uses_what_is_measured_there(kind):
    settings = {
        "simulated": lambda: build(SimulatedSettings, CHIP, "device.yaml"),
        "multiplexed": lambda: build(MultiplexedSettings, {"kind": "multiplexed", "bank": CHIP, "passes": 1}, "a.yaml"),
    }[kind]()
    (one, device), (other, twin) = measured(settings, 0.5), measured(settings, 1e6)
    assert_the_same(one, other)
    after = torch.arange(8) >= LENGTHS[:, None]
    assert bool((one.power.quality[after] == Quality.UNOBSERVED).all()) and bool(one.power.good[~after].all())
    if kind == "multiplexed":  # How well the model did there is nobody's concern either.
        assert device.last.changes == twin.last.changes


def test_a_recording_is_played_again_whatever_follows_the_ends(tmp_path):
    wanted, _ = measured(build(SimulatedSettings, CHIP, "device.yaml"), 0.5, Recorder(tmp_path / "kept"))
    again, _ = measured(load_device(str(tmp_path / "kept" / "device.yaml")), 7.0)
    assert_the_same(wanted, again)
