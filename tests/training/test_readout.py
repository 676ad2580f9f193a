"""Training of the read-out alone: ridge regression on what the last layer shows, with and without a device."""

import json
import math
import signal
from dataclasses import replace

import pytest
import torch

from fakes.runs import CHIP, bits, without_times
from spinhw import resume, train
from spinhw.config import build
from spinhw.device import Quality, Trace
from spinhw.device import Signal as Measured
from spinhw.errors import ConfigError
from spinhw.gradients.shown import modelled, shown_outputs
from spinhw.network import Answer, NetworkSettings, SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.tasks import Batch, Classes, Values
from spinhw.training import Interrupted, RunSettings, budget, evaluate
from spinhw.training.readout import SolvedReadout

NARMA = {"kind": "narma10", "length": 40, "washout": 15, "sequences": 12, "held_out": 4, "tested": 4}
NETWORK = {"layers": [4, 5], "outputs": 1, "readout": "software", "out_gain": 100.0}


def small(device=None, task=None, network=None, **training) -> RunSettings:
    data = {
        "task": NARMA if task is None else task,
        "network": NETWORK | (network or {}),
        "training": {"trainable": "readout", "seeds": [3, 5], "batch_size": 5, "substeps": 1, "threads": 1} | training,
        "device": device,
    }
    return build(RunSettings, data, "run.yaml")


class Stopper:
    """A user who presses Ctrl-C after the first batch."""

    def on_batch(self, epoch, batch, total, loss, accuracy) -> None:
        assert math.isnan(loss) and accuracy is None  # Nothing is solved yet.
        signal.raise_signal(signal.SIGINT)

    def on_epoch(self, row) -> None: ...

    def on_evaluation(self, what, done, total) -> None: ...


def read_out_by_hand(settings: RunSettings, member: int, weights=None) -> tuple[torch.Tensor, torch.Tensor]:
    """Ridge regression with the mean taken off, from the network as it is drawn, or with weights, by the textbook."""
    steps = settings.fine_steps if settings.training.solve_readout else settings.steps
    network = SpintronicNetwork(settings.network, steps, settings.training.seeds, settings.answer)
    network.load_state_dict(weights or network.state_dict())
    task, seeds = settings.open_task(), settings.training.seeds
    shown = [task.train(seeds, 0, batch) for batch in range(task.batches)]
    y = torch.cat(
        [network.run(one.inputs).filtered.detach()[member, :, 15:, -5:].flatten(0, 1) for one in shown]
    ).double()
    t = torch.cat([one.target.values[member, :, 15:].flatten(0, 1) for one in shown]).double()
    centred, wanted = y - y.mean(0), t - t.mean(0)
    penalty = settings.training.ridge * centred.square().mean() * len(y) * torch.eye(5).double()
    w = torch.linalg.solve(centred.T @ centred + penalty, centred.T @ wanted).T  # (output, neuron)
    return w / settings.network.out_gain, t.mean(0) - w @ y.mean(0)


def test_the_read_out_is_ridge_regression_and_nothing_else_is_trained(tmp_path) -> None:
    settings = small(ridge=1e-3)
    results = train(settings, tmp_path / "run")
    trained, drawn = bits(tmp_path / "run"), SpintronicNetwork(settings.network, seed=(3, 5)).state_dict()
    for member in range(2):
        w_out, b_out = read_out_by_hand(settings, member)
        torch.testing.assert_close(trained["network/w_out"][member].double(), w_out, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(trained["network/b_out"][member].double(), b_out, rtol=1e-4, atol=1e-6)
    same = [name for name in drawn if name not in ("w_out", "b_out")]
    assert all(torch.equal(trained[f"network/{name}"], drawn[name]) for name in same)
    facts = results.summary["readout"]
    assert facts["answers"] == [12 * 25] * 2 and facts["ridge"] == [1e-3] * 2 and facts["answers_left_out"] == [0, 0]
    assert (results.summary["epochs"], results.summary["train_sequences"], len(results.metrics)) == (1, 12, 1)
    assert results.metrics[0]["loss"] == pytest.approx(facts["mse"]) and "nrmse" in results.metrics[0]


def test_cross_validation_chooses_within_the_limit_of_the_weights(tmp_path) -> None:
    free = train(small(network={"weight_limit": None}), tmp_path / "free").summary["readout"]
    largest = float(bits(tmp_path / "free")["network/w_out"].abs().max())
    held = train(small(network={"weight_limit": largest / 2}), tmp_path / "held").summary["readout"]
    assert free["held_by_weight_limit"] == [False, False] and True in held["held_by_weight_limit"]
    assert float(bits(tmp_path / "held")["network/w_out"].abs().max()) <= largest / 2
    with pytest.raises(ConfigError, match=r"training\.ridge.*limit of the weights.*raise network\.out_gain"):
        train(small(network={"weight_limit": largest / 2}, ridge=1e-9), tmp_path / "beyond")


@pytest.mark.parametrize("readout", ["hardware", "software"])
def test_on_a_device_it_is_solved_from_what_the_device_showed(tmp_path, readout) -> None:
    # The same chip without any fault is the model: the two read-outs differ by what its finer integration changes.
    ideal = {"kind": "simulated", "id": "ideal"}
    alone = train(small(network={"readout": readout}, substeps=8, ridge=1e-2), tmp_path / "alone")
    there = train(small(ideal, network={"readout": readout}, substeps=8, ridge=1e-2), tmp_path / "there")
    expected, found = (bits(tmp_path / name)["network/w_out"] for name in ("alone", "there"))
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02 * float(expected.abs().max()))
    counted = there.summary["inferences"]
    assert counted["training"] == 0 and counted["on_device"] == 2 * (12 + 4 + 4)  # Once, a look, and the test part.
    assert alone.summary["inferences"]["training"] == 2 * 12
    assert there.summary["in_the_loop"] and there.summary["nrmse_on_device"]["mean"] < 1


