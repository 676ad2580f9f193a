"""Channels that stay bad while a network trains are found, named once, and left to the model."""

import logging
from dataclasses import replace

import pytest
import torch

from fakes.loops import NOISE, SPREAD, Stop, batch, make
from fakes.runs import tiny
from spinhw.device import Quality, Signal, SimulatedDevice, Trace, load_device, open_device
from spinhw.gradients import ChannelMask, Expected, HardwareInLoop, NetworkRefit, end_signal
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.surrogate import CoupledRefit, Oscillators
from spinhw.training import Interrupted, resume, train
from spinhw.training.checkpoint import load_checkpoint

CHIP = SPREAD | NOISE
NEURON, OUTPUT = 6, 2


@pytest.fixture(scope="module")
def lively():
    """The neuron and the output that by the model move most on both chips.

    Of a channel that is to stand still nobody can tell that it is stuck.
    """
    network, _ = make(CHIP, 2, weight_scale=12.0)
    with torch.no_grad():
        run = network.run(batch())
        outputs = network(batch()).std(1).amin(0)  # (output,)
    neurons = run.power.std((1, 2)).amin(0)  # (neuron,)
    return int(neurons.argmax()), int(outputs.argmax())


def spoil(signal, number, how):
    """Break one channel of a measured signal for good."""
    values, quality = signal.values.clone(), signal.quality.clone()
    if how == "lost":
        quality[..., number] = Quality.MISSING
        values[..., number] = float("nan")
    else:
        values[..., number] = 0.37
    return replace(signal, values=values, quality=quality)


def broken(how="stuck", neuron=NEURON, output=OUTPUT, after=0):
    """A device's `run` one neuron and one output of which break after some batches."""
    run, batches = SimulatedDevice.run, []

    def wrapped(self, *args, **kwargs):
        trace = run(self, *args, **kwargs)
        batches.append(trace)
        if len(batches) <= after:
            return trace
        found = {"outputs": spoil(trace.outputs, output, how)}
        for name in ("power", "power0"):
            if getattr(trace, name) is not None:
                found[name] = spoil(getattr(trace, name), neuron, how)
        return replace(trace, **found)

    return wrapped


def judged(spoilt=lambda trace: trace, count=3, members=2, **options):
    """Look at some batches of a network in the loop; its weights are large enough for every neuron to move."""
    network, device = make(CHIP, members, **({"weight_scale": 12.0} | options))
    loop = HardwareInLoop(network, device, "layerwise", mask=ChannelMask(device, network))
    run = device.run
    device.run = lambda *args, **kwargs: spoilt(run(*args, **kwargs))
    traces = []
    with device:
        for _ in range(count):
            loop(batch())
            traces.append(loop.trace)
    return loop.mask, traces


def test_nothing_is_masked_where_nothing_is_broken():
    watch, traces = judged(count=4)
    assert watch.masked == ()
    # A neuron near its threshold may stand still in a batch, and is then left out of it.
    assert all(float(trace.power.good.double().mean()) > 0.9 for trace in traces)


@pytest.mark.parametrize("how, why", [("lost", "100% of its samples are bad"), ("stuck", "reads a constant 0.37")])
def test_channel_that_stays_bad_is_masked_and_named_once(caplog, lively, how, why):
    neuron, output = lively
    layer = sum(neuron >= first for first in (5, 9))
    place = f"(layer {layer}, number {neuron - (0, 5, 9)[layer]})"

    def both(trace):
        return replace(trace, power=spoil(trace.power, neuron, how), outputs=spoil(trace.outputs, output, how))

    with caplog.at_level(logging.WARNING):
        watch, traces = judged(both, 5)
    names = {str(one) for one in watch.masked}
    assert names == {
        f"chip-{chip}: {name}: {why}" for chip in (0, 1) for name in (f"neuron {neuron} {place}", f"output {output}")
    }
    assert sum("is masked" in record.message for record in caplog.records) == 4
    for trace in traces:
        power = trace.power.quality == Quality.FAULTY
        assert bool(power[..., neuron].all())
        # A neuron near its threshold may stand still in a batch, and is then left out of it too.
        assert float(power.double().mean()) < 2 / 12
        assert bool((trace.power0.quality[..., neuron] == Quality.FAULTY).all())
        assert bool((trace.outputs.quality[..., output] == Quality.FAULTY).all())


def test_a_fault_that_passes_masks_nothing_and_a_masked_channel_stays_masked(lively):
    turns = iter([True, True, False, True, True, True, False])

    def sometimes(trace):
        return replace(trace, power=spoil(trace.power, lively[0], "stuck")) if next(turns) else trace

    watch, traces = judged(sometimes, 7)
    good = [bool(trace.power.good[..., lively[0]].all()) for trace in traces]
    assert good == [False, False, True, False, False, False, False]
    assert len(watch.masked) == 2  # One on each chip.


