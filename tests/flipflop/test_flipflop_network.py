"""Recurrent networks: the compiled recurrence against autograd, options, files."""

import io
import json
import math
import os
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from pytest_mock import MockerFixture

from fakes.keras import keras_file
from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.flipflop import load_network, read_keras, save_network
from spinhw.flipflop.scoring import measure
from spinhw.network import RecurrentNetwork, RecurrentSettings
from spinhw.network.recurrence import TanhWeights, recur
from spinhw.network.tanh_kernels import activate
from spinhw.rollout.cpu.workspace import workspace
from spinhw.streams import torch_stream
from spinhw.tasks import FlipFlopSettings, draw_trials

PUBLISHED = Path(
    os.environ.get("SPINHW_FLIPFLOP_KERAS", Path(__file__).parents[3] / "shared" / "data" / "flipflop_keras")
)


def drawn(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    generator = torch_stream("test recurrence")
    return [torch.randn(shape, generator=generator, dtype=dtype) * 0.4 for shape in shapes]


@pytest.mark.parametrize("leak", [1.0, 0.3])
@pytest.mark.parametrize("noisy", [False, True])
def test_compiled_recurrence_agrees_with_autograd(leak: float, noisy: bool) -> None:
    time, batch, units = 23, 5, 37
    shapes = [(time, batch, 3), (batch, units), (time, batch, units)]
    shapes += [(units, 3), (units, units), (units,), (2, units), (2,)]
    found = []
    for dtype in (torch.float32, torch.float64):
        values = [value.to(dtype) for value in drawn(*shapes)]
        values[4] *= 0.3  # No chaos, in which rounding would grow.
        values = [value.requires_grad_() for value in values]
        outputs, states = recur(values[0], TanhWeights(*values[3:]), values[1], leak, values[2] if noisy else None)
        (outputs.square().sum() + outputs.sum()).backward()
        gradients = [value.grad for place, value in enumerate(values) if noisy or place != 2]
        found.append([outputs, states, *gradients])
    for fast, slow in zip(*found, strict=True):
        assert fast is not None
        assert (fast.double() - slow).abs().max() < 2e-6 * slow.abs().max()


def test_recurrence_is_torchs_own_rnn() -> None:
    rnn = torch.nn.RNN(3, 16, batch_first=True)
    network = RecurrentNetwork(RecurrentSettings(units=16, bias=True))
    with torch.no_grad():
        network.w_in.copy_(rnn.weight_ih_l0)
        network.w_rec.copy_(rnn.weight_hh_l0)
        network.bias.copy_(rnn.bias_ih_l0 + rnn.bias_hh_l0)
    (inputs,) = drawn((4, 50, 3), dtype=torch.float32)
    torch.testing.assert_close(network.run(inputs).states, rnn(inputs)[0], atol=2e-6, rtol=1e-5)


def test_memory_that_is_used_again_leaves_earlier_results_alone() -> None:
    network, (first, second) = RecurrentNetwork(RecurrentSettings(units=8)), drawn((3, 9, 3), (3, 9, 3))
    one = network(first.float())
    kept = one.detach().clone()
    two = network(second.float())  # Before the backward pass of the first.
    one.sum().backward()
    gradient = network.w_rec.grad.clone()
    network.zero_grad()
    two.sum().backward()
    network.zero_grad()
    network(first.float()).sum().backward()
    assert torch.equal(one, kept)
    assert torch.equal(network.w_rec.grad, gradient)


def test_what_memory_held_before_does_not_matter(mocker: MockerFixture) -> None:
    network, (inputs,) = RecurrentNetwork(RecurrentSettings(units=8)), drawn((3, 9, 3), dtype=torch.float32)
    network(inputs).sum().backward()
    wanted = [value.grad.clone() for value in network.parameters()]
    take = workspace.take

    def taken(size: int) -> np.ndarray:
        buffer = take(size)
        buffer[:] = 0xFF  # Not a number, in every element.
        return buffer

    poisoned = mocker.patch.object(workspace, "take", side_effect=taken)
    network.zero_grad()
    network(inputs).sum().backward()
    assert poisoned.called
    assert all(torch.equal(value.grad, one) for value, one in zip(network.parameters(), wanted, strict=True))


def test_approximate_tanh_is_within_single_precision() -> None:
    drive = np.linspace(-12, 12, 40_001, dtype=np.float32)[None]
    rows = drive.copy()
    activate(rows, rows, rows.shape[1], np.float32(1.0))
    assert np.abs(rows - np.tanh(drive.astype(np.float64))).max() < 3e-7


def test_not_a_number_stays_one() -> None:
    network = RecurrentNetwork(RecurrentSettings(units=8))
    with torch.no_grad():
        network.w_rec[0, 0] = math.nan
    assert network(torch.zeros(1, 5, 3)).isnan().any()


def test_initial_weights_are_orthogonal_or_have_variance_one_over_units() -> None:
    orthogonal = RecurrentNetwork(RecurrentSettings(units=60)).connectivity
    torch.testing.assert_close(orthogonal @ orthogonal.T, torch.eye(60), atol=1e-5, rtol=0)
    normal = RecurrentNetwork(RecurrentSettings(units=300, initial="normal")).connectivity
    assert normal.var().item() == pytest.approx(1 / 300, rel=0.02)


def test_seeds_decide_the_weights() -> None:
    one, same, other = (RecurrentNetwork(RecurrentSettings(units=8), seed).w_rec for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_dales_law_gives_every_source_one_sign_also_after_training() -> None:
    network = RecurrentNetwork(RecurrentSettings(units=20, excitatory=0.8))
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    for _ in range(5):
        optimiser.zero_grad()
        network(torch.ones(2, 10, 3)).square().sum().backward()
        optimiser.step()
    signs = network.connectivity.sign()
    assert (signs[:, :16] >= 0).all()
    assert (signs[:, 16:] <= 0).all()


def test_balanced_weights_have_no_outlier() -> None:
    sizes = torch.linalg.eigvals(RecurrentNetwork(RecurrentSettings(units=200, excitatory=0.8)).connectivity).abs()
    largest = sizes.sort(descending=True).values
    assert largest[0].item() == pytest.approx(1.0, abs=1e-4)
    assert largest[5] > 0.3  # 0.75 +- 0.11 over seeds; 0.09 beside an outlier.


def test_density_is_exact_and_absent_weights_stay_absent() -> None:
    network = RecurrentNetwork(RecurrentSettings(units=20, density=0.3))
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    network(torch.ones(2, 10, 3)).square().sum().backward()
    optimiser.step()
    assert int((network.connectivity != 0).sum()) == 120


@pytest.mark.parametrize("kind", ["tanh", "gru", "lstm"])
def test_every_kind_of_network_learns(kind: str) -> None:
    task = FlipFlopSettings(bits=1, steps=70, pulse_steps=4, delay_steps=0, onsets=((1, 20), (10, 40)), absent=(0, 0))
    network = RecurrentNetwork(RecurrentSettings(kind=kind, units=24, bias=True, inputs=1, outputs=1), seed=3)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for step in range(120):
        trials = draw_trials(task, 32, torch_stream("test", step))
        loss = trials.loss(network(trials.inputs))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": 0}, r"net.yaml: units: must be greater than or equal to 1"),
        ({"leak": 0.0}, r"leak: must be greater than 0"),
        ({"kind": "gru", "density": 0.5}, r"density: only units of kind 'tanh' have this, not 'gru'"),
        ({"kind": "rnn"}, r"kind: must be 'tanh', 'gru' or 'lstm'"),
    ],
)
def test_impossible_networks_are_refused_in_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        build(RecurrentSettings, changes, "net.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{}, {"kind": "gru", "bias": True}, {"excitatory": 0.7, "density": 0.5}])
def test_a_saved_network_is_the_same(changes: dict[str, object], tmp_path: Path) -> None:
    network = RecurrentNetwork(RecurrentSettings(units=12, **changes), seed=5)
    save_network(tmp_path / "network.safetensors", network)
    again = load_network(tmp_path / "network.safetensors")
    (inputs,) = drawn((2, 20, 3), dtype=torch.float32)
    assert again.settings == network.settings
    assert torch.equal(again(inputs), network(inputs))


def test_keras_weights_act_as_in_keras(tmp_path: Path) -> None:
    path = keras_file(tmp_path / "net.hdf5")
    network = read_keras(path)
    with h5py.File(path) as file:
        kernel, recurrent, dense, bias = (
            file["model_weights/" + name][()]
            for name in ("rnn/rnn/kernel:0", "rnn/rnn/recurrent_kernel:0", "dense/dense/kernel:0", "dense/dense/bias:0")
        )
    inputs = np.random.default_rng(1).normal(size=(1, 9, 3)).astype(np.float32)
    state, wanted = np.zeros(6), []
    for one in inputs[0]:
        state = np.tanh(one @ kernel + state @ recurrent)
        wanted.append(state @ dense + bias)
    np.testing.assert_allclose(network(torch.from_numpy(inputs))[0].detach().numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("option", ["go_backwards", "stateful", "time_major"])
def test_an_option_that_changes_what_a_layer_computes_is_refused_by_name(tmp_path: Path, option: str) -> None:
    path = keras_file(tmp_path / "net.h5", **{option: True})
    with pytest.raises(ConfigError, match=f"net.h5: layer rnn has another {option}; seen: True; allowed: False"):
        read_keras(path)


def test_options_of_speed_and_training_change_nothing(tmp_path: Path) -> None:
    plain = read_keras(keras_file(tmp_path / "plain.h5"))
    other = read_keras(keras_file(tmp_path / "other.h5", unroll=True, return_sequences=False, dropout=0.1))
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=0, atol=0)


def numbered_weights(file: h5py.File, first: str, second: str, more: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Write weights as Keras 3 does, named by number alone, and return them."""
    generator = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        f"{first}/cell/vars/0": (3, 6),
        f"{first}/cell/vars/1": (6, 6),
        f"{first}/cell/vars/2": (6,),
        f"{second}/vars/0": (6, 2),
        f"{second}/vars/1": (2,),
        "optimizer/vars/0": (),
        "optimizer/vars/1": (3, 6),
    }
    arrays = {name: generator.normal(size=shape).astype(np.float32) for name, shape in (shapes | more).items()}
    for name, value in arrays.items():
        file[name] = value
    file.create_group(f"{first}/vars")
    return arrays


@pytest.mark.parametrize("kind", ["weights.h5", "keras"])
@pytest.mark.parametrize("container", ["layers/", "_layer_checkpoint_dependencies/", "layers\\"])
def test_keras_3_weights_act_as_in_keras(tmp_path: Path, container: str, kind: str) -> None:
    path, buffer = tmp_path / f"net.{kind}", io.BytesIO()
    first, second = container + "simple_rnn_1", container + "dense_1"
    noise = {f"{first}/cell/seed_generator/vars/0": (2,), f"{container}dropout/seed_generator/vars/0": (2,)}
    with h5py.File(path if kind == "weights.h5" else buffer, "w") as file:
        weights = numbered_weights(file, first, second, noise)
    if kind == "keras":
        layers = [{"class_name": "SimpleRNN", "config": {"unroll": True}}, {"class_name": "Dense", "config": {}}]
        with zipfile.ZipFile(path, "w") as zipped:
            zipped.writestr("config.json", json.dumps({"config": {"layers": layers}}))
            zipped.writestr("model.weights.h5", buffer.getvalue())
    network = load_network(path)
    kernel, recurrent, bias = (weights[f"{first}/cell/vars/{number}"] for number in range(3))
    inputs = np.random.default_rng(1).normal(size=(1, 9, 3)).astype(np.float32)
    state, wanted = np.zeros(6), []
    for one in inputs[0]:
        state = np.tanh(one @ kernel + state @ recurrent + bias)
        wanted.append(state @ weights[f"{second}/vars/0"] + weights[f"{second}/vars/1"])
    np.testing.assert_allclose(network(torch.from_numpy(inputs))[0].detach().numpy(), wanted, atol=1e-5)


def test_keras_3_weights_of_other_layers_are_refused(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, tuple[int, ...]], str]] = [
        ({"layers/dense_1/vars/0": (2, 2)}, "has other layers; seen: dense, dense_1, simple_rnn"),
        ({"layers/simple_rnn_1/cell/vars/1": (6, 6)}, "this file holds no such network"),
        ({"layers/gru/backward_layer/cell/vars/1": (6, 6)}, "has other layers; seen: dense, gru"),
        ({"layers/dense/vars/2": (2,)}, "these layers hold arrays besides; seen: dense/vars/2"),
        ({"layers/simple_rnn/cell/vars/0": (3, 18)}, r"kernel \(3, 18\) instead of \(3, 6\)"),
        ({"layers/dense/vars/0": ()}, r"dense kernel \(1,\) instead of"),
    ]
    for number, (more, message) in enumerate(cases):
        path = tmp_path / f"{number}.weights.h5"
        with h5py.File(path, "w") as file:
            numbered_weights(file, "layers/simple_rnn", "layers/dense", more)
        with pytest.raises(ConfigError, match=message):
            read_keras(path)


def test_a_dense_layer_without_a_bias_adds_nothing(tmp_path: Path) -> None:
    path = keras_file(tmp_path / "net.h5")
    with h5py.File(path, "r+") as file:
        del file["model_weights/dense/dense/bias:0"]
    assert not read_keras(path).b_out.any()


def test_what_is_no_such_network_is_refused_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.hdf5"
    text.write_text("nothing of the kind")
    empty = tmp_path / "empty.h5"
    h5py.File(empty, "w").close()
    cases = {
        text: r"text.hdf5: this is no HDF5 file, or it is damaged",
        tmp_path / "absent.hdf5": r"absent.hdf5: there is no such file",
        keras_file(tmp_path / "gru.hdf5", recurrent="GRU"): r"other layers; seen: GRU, Dense; allowed: one SimpleRNN",
        keras_file(tmp_path / "shape.hdf5", kernel=(3, 18)): r"kernel \(3, 18\) instead of \(3, 6\)",
        keras_file(tmp_path / "relu.hdf5", activation="relu"): r"layer rnn has another activation; seen: relu",
        empty: r"empty.h5: this file holds no such network; seen: no weights",
        tmp_path / "absent.safetensors": r"there is no checkpoint here",
    }
    for path, message in cases.items():
        with pytest.raises(ConfigError, match=message) as caught:
            load_network(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_keras_weights_that_are_not_finite_are_refused_by_layer(tmp_path: Path, value: float) -> None:
    path = keras_file(tmp_path / "net.h5")
    with h5py.File(path, "r+") as file:
        file["model_weights/dense/dense/kernel:0"][2, 1] = value
    with pytest.raises(ConfigError, match="layer dense holds numbers that are not finite; seen: 1 of 18 in dense/kern"):
        read_keras(path)


@pytest.mark.parametrize(
    ("settings", "seed", "message"),
    [
        ({"units": 4}, 0, "settings: this is no design of a recurrent network; seen: {'units': 4}"),
        (RecurrentSettings, 0, "settings: this is no design of a recurrent network"),
        (RecurrentSettings(units=4), 0.5, "seed: this is no seed; seen: 0.5; allowed: a whole number"),
        (RecurrentSettings(units=4), [0, 1], r"seed: this is no seed; seen: \[0, 1\]"),
        (RecurrentSettings(units=4), True, "seed: this is no seed; seen: True"),
    ],
)
def test_what_a_recurrent_network_cannot_be_made_from_is_said(settings: Any, seed: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RecurrentNetwork(settings, seed)


@pytest.mark.parametrize("kind", ["tanh", "gru"])
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((2, 9, 3)), "it must be a torch.Tensor: write torch.as_tensor"),
        (torch.zeros(9, 3), r"inputs has shape \(9, 3\)"),
        (torch.zeros(2, 3, 9), r"inputs has shape \(2, 3, 9\)"),
        (torch.full((2, 9, 3), float("nan")), "every number must be finite"),
    ],
)
def test_what_a_recurrent_network_cannot_be_shown_is_said(kind: Any, inputs: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RecurrentNetwork(RecurrentSettings(kind=kind, units=4))(inputs)


@pytest.mark.parametrize(("epoch", "mse", "beyond"), [(1, 0.058, 4), (10, 0.019, None)])
def test_published_networks_err_as_published(epoch: int, mse: float, beyond: int | None) -> None:
    path = PUBLISHED / f"epoch_{epoch:02}.hdf5"
    if not path.is_file():
        pytest.skip(f"the published networks are not in {PUBLISHED}; set SPINHW_FLIPFLOP_KERAS to their folder")
    network = read_keras(path)
    trials = draw_trials(FlipFlopSettings.published(), 512, torch_stream("test"))
    assert measure(network, trials).mse == pytest.approx(mse, abs=0.002)
    if beyond is not None:
        sizes = torch.linalg.eigvals(network.connectivity.double()).abs()
        assert int((sizes > 1.02).sum()) == beyond
