"""A bench whose synapse controller tunes resonators, through the real VISA stack."""

import pytest
import torch
import yaml

from spinhw import HardwareInLoop, NetworkSettings, SpintronicNetwork, open_device
from spinhw.config import build, shipped
from spinhw.device import load_device
from spinhw.errors import ConfigError, LimitError

SIZES = {"layers": [3, 3, 2], "outputs": 2, "inputs": 1}


def network(**more) -> SpintronicNetwork:
    design = {**SIZES, "synapses": {"kind": "resonators"}, **more}
    return SpintronicNetwork(build(NetworkSettings, design, "net"), seed=0)


def test_a_bench_is_told_tunings_and_does_what_the_network_does():
    net = network()
    with open_device("rf-bench-virtual", net) as device:
        about = device.describe()
        assert about.takes_tunings and about.kinds["bias.0"] == "bias"
        assert about.limits["tuning"].lowest == -2.0 and about.limits["tuning"].highest == 2.0
        told = {name: value.detach() for name, value in net.programmed().items()}
        applied = device.program(told, net.masks())
        assert max(float((applied[name] - told[name]).abs().max()) for name in about.parameters) < 1e-3
        u = torch.rand(3, 12, 1, generator=torch.Generator().manual_seed(0)) * 2 - 0.5
        trace = device.run(u)
        run = net.run(u)
        assert trace.power is not None
        # A spread of 5 % of the oscillators, and resonances off by half a percent of w_max.
        assert (trace.power.values - run.power[0]).abs().max() < 0.15
        with pytest.raises(LimitError, match="tuning w_int.0.*-2 to 2 V"):
            device.program(told | {"w_int.0": told["w_int.0"] + 1.5})
        HardwareInLoop(net, device)(u).square().sum().backward()
    gradient, mask = net.w_int[0].grad, net.mask("w_int.0")
    assert gradient is not None
    assert (gradient[mask] != 0).all() and (gradient[~mask] == 0).all()


def test_y_on_a_wire_and_another_ladder_are_refused_in_one_line(tmp_path):
    plain = yaml.safe_load((shipped("devices") / "rf-bench-virtual.yaml").read_text(encoding="utf-8"))
    plain["wiring"]["observed"] = "filtered"
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")
    with pytest.raises(ConfigError, match="y of a neuron is on no wire") as refused:
        load_device(tmp_path / "bench.yaml")
    assert "\n" not in str(refused.value)
    with pytest.raises(ConfigError, match="weight_limit 3.0.*weight_limit 4.0"):
        open_device("rf-bench-virtual", network(weight_limit=3.0))
    with pytest.raises(ConfigError, match="takes weights here"):
        open_device("bench-virtual", network())
