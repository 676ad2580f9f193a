"""Simulated devices and banks, the contract, and the shipped profiles."""

import json

import pytest
import torch
import yaml
from pydantic import BaseModel

from fakes.device import FakeDevice
from spinhw.config import build, find_profile, profile_names, read_yaml
from spinhw.device import (
    ObservationPlan,
    Quality,
    SimulatedSettings,
    device_schema,
    load_device,
    open_bank,
    open_device,
    open_synapses,
)
from spinhw.device.contract import Verdict, check_bank, check_device, check_synapses
from spinhw.device.network_promises import probe_inputs, probe_parameters
from spinhw.device.profiles import settings_for
from spinhw.errors import ConfigError, LimitError
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.streams import torch_stream

INTERVAL_S = 1e-9
SMALL = NetworkSettings(layers=(4, 3), outputs=2)


def settings_of(**parts) -> SimulatedSettings:
    return build(SimulatedSettings, {"kind": "simulated", **parts}, "test")


def network_of(settings: NetworkSettings = SMALL, seed=0) -> SpintronicNetwork:
    return SpintronicNetwork(settings, Steps(INTERVAL_S, substeps=16), seed=seed)


def inputs_of(*axes: int) -> torch.Tensor:
    return torch.rand(*axes, 6, 1, generator=torch_stream("test inputs")) * 4 - 1.2


# Those that stand for a bench are tested in test_visa_device.py.
SIMULATED = [name for name in profile_names() if settings_for(read_yaml(find_profile(name)), name) is SimulatedSettings]


def failed(verdicts: list[Verdict]) -> list[Verdict]:
    return [verdict for verdict in verdicts if not verdict.passed]


@pytest.mark.parametrize("name", SIMULATED)
@pytest.mark.parametrize("members", [1, 2])
def test_shipped_profiles_keep_the_device_contract(name, members):
    settings = load_device(name)
    verdicts = check_device(lambda: open_device(settings, SMALL, INTERVAL_S, members))
    assert len(verdicts) >= 10
    assert not failed(verdicts)


@pytest.mark.parametrize("name", SIMULATED)
def test_shipped_profiles_keep_the_bank_contracts(name):
    settings = load_device(name)
    assert not failed(check_bank(lambda: open_bank(settings, SMALL, INTERVAL_S)))
    assert not failed(check_synapses(lambda: open_synapses(settings)))


def test_contract_finds_a_device_that_breaks_it():
    verdicts = check_device(lambda: FakeDevice(left_on=["bias current"]))
    names = {verdict.name for verdict in failed(verdicts)}
    assert "is safe after an error" in names
    assert all("bias current" in verdict.detail for verdict in failed(verdicts))


def test_ideal_device_gives_the_logits_of_the_network():
    network, inputs = network_of(seed=[0, 1]), inputs_of(2, 3)
    with open_device(load_device("ideal"), SMALL, INTERVAL_S, 2) as device:
        applied = device.program(network.values())
        trace = device.run(inputs)
    logits = SMALL.out_gain * trace.outputs.values + applied["b_out"][:, None, None]
    torch.testing.assert_close(network.as_called(logits), network(inputs).detach(), rtol=1e-4, atol=1e-5)


def test_software_readout_gives_no_outputs_and_keeps_its_weights():
    settings = SMALL.model_copy(update={"readout": "software"})
    network, inputs = network_of(settings), inputs_of(3)
    with open_device(load_device("ideal"), settings, INTERVAL_S) as device:
        device.program(network.values())
        trace = device.run(inputs)
        assert device.describe().outputs == 0
    assert trace.outputs is None
    assert set(trace.applied) == {"w_ext.0", "w_ext.1", "w_int.0", "w_int.1", "bias.0", "bias.1"}
    logits = network.as_called(network.read_out(trace.filtered.values[None]))
    torch.testing.assert_close(logits, network(inputs), rtol=1e-4, atol=1e-5)