def test_the_read_out_of_a_chip_suits_that_chip(tmp_path) -> None:
    """Solved on the model it does worse there than solved on the chip itself, by its own test part."""
    deployed = train(small(CHIP, gradient="surrogate"), tmp_path / "deployed").summary
    solved = train(small(CHIP), tmp_path / "solved").summary
    assert solved["nrmse_on_device"]["mean"] < deployed["nrmse_on_device"]["mean"]


def test_the_dry_run_counts_one_look_at_each_sequence(tmp_path) -> None:
    found = {stage.what: stage for stage in budget(small(CHIP)).stages}
    assert found["training"].images == 2 * 12 and found["training"].batches == 3
    assert set(found) == {"training", "evaluation", "closing"}


def test_an_interrupted_measurement_goes_on_to_the_same_bits(tmp_path) -> None:
    settings = small(CHIP)
    whole = train(settings, tmp_path / "whole")
    with pytest.raises(Interrupted, match="after batch 1 of 3"):
        train(settings, tmp_path / "parts", Stopper())
    parts = resume(tmp_path / "parts", settings)
    left, right = bits(tmp_path / "whole"), bits(tmp_path / "parts")
    assert left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
    assert [without_times(row) for row in parts.metrics] == [without_times(row) for row in whole.metrics]


def test_classes_recording_and_evaluation_are_as_in_every_run(
    tmp_path,
) -> None:
    task = {"train_fraction": 0.1, "held_out": "validation"}
    shape = {"network": {"outputs": 10, "readout_samples": 4, "layers": [6, 8]}, "batch_size": 40}
    settings = small(CHIP, task=task, **shape)
    settings = settings.model_copy(update={"recording": "observed"})
    summary = train(settings, tmp_path / "run").summary
    facts = summary["readout"]
    assert facts["answers"] == [144, 144] and max(facts["scaled_to_weight_limit"]) <= 1
    # 1 / 10 of the variance of one class in ten would be left by a constant: 0.09.
    assert max(facts["mse"]) < 0.09
    recorded = small({"kind": "recorded", "folder": str(tmp_path / "run" / "recording")}, task=task, **shape)
    replayed = train(recorded, tmp_path / "replayed").summary
    assert replayed["accuracy_on_device"] == summary["accuracy_on_device"]
    assert torch.equal(bits(tmp_path / "run")["network/w_out"], bits(tmp_path / "replayed")["network/w_out"])
    again = evaluate(tmp_path / "run")
    assert again["accuracy"]["per_seed"] == summary["accuracy"]["per_seed"]
    lines = (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0])["readout"]["chosen_by"] == "generalised cross-validation"


def seen(values: torch.Tensor, bad: torch.Tensor) -> Measured:
    quality = torch.where(bad, Quality.FAULTY, Quality.GOOD).to(torch.uint8)
    return Measured(torch.where(bad, torch.nan, values), quality, torch.arange(values.shape[2]), 0.0)


def test_bad_samples_cost_their_answers_and_a_dead_neuron_costs_none(caplog: pytest.LogCaptureFixture) -> None:
    draw = torch.Generator().manual_seed(0)
    y = torch.randn(1, 10, 6, 3, generator=draw, dtype=torch.float64)
    weights = torch.tensor([[1.0, -2.0, 0.0]]).double()
    batch = Batch(torch.zeros(1, 10, 6, 1), Values(y @ weights.T))
    bad = torch.zeros_like(y, dtype=torch.bool)
    bad[..., 2] = True  # Dead throughout.
    bad[0, 0, 0, 0] = bad[0, 3, 2, 1] = True
    readout = SolvedReadout(NetworkSettings(layers=(3,), outputs=1, out_gain=1.0), 1)
    readout.take_in(seen(y, bad), batch, Answer(None, pooled=False))
    torch.testing.assert_close(readout.solve(1e-10).w_out[0].double(), weights, rtol=0, atol=1e-6)
    facts = readout.facts(1e-10)
    assert (facts["answers"], facts["answers_left_out"]) == ([58], [2])
    assert "neurons 2 of the last layer" in caplog.text


