"""Whatever is handed to `open_device`, to a network or to its settings is taken, or refused in one sentence."""

from typing import Any

import numpy as np
import pytest
import torch

from spinhw import NetworkSettings, SpintronicNetwork, open_bank, open_device
from spinhw.device import open_synapses
from spinhw.errors import ConfigError

DESIGN = NetworkSettings(layers=(3, 2), outputs=2)
NETWORK = SpintronicNetwork(DESIGN)


def sentence(caught: pytest.ExceptionInfo[BaseException]) -> str:
    said = str(caught.value)
    assert "\n" not in said and "pydantic" not in said and "Error" not in said
    return said


@pytest.mark.parametrize("opened", [open_device, open_bank])
@pytest.mark.parametrize(
    ("arguments", "more", "said"),
    [
        ((3, NETWORK), {}, "profile: this is no device profile; seen: 3; allowed: the name of a shipped profile"),
        ((None, NETWORK), {}, "profile: this is no device profile; seen: None"),
        ((np.zeros(3), NETWORK), {}, "profile: this is no device profile; seen: a numpy.ndarray of shape (3,)"),
        ((["ideal"], NETWORK), {}, "profile: this is no device profile; seen: ['ideal']"),
        ((NETWORK, "ideal"), {}, "network: this is no network; seen: 'ideal'; allowed: a SpintronicNetwork"),
        ((NETWORK, "ideal"), {}, "next: swap the first two arguments"),
        ((DESIGN, NETWORK), {}, "profile: this is no device profile; seen: a NetworkSettings"),
        ((NETWORK, NETWORK), {}, "profile: this is no device profile; seen: a SpintronicNetwork"),
        (("ideal", "digits"), {}, "next: write NetworkSettings.of('digits') if that is a recipe"),
        (("ideal", None), {}, "network: this is no network; seen: None"),
        (("ideal", {"layers": [3]}), {}, "network: this is no network; seen: {'layers': [3]}"),
        (("ideal", NETWORK, "1 ns"), {}, "sample_interval_s: this is no time; seen: '1 ns'"),
        (("ideal", NETWORK, float("inf")), {}, "sample_interval_s: this is no time; seen: inf"),
        (("ideal", NETWORK, 0), {}, "sample_interval_s: this is no time; seen: 0"),
        (("ideal", NETWORK), {"members": "a"}, "members: this is no such number; seen: 'a'"),
        (("ideal", NETWORK), {"members": 0}, "members: this is no such number; seen: 0; allowed: a whole number, 1"),
        (("ideal", NETWORK), {"members": [1, 1]}, "members: a chip stands there twice; seen: [1, 1]"),
        (("ideal", NETWORK), {"members": [1, 0.5]}, "members[1]: this is no such number; seen: 0.5"),
        (("ideal", NETWORK), {"dtype": "float32"}, "dtype: this is no floating-point type of torch; seen: 'float32'"),
        (("ideal", NETWORK), {"dtype": torch.int64}, "dtype: this is no floating-point type of torch"),
        (({"kind": "simulatd"}, NETWORK), {}, "profile: kind: this kind of device is not known; seen: simulatd"),
        (({"kind": "simulated", "sede": 1}, NETWORK), {}, "profile: unknown key 'sede'; did you mean 'seed'"),
    ],
)
def test_what_opens_no_device_is_refused_in_the_words_of_the_call(
    opened: Any, arguments: tuple[Any, ...], more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        opened(*arguments, **more)
    assert said in sentence(caught)


def test_a_device_is_opened_by_a_mapping_and_numbers_of_numpy() -> None:
    about = open_device({"kind": "simulated", "id": "mine"}, NETWORK, np.float64(2e-9), np.int64(2)).describe()
    assert about.device_ids == ("mine-0", "mine-1")
    assert about.sample_interval_s == 2e-9


@pytest.mark.parametrize("more", [{"resonators": 0}, {"resonators": "8"}, {"member": -1}, {"member": None}])
def test_what_opens_no_synapses_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(more))}: this is no such number; seen: ") as caught:
        open_synapses("ideal", **more)
    sentence(caught)


