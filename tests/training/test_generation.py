"""A network that foretells its inputs goes on by itself, as if each generated sample had been an input all along."""

import json
import re

import pytest
import torch

from fakes.waves import install_waves
from spinhw.config import build
from spinhw.network import Answer, NetworkSettings, SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.streams import torch_stream
from spinhw.training import RunSettings, generate, train

STEPS = Steps(1e-9, 4)


def network(**settings):
    design = NetworkSettings(layers=(5, 4), inputs=2, outputs=2, **settings)
    return SpintronicNetwork(design, STEPS, [0, 1], Answer(None, pooled=False))


def series(samples):
    return torch.rand(2, 3, samples, 2, generator=torch_stream("generation")) - 0.5


@pytest.mark.parametrize("settings", [{}, {"initial_state": "half"}, {"kind": "ctrnn", "saturation": {"kind": "none"}}])
def test_a_network_that_is_stepped_does_what_a_rollout_does(settings):
    one, inputs = network(**settings), series(9)
    stepper = one.stepper()
    found = torch.stack([stepper.step(inputs[:, :, time]) for time in range(9)], dim=2)
    with torch.no_grad():
        torch.testing.assert_close(found, one.run(inputs).filtered, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("horizon", [1, 3])
def test_what_is_generated_is_what_the_network_answers_to_it(horizon):
    one, prefix = network(), series(6)
    made = generate(one, prefix, 8, horizon, as_inputs=lambda values: 0.5 * values)
    assert made.shape == (2, 3, 8, 2)
    with torch.no_grad():
        answers = one(torch.cat([prefix, made], dim=2))
    torch.testing.assert_close(made, 0.5 * answers[:, :, 6 - horizon : 14 - horizon], rtol=1e-4, atol=1e-6)


def test_too_short_a_beginning_is_refused():
    with pytest.raises(ValueError, match="2 samples are given and 4 to follow, 3 samples ahead"):
        generate(network(), series(2), 4, 3)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install_waves(tmp_path / "installed"))

    def trained(ask="values_per_step"):
        data = {
            "task": {"kind": "waves", "ask": ask, "washout": 4 if ask.endswith("step") else 0, "unequal": True},
            "network": {"layers": [3], "outputs": 1 if ask.endswith("step") else 2},
            "training": {"seeds": [4, 5], "epochs": 0, "substeps": 1, "threads": 1},
        }
        train(build(RunSettings, data, "run.yaml"), tmp_path / "run")
        return tmp_path / "run"

    return trained


def test_the_command_tells_how_far_networks_follow(run, spinhw):
    folder = run()
    shown = spinhw("evaluate", folder, "--generate", 4, "--seed", 5)
    assert (shown.code, shown.err) == (0, "")
    assert "NRMSE of sample 4" in shown.out and "follows up to an NRMSE of 0.5" in shown.out
    found = json.loads((folder / "generation.json").read_text(encoding="utf-8"))
    assert found["seeds"] == [5] and found["sequences"] == 12 and len(found["nrmse_by_sample"]) == 4
    assert found["prefix"] >= 4
    assert (folder / "figures" / "generation.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("ask", "options", "said"),
    [
        ("values_per_step", ("--device", "ideal"), "no feedback of nanoseconds.* 4 replays of 20 .* 160 shots; next: "),
        ("values_per_step", ("--chips", 2), "--chips 2: 4 replays"),
        ("values_per_step", ("--generate", 5), "seen: 5; allowed: 1 to 4: the shortest has 8 samples, of which 4 are"),
        ("values", (), "the answers of this task are not its inputs to come"),
    ],
)
def test_what_cannot_be_generated_is_refused_in_one_line(run, spinhw, ask, options, said):
    shown = spinhw("evaluate", run(ask), "--generate", 4, *options)
    assert shown.code == 2 and len(shown.err.splitlines()) == 1
    assert re.search(said, shown.err), shown.err