def test_members_on_one_chip_share_its_channels():
    watch, _ = judged(lambda trace: replace(trace, outputs=spoil(trace.outputs, OUTPUT, "stuck")), members=1)
    assert [(one.chip, one.kind, one.number) for one in watch.masked] == [(0, "output", OUTPUT)]


def test_neuron_without_power_may_be_below_its_threshold_and_is_left_to_the_refit():
    def silent(trace):
        values = torch.where(
            torch.arange(12) == NEURON, 0.005 * (trace.power.values - trace.power.values.mean()), trace.power.values
        )
        return replace(trace, power=replace(trace.power, values=values))

    watch, traces = judged(silent, 4)
    assert watch.masked == ()
    assert bool(traces[-1].power.good[..., NEURON].all())


def test_channel_that_is_quiet_by_right_is_left_alone():
    """A network so weak that its outputs drown in the noise."""
    watch, traces = judged(count=4, weight_scale=0.3)
    assert float(traces[-1].outputs.values.std(1).max()) < 0.02
    assert watch.masked == ()


def test_model_stands_in_for_a_masked_output_and_no_refit_sees_a_masked_neuron(mocker):
    network, device = make(CHIP, 2, weight_scale=12.0)
    refits = [NetworkRefit(CoupledRefit(Oscillators.nominal(network.settings.neurons()), 0.0)) for _ in range(2)]
    loop = HardwareInLoop(network, device, refit=refits, mask=ChannelMask(device, network))
    mocker.patch.object(SimulatedDevice, "run", broken("lost"))
    with device:
        for _ in range(4):
            logits = loop(batch())
    alone = HardwareInLoop(network, None, "surrogate", loop.neurons)(batch())
    measured = end_signal(loop.trace, network).values[:, :, 0] * network.settings.out_gain
    torch.testing.assert_close(logits[..., OUTPUT], alone[..., OUTPUT], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(logits[..., 0] - network.b_out[:, None, 0], measured[..., 0])
    nominal, known = network.neurons(), loop.neurons
    assert torch.equal(known.gamma[:, NEURON].float(), nominal.gamma[:, NEURON].expand(2).float())
    others = [number for number in range(12) if number != NEURON]
    assert bool((known.gamma[:, others] != nominal.gamma[:, others]).all())


def test_run_with_a_permanent_fault_goes_on_tells_of_it_and_resumes_to_the_same_bits(tmp_path, mocker):
    mocker.patch.object(SimulatedDevice, "run", broken("lost", neuron=1, output=4, after=4))
    results = train(tiny(refit={"when": "never"}), tmp_path / "whole")
    named = ["spread-3: output 4", "spread-5: output 4"]  # Nothing asked for the neurons.
    assert results.metrics[1]["masked_channels"] == []
    assert all(any(one.startswith(name) for one in results.metrics[2]["masked_channels"]) for name in named)
    assert results.summary["masked_channels"] == results.metrics[2]["masked_channels"]
    # The first epoch on the device takes four batches and none after it; the third bad one is that of (2, 3).
    mocker.stopall()
    mocker.patch.object(SimulatedDevice, "run", broken("lost", neuron=1, output=4, after=4))
    with pytest.raises(Interrupted):
        train(tiny(refit={"when": "never"}), tmp_path / "run", Stop((2, 2)))
    mocker.stopall()
    mocker.patch.object(SimulatedDevice, "run", broken("lost", neuron=1, output=4))
    assert resume(tmp_path / "run").summary["masked_channels"] == results.summary["masked_channels"]
    one, other = (load_checkpoint(tmp_path / name / "checkpoint.safetensors")[0] for name in ("whole", "run"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_channel_of_a_bench_is_named_with_what_it_hangs_on():
    settings = NetworkSettings()
    device = open_device(load_device("bench-virtual"), settings, 1e-9)
    watch = ChannelMask(device, SpintronicNetwork(settings), patience=1)
    still, shape = torch.full((1, 3, 64, 96), 0.37), (1, 3, 64, 96)
    power = Signal(still, torch.zeros(shape, dtype=torch.uint8), torch.arange(64.0), 0.01)
    moving = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * (torch.arange(96) == 41)
    watch.judge(Trace(("bench",), 1, (0, 1), power=power), lambda: Expected(moving, moving, moving[:, :, 0]))
    [found] = watch.masked
    wire = device.describe().wires["neuron"][41]
    assert "." in wire
    assert found.name == f"{device.describe().name}: neuron 41 (layer 1, number 9; {wire})"