@pytest.mark.parametrize("seed", ["a", "12", b"1", 1.5, None, [], [1, "a"], [[1]], True, {"a": 1}, np.zeros(2)])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(ConfigError, match="seed: this is no seed; seen: .*; allowed: a whole number") as caught:
        SpintronicNetwork(DESIGN, seed=seed)
    sentence(caught)


def test_seeds_of_numpy_and_torch_are_those_of_python() -> None:
    expected = SpintronicNetwork(DESIGN, seed=[2, 3])
    for seed in (range(2, 4), (2, 3), np.array([2, 3]), torch.tensor([2, 3]), [np.int64(2), 3]):
        assert torch.equal(SpintronicNetwork(DESIGN, seed=seed).w_out, expected.w_out)
    assert torch.equal(SpintronicNetwork(DESIGN, seed=np.int64(3)).w_out, expected.w_out[1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (({"layers": [3]},), "settings: this is no design of a network; seen: {'layers': [3]}"),
        (("digits",), "settings: this is no design of a network; seen: 'digits'"),
        ((DESIGN, 1e-9), "steps: this is no time grid; seen: 1e-09; allowed: Steps"),
        ((DESIGN, 5), "steps: this is no time grid; seen: 5"),
    ],
)
def test_what_makes_no_network_is_refused(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SpintronicNetwork(*arguments)
    assert said in sentence(caught)


U = torch.zeros(4, 5, 1)
BAD = U.clone()
BAD[1, 2, 0] = float("inf")


@pytest.mark.parametrize(
    ("seed", "inputs", "lengths", "said"),
    [
        (0, U.numpy(), None, "inputs is a numpy.ndarray of shape (4, 5, 1); it must be a torch.Tensor: write torch.as"),
        (0, [[[0.0]]], None, "inputs is [[[0.0]]]; it must be a torch.Tensor"),
        (0, U[0], None, "inputs has shape (5, 1); it must be (any, any, 1), which is (batch, time, input)"),
        (0, U[None], None, "inputs has shape (1, 4, 5, 1); it must be (any, any, 1)"),
        (0, U.expand(4, 5, 2), None, "inputs has shape (4, 5, 2); it must be (any, any, 1)"),
        ([1, 2], U, None, "inputs has shape (4, 5, 1); it must be (2, any, any, 1), which is (member, batch, time, i"),
        (0, BAD, None, "inputs holds inf at (1, 2, 0), which is (batch, time, input); every number must be finite"),
        (0, -BAD, None, "inputs holds -inf at (1, 2, 0)"),
        (0, BAD * 0, None, "inputs holds nan at (1, 2, 0)"),
        ([1], BAD[None], None, "inputs holds inf at (0, 1, 2, 0), which is (member, batch, time, input)"),
        (0, U, [5] * 4, "lengths is [5, 5, 5, 5]; it must be a torch.Tensor"),
        (0, U, torch.ones(3, dtype=torch.int64), "lengths has shape (3,); it must be (4,), one for each sequence"),
        (0, U, torch.ones(4), "lengths is of torch.float32; it must be of whole numbers"),
        (0, U, torch.tensor([1, 2, 6, 5]), "lengths goes from 1 to 6; each must be 1 to 5"),
        (0, U, torch.tensor([0, 2, 5, 5]), "lengths goes from 0 to 5; each must be 1 to 5"),
    ],
)
def test_inputs_are_refused_as_they_were_passed(seed: Any, inputs: Any, lengths: Any, said: str) -> None:
    with pytest.raises(ValueError, match="^(inputs|lengths) ") as caught:
        SpintronicNetwork(DESIGN, seed=seed)(inputs, lengths)
    assert said in sentence(caught)
