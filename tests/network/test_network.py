"""Topology, masks, counts, the network module, tasks and the energy ledger."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinhw import NetworkSettings, SpintronicNetwork
from spinhw.config import build
from spinhw.energy import EnergySettings, ledger, software_ledger
from spinhw.errors import ConfigError
from spinhw.rollout import Steps
from spinhw.streams import torch_stream
from spinhw.tasks import DigitsSettings, as_sequence, split
from spinhw.topology import Topology, draw_mask, draw_masks, mask_count

SMALL = NetworkSettings(layers=(4, 3), outputs=2, inputs=1)


@given(rows=st.integers(1, 40), columns=st.integers(1, 40), density=st.floats(0, 1))
def test_masks_have_the_exact_count(rows: int, columns: int, density: float) -> None:
    mask = draw_mask((rows, columns), density, torch_stream("test", rows, columns))
    assert int(mask.sum()) == mask_count((rows, columns), density) == round(density * rows * columns)


def test_masks_are_uniform_over_places() -> None:
    total = sum(draw_mask((8, 8), 0.5, torch_stream("test", seed)).double() for seed in range(2000))
    # Each place is taken with probability 1/2: the counts lie within five standard deviations of 1000.
    assert (total - 1000).abs().max() < 5 * (2000 * 0.25) ** 0.5


def test_the_papers_network_has_2896_synapses_and_96_neurons() -> None:
    network = SpintronicNetwork(NetworkSettings(), seed=0)
    assert (network.neuron_count, network.synapse_count) == (96, 2896)
    assert network.settings.topology().synapses() == 16 + 2 * 512 + 3 * 512 + 320
    assert SpintronicNetwork(NetworkSettings(), seed=[4, 5, 6]).synapse_count == 2896


def test_synapses_of_a_software_read_out_are_not_hardware() -> None:
    network = SpintronicNetwork(NetworkSettings(readout="software"), seed=0)
    assert network.synapse_count == 2896 - 320 == network.settings.topology().synapses(readout_in_hardware=False)


def test_shapes_by_name() -> None:
    topology = Topology(2, (4, 3), 5, 1.0, 0.5, 0.25)
    assert topology.masked_shapes() == {"w_ext.0": (4, 2), "w_ext.1": (3, 4), "w_int.0": (4, 4), "w_int.1": (3, 3)}
    counts = {name: int(mask.sum()) for name, mask in draw_masks(topology, torch_stream("test")).items()}
    assert counts == {"w_ext.0": 8, "w_ext.1": 6, "w_int.0": 4, "w_int.1": 2}
    assert topology.slices() == [slice(0, 4), slice(4, 7)]


def test_parameters_by_name_and_state_dict_round_trip() -> None:
    network = SpintronicNetwork(SMALL, seed=1)
    names = {"w_ext.0", "w_ext.1", "w_int.0", "w_int.1", "bias.0", "bias.1", "w_out", "b_out"}
    assert set(dict(network.named_parameters())) == names == set(network.values())
    other = SpintronicNetwork(SMALL, seed=2)
    other.load_state_dict(network.state_dict())
    u = torch.rand(5, 7, 1)
    assert torch.equal(network(u), other(u))


def test_masks_that_are_replaced_take_effect_at_once() -> None:
    network, other = SpintronicNetwork(SMALL, seed=1), SpintronicNetwork(SMALL, seed=2)
    u = torch.rand(5, 7, 1)
    network(u)
    network.load_state_dict(other.state_dict(), assign=True)
    assert torch.equal(network(u), other(u))
    assert network.to("meta").weights().sparsity.recurrent.is_meta


def test_masks_that_stay_are_put_together_only_once() -> None:
    network = SpintronicNetwork(SMALL, seed=1)
    first = network.weights().sparsity
    assert network.weights().sparsity is first
    with torch.no_grad():
        network.mask("w_int.0").logical_not_()
    assert network.weights().sparsity is not first


def test_same_seed_same_network_and_another_seed_another() -> None:
    one, same, other = (SpintronicNetwork(SMALL, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["w_out"], other["w_out"])


def test_antisymmetric_weights_turn_what_a_layer_has_seen_round() -> None:
    shape = {"layers": (6, 8), "weight_scale": 2.0, "weight_scale_intra": 5.0}
    plain = SpintronicNetwork(NetworkSettings(**shape))
    network = SpintronicNetwork(NetworkSettings(**shape, initial_intra="antisymmetric"))
    for name, size in (("w_int.0", 6), ("w_int.1", 8)):
        weights, mask = network.get_parameter(name).detach(), network.mask(name)
        both = mask & mask.T
        torch.testing.assert_close(weights * both, -(weights * both).T, rtol=0, atol=0)
        assert 2.0 / size**0.5 < weights.abs().max() <= 5.0 / size**0.5 and (weights != 0).sum() > size
    assert all(torch.equal(plain.masks()[name], network.masks()[name]) for name in plain.masks())
    others = [name for name in plain.state_dict() if not name.startswith("w_int")]
    assert all(torch.equal(plain.state_dict()[name], network.state_dict()[name]) for name in others)
    full = SpintronicNetwork(NetworkSettings(**shape, initial_intra="antisymmetric", density_intra=1.0))
    growth = torch.linalg.eigvals(full.get_parameter("w_int.1").detach().double()).real
    assert growth.abs().max() < 1e-6  # Of no mode: they turn.


def test_a_member_of_an_ensemble_is_the_network_of_its_seed() -> None:
    alone, ensemble = SpintronicNetwork(SMALL, seed=7), SpintronicNetwork(SMALL, seed=[3, 7])
    assert all(torch.equal(ensemble.state_dict()[name][1], value) for name, value in alone.state_dict().items())
    u = torch.rand(5, 7, 1)
    assert torch.allclose(ensemble(u.expand(2, -1, -1, -1))[1], alone(u), atol=1e-6)


def test_converts_to_double() -> None:
    network = SpintronicNetwork(SMALL, seed=1).to(torch.float64)
    u = torch.rand(5, 7, 1, dtype=torch.float64)
    assert network(u).dtype == torch.float64
    assert torch.allclose(network(u).float(), SpintronicNetwork(SMALL, seed=1)(u.float()), atol=1e-4)


def test_absent_synapses_get_no_gradient_and_do_not_act() -> None:
    network = SpintronicNetwork(SMALL, seed=1)
    u = torch.rand(5, 7, 1)
    network(u).square().sum().backward()
    before = network(u)
    for name, mask in network.masks().items():
        parameter = network.get_parameter(name)
        assert parameter.grad is not None
        assert (parameter.grad[~mask] == 0).all()
        with torch.no_grad():
            parameter[~mask] = 100.0
    assert torch.equal(network(u), before)


def test_read_out_averages_the_last_samples() -> None:
    network = SpintronicNetwork(NetworkSettings(layers=(4, 3), outputs=2, readout_samples=3, out_gain=2.0), seed=1)
    filtered = torch.rand(1, 5, 7, 7)
    want = 2.0 * filtered[0, :, -3:, 4:].mean(1) @ network.w_out.T + network.b_out
    assert torch.allclose(network.read_out(filtered)[0, :, 0], want)


def test_weight_limit_is_a_projection() -> None:
    network = SpintronicNetwork(NetworkSettings(layers=(4,), weight_limit=0.1), seed=1)
    network.limit_weights_()
    largest = max(parameter.abs().max().item() for parameter in network.parameters())
    assert largest == pytest.approx(0.1)
    free = SpintronicNetwork(NetworkSettings(layers=(4,), weight_limit=None), seed=1)
    before = free.w_out.clone()
    free.limit_weights_()
    assert torch.equal(free.w_out, before)


def test_bounded_drive_stays_between_zero_and_four_gamma() -> None:
    network = SpintronicNetwork(NetworkSettings(layers=(4, 3), weight_scale=50.0, weight_limit=None), seed=1)
    drive = network.run(torch.rand(5, 7, 1), record_drive=True).drive
    assert drive is not None
    assert drive.min() >= 0
    assert drive.max() <= 4 / network.settings.tau_s * (1 + 1e-6)
    assert drive.max() > 3.9 / network.settings.tau_s


def test_the_software_peer_has_no_saturation() -> None:
    with pytest.raises(ConfigError, match=r"kind 'ctrnn' is pure software and has no saturation"):
        build(NetworkSettings, {"kind": "ctrnn"}, "file.yaml")
    peer = SpintronicNetwork(build(NetworkSettings, {"kind": "ctrnn", "saturation": {"kind": "none"}}, "f"), seed=0)
    assert peer(torch.rand(2, 5, 1)).shape == (2, 10)


def test_layers_cannot_be_empty() -> None:
    for layers in ([], [4, 0], [4, 4097]):
        with pytest.raises(ConfigError, match="layers"):
            build(NetworkSettings, {"layers": layers}, "file.yaml")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("tau", "1e300 s", "tau: must be at most 1.0 s"),
        ("tau", "1e-300 s", "tau: must be at least 1e-15 s"),
        ("drive_rate", "1e19 / s", "drive_rate: must be at most 1e\\+18 1/s"),
        ("cutoff", "1e30 Hz", "cutoff: must be at most 1e\\+18 Hz"),
    ],
)
def test_times_and_rates_beyond_single_precision_are_refused(key: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(NetworkSettings, {key: value}, "file.yaml")


def test_decimal_comma_is_named() -> None:
    with pytest.raises(ConfigError, match="decimal point, not a comma"):
        build(NetworkSettings, {"tau": "14,12 ns"}, "file.yaml")


@pytest.mark.parametrize("share", [0.0001, 0.9999])
def test_neither_half_of_the_digits_is_empty(share: float) -> None:
    with pytest.raises(ConfigError, match="train_fraction"):
        build(DigitsSettings, {"train_fraction": share}, "file.yaml")
    assert all(len(split(DigitsSettings(train_fraction=end), 0).train) for end in (0.01, 0.99))


def test_longer_steps_can_be_asked_for() -> None:
    network = SpintronicNetwork(SMALL, seed=1)
    u = torch.rand(2, 7, 1)
    coarse, fine = network.run(u).power, network.run(u, Steps(1e-9, 32)).power
    assert 0 < (coarse - fine).abs().max() < 1e-3


def test_digits_are_split_in_halves_by_seed() -> None:
    halves = split(DigitsSettings(), seed=0)
    assert (len(halves.train), len(halves.test)) == (898, 899)
    assert not torch.equal(halves.train_labels, split(DigitsSettings(), seed=1).train_labels)
    assert torch.equal(halves.train, split(DigitsSettings(), seed=0).train)
    assert halves.train.min() == 0
    assert halves.train.max() == 1


def test_validation_is_taken_out_of_the_training_half() -> None:
    full, held = split(DigitsSettings(), 3), split(DigitsSettings(held_out="validation"), 3)
    assert torch.equal(torch.cat([held.train, held.test]), full.train)
    assert len(held.train) == 718


def test_images_are_read_row_by_row() -> None:
    image = torch.arange(64.0).view(1, 8, 8) / 64
    sequence = as_sequence(image, DigitsSettings(input_offset=0.25, input_scale=2.0))
    assert sequence.shape == (1, 64, 1)
    assert torch.allclose(sequence[0, :, 0], 2 * (torch.arange(64.0) / 64 - 0.25))


def test_energy_of_the_papers_network() -> None:
    account = ledger(EnergySettings(), neurons=96, synapses=2896, duration_s=64e-9)
    assert account.per_inference_j == pytest.approx(38.56e-12, rel=1e-12)
    assert account.scaled_per_inference_j == pytest.approx(24.6784e-12, rel=1e-9)
    assert account.with_rest_j == account.scaled_per_inference_j
    assert {line.basis for line in account.lines} == {"estimated"}
    assert all(line.source for line in account.lines)


def test_energy_of_a_step_is_a_line_of_its_own_and_in_no_sum_of_an_inference() -> None:
    account = ledger(EnergySettings(), 96, 2896, 64e-9, step_s=1e-9)
    assert account.scaled_per_inference_j == ledger(EnergySettings(), 96, 2896, 64e-9).scaled_per_inference_j
    assert account.per_step_j == pytest.approx(account.scaled_per_inference_j / 64)
    assert {line.per for line in account.lines} == {"inference", "step"}
    software = software_ledger(EnergySettings(), 96, 2896, 64, 64e-9, per_step=True)
    assert software.per_step_j == pytest.approx(software.per_inference_j / 64)
    assert ledger(EnergySettings(), 96, 2896, 64e-9).per_step_j is None


def test_energy_of_rest_and_electronics_are_lines_of_their_own() -> None:
    settings = build(EnergySettings, {"rest": "36 ns", "readout_per_inference": "5 pJ"}, "file.yaml")
    account = ledger(settings, neurons=96, synapses=2896, duration_s=64e-9)
    assert account.with_rest_j == pytest.approx(38.56e-12)  # 64 + 36 = 100 ns, the paper's round figure
    assert account.total_j("readout") == 5e-12
    assert account.per_inference_j == pytest.approx(38.56e-12)


def test_energy_of_the_software_peer_is_its_arithmetic() -> None:
    account = software_ledger(EnergySettings(), neurons=96, synapses=2896, samples=64, duration_s=64e-9)
    assert account.total_j("software") == pytest.approx(0.8526e-6, rel=1e-3)  # 185 344 multiply-adds at 4.6 pJ
    assert account.per_inference_j == account.scaled_per_inference_j == account.total_j("software")


def test_a_drive_rate_may_be_given_per_relaxation_time():
    for tau in ({"tau": "2 ns"}, {"tau_s": 2e-9}):
        assert NetworkSettings(drive_rate="4 / tau", **tau).drive_rate_per_s == pytest.approx(2e9)
    assert NetworkSettings(drive_rate="1e-1/tau").drive_rate_per_s == pytest.approx(0.1 / NetworkSettings().tau_s)
    for wrong in ("-4 / tau", "0 / tau", "4 / taus", "x / tau"):
        with pytest.raises(ConfigError, match="drive_rate"):
            NetworkSettings(drive_rate=wrong)
    with pytest.raises(ConfigError, match="tau: the unit nm"):
        NetworkSettings(drive_rate="4 / tau", tau="2 nm")