def test_a_member_is_the_chip_of_its_number_whoever_stands_beside_it():
    network, inputs, settings = network_of(seed=[0, 1]), inputs_of(2, 3), load_device("imperfect-chip")
    with open_device(settings, SMALL, INTERVAL_S, members=(4, 7)) as pair:
        pair.program(network.values())
        both = pair.run(inputs)
    with open_device(settings, SMALL, INTERVAL_S, members=(7,)) as single:
        single.program({name: value[1] for name, value in network.values().items()})
        alone = single.run(inputs[1])
    assert both.device_ids == ("chip-4", "chip-7")
    torch.testing.assert_close(both.power.values[1], alone.power.values)
    torch.testing.assert_close(both.outputs.values[1], alone.outputs.values)


def test_parameters_and_inputs_may_be_shared_by_all_members():
    with open_device(load_device("imperfect-chip"), SMALL, INTERVAL_S, 3) as device:
        applied = device.program(network_of().values())
        trace = device.run(inputs_of(2))
    assert applied["w_int.0"].shape == (3, 4, 4)
    assert trace.power.values.shape == (3, 2, 6, 7)
    assert not torch.allclose(trace.power.values[0], trace.power.values[1])


def test_members_must_differ():
    with pytest.raises(ConfigError, match="members: a chip stands there twice"):
        open_device(load_device("ideal"), SMALL, INTERVAL_S, members=(1, 1))


def test_partial_observation_takes_repeats():
    settings = load_device("lab-noise")
    with open_device(settings, SMALL, INTERVAL_S) as device:
        device.program(probe_parameters(device.describe()))
        trace = device.run(probe_inputs(device.describe())[0])
        assert trace.shots == (0, 2)  # seven neurons over four channels
        assert trace.power.share(Quality.UNOBSERVED) == 0
        with pytest.raises(ValueError, match="4 at a time"):
            device.run(probe_inputs(device.describe())[0], observe=ObservationPlan.split(7))


def test_clipped_samples_are_flagged():
    readout = {"adc": {"bits": 8, "lowest": 0.495, "highest": 0.505}}
    with open_device(settings_of(chip={"power_readout": readout}), SMALL, INTERVAL_S) as device:
        device.program(network_of().values())
        trace = device.run(inputs_of(3))
    assert 0 < trace.power.share(Quality.CLIPPED) < 1
    assert float(trace.power.values.max()) <= 0.505 + 1e-6
    assert bool((trace.power.values[~trace.power.good] - 0.5).abs().min() > 0.0049)


def test_noise_level_is_told_and_true():
    settings = settings_of(chip={"power_readout": {"noise": 0.02}}, conversion={"power": "100 mV"})
    with open_device(settings, SMALL, INTERVAL_S) as device:
        device.program(network_of().values())
        truth = device.oracle({name: value[None] for name, value in network_of().values().items()}, inputs_of(1, 50))
        trace = device.run(inputs_of(1, 50), averages=4)
    assert trace.power.noise == pytest.approx(0.01)
    assert float((trace.power.values - truth.rollout.power.detach()).std()) == pytest.approx(0.01, rel=0.1)


def test_conversion_changes_nothing_but_the_last_digits():
    network, inputs = network_of(), inputs_of(3)
    volts = {"input": "37 mV", "weight": "0.7 V", "bias": "3 V", "power": "90 mV", "output": "1 mV"}
    outputs = []
    for conversion in ({}, volts):
        with open_device(settings_of(conversion=conversion), SMALL, INTERVAL_S) as device:
            device.program(network.values())
            outputs.append(device.run(inputs).outputs.values)
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-6)


def test_state_survives_json_and_a_new_process_would_go_on_to_the_same_bits():
    network, inputs, settings = network_of(), inputs_of(3), load_device("lab-noise")
    with open_device(settings, SMALL, INTERVAL_S) as device:
        device.program(network.values())
        device.run(inputs)
        kept = json.dumps(device.state())
        device.program(network.values())
        first = device.run(inputs)
    with open_device(settings, SMALL, INTERVAL_S) as fresh:
        fresh.restore(json.loads(kept))
        fresh.program(network.values())
        second = fresh.run(inputs)
    assert torch.equal(first.power.values, second.power.values)
    assert torch.equal(first.outputs.values, second.outputs.values)