def test_nothing_to_solve_from_is_said() -> None:
    batch = Batch(torch.zeros(1, 2, 6, 1), Classes(torch.tensor([[0, 1]])))
    readout = SolvedReadout(NetworkSettings(layers=(3,), outputs=2), 1)
    values = torch.zeros(1, 2, 1, 3)
    bad = torch.zeros_like(values, dtype=torch.bool)
    bad[0, 0, 0, 0] = bad[0, 1, 0, 1] = True
    readout.take_in(seen(values, bad), batch, Answer(1))
    with pytest.raises(ConfigError, match="nothing to solve.*2 answers"):
        readout.solve(None)


def test_y_follows_from_the_power_through_the_high_pass_of_the_model() -> None:
    """The chip's own y and the one made of its power differ by the bend of the power within a sample."""
    network = SpintronicNetwork(NetworkSettings(layers=(4,)), Steps(1e-9, 8), seed=[0])
    inputs = torch.randn(1, 3, 30, 1, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        run = network.run(inputs)
    power0 = modelled(run.power0, torch.zeros(1))
    trace = Trace(("chip",), 1, (0, 1), power=modelled(run.power, torch.arange(30)), power0=power0)
    found = shown_outputs(trace, network.neurons(), 1e-9)
    error = (found.values - run.filtered).square().mean().sqrt() / run.filtered.square().mean().sqrt()
    assert float(error) < 0.05
    both = replace(trace, filtered=modelled(run.filtered, torch.arange(30)))
    assert shown_outputs(both, network.neurons(), 1e-9).values is run.filtered


def both(device=None, **training) -> RunSettings:
    """A run that trains everything by its gradient, and solves for the read-out in its last epoch."""
    optimiser = {"learning_rate": 0.05, "schedule": "paper"}
    asked = {"trainable": "all", "solve_readout": True, "epochs": 4, "optimiser": optimiser, "evaluate_every": 1}
    return small(device, **(asked | training))


def test_the_last_epoch_may_solve_for_the_read_out_of_trained_neurons(tmp_path) -> None:
    results = train(both(ridge=1e-3), tmp_path / "both")
    before = train(both(solve_readout=False, epochs=3), tmp_path / "before")
    trained, then = bits(tmp_path / "both"), bits(tmp_path / "before")
    neurons = [name for name in then if name.startswith("network/") and "_out" not in name]
    assert neurons and all(torch.equal(trained[name], then[name]) for name in neurons)
    weights = {name.removeprefix("network/"): value for name, value in then.items() if name.startswith("network/")}
    for member in range(2):
        w_out, _ = read_out_by_hand(both(ridge=1e-3), member, weights)
        torch.testing.assert_close(trained["network/w_out"][member].double(), w_out, rtol=1e-3, atol=1e-5)
    rows = results.metrics
    assert ["learning_rate" in row for row in rows] == [True, True, True, False] and "readout" in rows[3]
    assert [row["loss"] for row in rows[:3]] == [row["loss"] for row in before.metrics]
    assert rows[3]["loss"] == pytest.approx(results.summary["readout"]["mse"])


class LastBatch(Stopper):
    """Presses it in the last epoch."""

    def on_batch(self, epoch, batch, total, loss, accuracy) -> None:
        if epoch == 3 and batch == 2:
            signal.raise_signal(signal.SIGINT)


def test_what_is_solved_last_goes_on_with_a_device_in_the_loop_to_the_same_bits(tmp_path) -> None:
    settings = both(CHIP)
    train(settings, tmp_path / "whole")
    with pytest.raises(Interrupted, match="epoch 4, after batch 2 of 3"):
        train(settings, tmp_path / "parts", LastBatch())
    resume(tmp_path / "parts", settings)
    left, right = bits(tmp_path / "whole"), bits(tmp_path / "parts")
    assert left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
    stages = {stage.what: stage.images for stage in budget(settings).stages}
    assert stages["training"] == 2 * 3 * 12 and stages["training, read-out"] == 2 * 12


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"epochs": 0}, r"training\.epochs 0.*training\.epochs: 1 and above"),
        ({"keep": "best"}, r"training\.keep best.*training\.keep: last"),
        ({"gradient": "spsa", "device": CHIP}, r"training\.gradient spsa"),
    ],
)
def test_what_cannot_be_solved_last_is_refused(training, said) -> None:
    with pytest.raises(ConfigError, match=said):
        both(**training)


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"epochs": 3}, r"one look.*training\.epochs 3.*training\.epochs 1"),
        ({"label_smoothing": 0.1, "coarse_share": 0.5}, r"coarse_share 0\.5, training\.label_smoothing 0\.1"),
        ({"plateau": {}}, "training.plateau given"),
        ({"optimiser": {"average_decay": 0.9}}, "training.keep average"),
        ({"ridge": 0.0}, "ridge"),
        ({"trainable": "all", "ridge": 1.0}, r"training\.ridge is for read-outs"),
    ],
)
def test_settings_that_have_no_part_in_it_are_refused(training, said) -> None:
    with pytest.raises(ConfigError, match=said):
        small(**training)


def test_a_gradient_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"training\.gradient layerwise.*training\.gradient output"):
        small(CHIP, gradient="layerwise")
