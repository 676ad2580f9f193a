"""Cosines with the device's own gradient: closed cases, and slopes of a bench against the truth of a chip."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fakes.loops import SPREAD, batch, make, true_neurons
from spinhw.config import build
from spinhw.device import SimulatedDevice
from spinhw.errors import ConfigError
from spinhw.gradients import Choices, HardwareInLoop
from spinhw.plots.alignment import plot_alignment
from spinhw.tasks import Batch, Classes
from spinhw.training import RunSettings, align_run, train
from spinhw.training.alignment import OwnSlopes, Reference, align, cosine, loop_gradients, summed_up


def labelled(images: int = 6) -> Batch:
    labels = torch.arange(images).remainder(4).expand(2, -1)
    return Batch(batch(images=images), Classes(labels))


def test_cosine_of_gradients_is_taken_for_each_member():
    one = {"a": torch.tensor([[1.0, 0.0], [1.0, 0.0]]), "b": torch.tensor([[0.0], [1.0]])}
    other = {"a": torch.tensor([[2.0, 0.0], [0.0, 1.0]]), "b": torch.tensor([[0.0], [1.0]])}
    assert cosine(one, other).tolist() == pytest.approx([1.0, 0.5])


def test_oracle_agrees_with_itself_and_better_surrogates_agree_better():
    network, device = make(SPREAD)
    with device:
        loops = {
            "oracle": HardwareInLoop(network, device, "oracle"),
            "true": HardwareInLoop(network, device, "output", true_neurons(device)),
            "nominal": HardwareInLoop(network, device, "output"),
        }
        found = align(loops, Reference(loops["nominal"], 0.0), [labelled(), labelled(4)], 0.0)
    means = {name: one["mean"] for name, one in found.items()}
    assert means["oracle"] == pytest.approx(1.0)
    assert means["nominal"] < means["true"] < 1.0
    assert len(found["true"]["each"]) == 4
    low, high = found["nominal"]["interval95"]
    assert low <= means["nominal"] <= high


def test_slopes_along_many_directions_give_the_cosine_with_the_truth():
    network, device = make(SPREAD | {"output_readout": {"noise": 1e-4}}, layers=(3, 2))
    with device:
        loop = HardwareInLoop(network, device, "output", choices=Choices(perturbation=0.01))
        gradients = loop_gradients(loop, labelled(4), 0.0)
        truth = loop_gradients(HardwareInLoop(network, device, "oracle"), labelled(4), 0.0)
        slopes = OwnSlopes(loop, labelled(4), ("test",), 150, 0.0)
    expected = cosine(gradients, truth)
    # Off by 0.05 +- 0.07 over seeds.
    torch.testing.assert_close(slopes.cosine(gradients), expected, rtol=0, atol=0.35)
    against = slopes.cosine({name: -value for name, value in gradients.items()})
    torch.testing.assert_close(against, -expected, rtol=0, atol=0.35)


def test_device_that_does_not_know_its_truth_is_asked_for_slopes():
    network, knowing = make(SPREAD, layers=(3, 2))
    about = replace(knowing.describe(), capabilities=frozenset({"replay"}))
    device = SimulatedDevice(knowing.truth, about, knowing.conversion)
    with device:
        loop = HardwareInLoop(network, device, "output")
        reference = Reference(loop, 0.0, directions=4)
        found = align({"output": loop}, reference, [labelled()], 0.0)
    assert not reference.knows
    assert len(found["output"]["each"]) + found["output"]["hidden_by_noise"] == 2
    assert reference.loop.inferences == 4 * 2 * 2 * 2 * 6  # directions, repeats, signs, members, images


def test_slopes_hidden_by_noise_are_counted_and_left_out():
    found = summed_up([0.5, float("nan")])
    assert (found["mean"], found["hidden_by_noise"], found["interval95"]) == (0.5, 1, None)
    assert summed_up([float("nan")])["mean"] is None


def tiny(**changes) -> RunSettings:
    data = {
        "task": {"train_fraction": 0.05, "held_out": "validation"},
        "network": {"layers": [3, 3]},
        "training": {
            "seeds": [3, 5],
            "epochs": 2,
            "batch_size": 20,
            "substeps": 1,
            "fine_steps_per_ns": 16,
            "threads": 1,
        },
        "device": {"kind": "simulated", "chip": {"spread": {"gamma": 0.2}}},
    }
    return build(RunSettings, data, "run.yaml", [f"{key}={value}" for key, value in changes.items()])


def test_run_compares_its_gradients_now_and_then(tmp_path):
    with_looks = train(tiny(**{"training.loop.align_every": 2, "training.substeps": 2}), tmp_path / "with")
    rows = with_looks.metrics
    assert [len(row["alignment"]["each"]) for row in rows] == [2 * 2, 2 * 2]
    assert all(-1 <= row["alignment"]["mean"] <= 1 for row in rows)
    assert rows[0]["inferences_on_device"] == 2 * 72 + 2 * 2 * 20


def test_alignment_of_a_run_and_its_picture(tmp_path):
    train(tiny(), tmp_path / "run")
    found = align_run(tiny(), tmp_path / "run", modes=["output", "layerwise"], batches=2)
    assert (found["reference"], found["epochs"]) == ("truth", 2)
    assert set(found["cosines"]) == {"output", "layerwise"}
    assert np.mean(found["cosines"]["output"]["each"]) == pytest.approx(found["cosines"]["output"]["mean"])
    plot_alignment(found["cosines"], tmp_path / "alignment.png", "title")
    assert (tmp_path / "alignment.png").stat().st_size > 5000


def test_alignment_of_some_networks_of_a_run_is_that_of_all_for_these(tmp_path, spinhw):
    train(tiny(), tmp_path / "run")
    whole = align_run(tiny(), tmp_path / "run", modes=["output"], batches=1)
    one = align_run(tiny(), tmp_path / "run", modes=["output"], batches=1, seeds=[tiny().training.seeds[1]])
    assert one["device"] == whole["device"][1:2]
    assert one["cosines"]["output"]["each"] == pytest.approx(whole["cosines"]["output"]["each"][1:2], abs=1e-5)
    refused = spinhw("align", tmp_path / "run", "--seed", 77)
    assert refused.code == 2 and "the run has no such network; seen: 77; allowed:" in refused.err


def test_alignment_without_a_device_is_refused():
    settings = tiny().model_copy(update={"device": None})
    with pytest.raises(ConfigError, match="no device to compare gradients with; next: name one with --device"):
        align_run(settings)