def test_oracle_gives_a_gradient_to_every_parameter():
    network = network_of(seed=[0, 1])
    with open_device(load_device("imperfect-chip"), SMALL, INTERVAL_S, 2) as device:
        truth = device.oracle(network.values(), inputs_of(2, 3))
    truth.outputs.square().sum().backward()
    gradients = {name: value.grad for name, value in network.named_parameters()}
    assert gradients.pop("b_out") is None
    assert all(gradient is not None and float(gradient.abs().max()) > 0 for gradient in gradients.values())


def test_bank_plays_the_oscillators_of_the_device():
    settings = settings_of(chip={"spread": {"gamma": 0.3, "sigma": 0.1}})
    silent = {name: torch.zeros_like(value) for name, value in network_of().values().items()}
    bias = SMALL.neurons().bias_drive.expand(2, 6, 7)
    with open_device(settings, SMALL, INTERVAL_S) as device, open_bank(settings, SMALL, INTERVAL_S) as bank:
        device.program(silent)
        torch.testing.assert_close(bank.play(bias).power.values, device.run(inputs_of(2)).power.values)


def test_bank_tells_the_drive_as_played():
    drive_dac = {"bits": 4, "lowest": 0.0, "highest": 4.0}
    with open_bank(settings_of(chip={"drive_dac": drive_dac}), SMALL, INTERVAL_S, oscillators=1) as bank:
        gamma = 1 / SMALL.tau_s
        asked = torch.linspace(0, 4 * gamma, 6)[None, :, None]
        trace = bank.play(asked)
        with pytest.raises(LimitError, match="drive channel 0.*allowed: 0 to 0.02 A"):
            bank.play(asked * 1.1)
    levels = trace.drive_applied.values / gamma * 15 / 4
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert float((trace.drive_applied.values - asked).abs().max()) <= 2 / 15 * gamma * 1.001


def test_a_resonator_peaks_half_a_linewidth_off_its_resonance():
    settings = settings_of(chip={"synapses": {"limit": 4.0}})
    with open_synapses(settings, resonators=1) as bank:
        tones = 2e9 + torch.linspace(-50e6, 50e6, 101, dtype=torch.float64)
        signal = bank.measure(torch.zeros(101, 1), tones, torch.ones(101))
        shifted = bank.measure(torch.full((101, 1), 0.5), tones, torch.ones(101))
    assert float(tones[signal.values.argmax()]) == pytest.approx(2.01e9)
    assert float(signal.values.max()) == pytest.approx(4.0)
    assert float(tones[shifted.values.argmax()]) == pytest.approx(2.02e9)


def test_synapse_bank_refuses_wrong_shapes():
    with open_synapses(load_device("ideal"), resonators=2) as bank:
        with pytest.raises(ValueError, match=r"wanted \(n, 2\)"):
            bank.measure(torch.zeros(3, 1), torch.full((3,), 1e9), torch.ones(3))
        with pytest.raises(ValueError, match="above zero"):
            bank.measure(torch.zeros(3, 2), torch.zeros(3), torch.ones(3))


@pytest.mark.parametrize("name", SIMULATED)
def test_shipped_profiles_load_and_survive_yaml(name):
    settings = load_device(name)
    assert build(SimulatedSettings, yaml.safe_load(settings.to_yaml()), "again") == settings


def test_profiles_of_unknown_kind_or_key_are_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("kind: simulatd\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine.yaml: kind.*did you mean 'simulated'"):
        load_device(str(path))
    path.write_text("id: mine\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="kind: simulated"):
        load_device(str(path))
    path.write_text("kind: simulated\nchip: {thermal: 1}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine.yaml: chip.*did you mean 'thermal_power'"):
        load_device(str(path))
    with pytest.raises(ConfigError, match="imperfect-chip"):
        load_device("imperfect")


def test_profiles_take_overrides():
    assert load_device("ideal", ["chip.thermal_power=1.0e-3"]).chip.thermal_power == 1e-3


def described(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            described(field.annotation)


def test_every_field_is_described():
    described(SimulatedSettings)
    assert "chip" in device_schema()["$defs"]["SimulatedSettings"]["properties"]
