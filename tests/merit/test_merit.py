"""`merit`: figures of networks whose figures are known, on the simulator and on a device, and the files they go to."""

import csv
import json

import pytest
import torch

from fakes.runs import CHIP
from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.merit import MeritChoices, figures_of, measure_merit
from spinhw.merit.figures import narma_error, narma_without_a_network
from spinhw.merit.inputs import alike_at_the_end, played, random_inputs
from spinhw.tasks.generated import delayed, narma10
from spinhw.training import RunSettings, train

FEW = MeritChoices(sequences=8, samples=60, washout=20, shuffles=200, rank_samples=8, shared=3)


def small(device=None, **network) -> RunSettings:
    data = {
        "task": {"kind": "narma10", "length": 40, "washout": 15, "sequences": 4, "held_out": 2, "tested": 2},
        "network": {"layers": [4, 5], "outputs": 1, "readout": "software", "weight_scale": 3.0} | network,
        "training": {"seeds": [3, 5], "trainable": "readout", "substeps": 8, "threads": 1},
        "device": device,
    }
    return build(RunSettings, data, "run.yaml")


def test_a_delay_line_remembers_its_length_and_multiplies_nothing() -> None:
    choices = MeritChoices(sequences=20, samples=170, washout=20, shuffles=400)
    u = random_inputs(choices.sequences, choices.samples, "test")
    line = delayed(u, range(6))
    found = figures_of(u, line, line[:, -1], line[:, -1], choices)
    assert found.numbers["linear memory capacity"] == pytest.approx(5)  # The present sample is no memory.
    assert found.numbers["capacity of degree 1"] == pytest.approx(6)
    assert found.by_delay["linear"][:6] == pytest.approx([1.0] * 6)
    # Hundreds of targets beyond it, of which one in four hundred passes for something, each by 0.01.
    assert found.numbers["information processing capacity"] == pytest.approx(6, abs=0.1)
    assert found.numbers["kernel rank"] == found.numbers["generalisation rank"] == 6


def test_what_is_the_same_at_the_end_has_a_lower_rank_where_nothing_older_is_remembered() -> None:
    choices = MeritChoices(rank_samples=8, shared=3)
    u = random_inputs(choices.sequences, choices.samples, "test")
    line = delayed(u, range(5))
    ends = [delayed(one, range(5))[:, -1] for one in (random_inputs(9, 8, "kernel"), alike_at_the_end(9, 8, 3))]
    found = figures_of(u, line, *ends, choices)
    # Three of five inputs do not vary: they span one direction, and the other two their own.
    assert (found.numbers["kernel rank"], found.numbers["generalisation rank"]) == (5, 3)


def test_narma_is_solved_by_what_it_is_made_of_and_not_by_delays_alone() -> None:
    u = random_inputs(12, 120, "test")
    answers = narma10((u + 1) / 4)[..., None]
    assert narma_error(u, answers, 50) < 1e-6
    alone = narma_without_a_network(u, 50)
    assert 0.3 < alone < 0.8  # The linear part of NARMA-10; a constant has 1.
    nothing = torch.rand(12, 120, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert narma_error(u, nothing, 50) == pytest.approx(1, abs=0.1)


def test_inputs_are_played_between_the_ends_of_the_task_in_every_channel() -> None:
    u = random_inputs(3, 4, "test")
    shown = played(u, -2.0, 6.0, 2)
    assert shown.shape == (3, 4, 2) and torch.equal(shown[..., 0], shown[..., 1])
    torch.testing.assert_close(shown[..., 0].double(), 2 + 4 * u, rtol=0, atol=1e-5)
    alike = alike_at_the_end(3, 8, 2)
    assert torch.equal(alike[0, -2:], alike[2, -2:]) and not torch.equal(alike[0, :-2], alike[2, :-2])


def test_an_ideal_device_has_the_figures_of_the_model_and_noise_takes_some_away() -> None:
    model = measure_merit(small(), choices=FEW)["figures"]
    ideal = measure_merit(small({"kind": "simulated", "id": "ideal"}), choices=FEW)["figures"]
    noisy = {"kind": "simulated", "id": "noisy", "chip": {"power_readout": {"noise": 0.02}}}
    for name in ("linear memory capacity", "capacity of degree 1", "narma10 nrmse"):
        assert ideal[name]["mean"] == pytest.approx(model[name]["mean"], rel=0.15), name
    with_noise = measure_merit(small(noisy), choices=FEW)["figures"]
    assert with_noise["linear memory capacity"]["mean"] < ideal["linear memory capacity"]["mean"]


def test_trained_networks_of_some_seeds_and_all_neurons_are_measured(tmp_path) -> None:
    settings = small(CHIP)
    train(settings, tmp_path / "run")
    every = MeritChoices(sequences=8, samples=60, washout=20, shuffles=50, rank_samples=8, neurons="all")
    found = measure_merit(settings, tmp_path / "run", every, seeds=[5])
    assert (found["seeds"], found["states"], found["good_share"]) == ([5], 9, 1.0)
    assert found["device"] == ["spread-5"]
    assert found["figures"]["linear memory capacity"]["interval95"] is None  # One seed has no spread.
    with pytest.raises(ConfigError, match="other networks"):
        measure_merit(small(CHIP, layers=[4, 6]), tmp_path / "run", every)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"sequences": 1}, "--sequences.*seen: 1; allowed: 4 or more"),
        ({"samples": 50}, "--samples.*above the washout of 50"),
        ({"shared": 15}, "--shared"),
        ({"tolerance": 1.0}, "--tolerance"),
        ({"neurons": "first"}, "--neurons.*last or all"),
    ],
)
def test_choices_that_measure_nothing_are_refused(choices, said) -> None:
    with pytest.raises(ConfigError, match=said):
        MeritChoices(**choices)


def test_the_command_prints_a_table_and_writes_figures_and_a_picture(tmp_path, spinhw) -> None:
    (tmp_path / "small.yaml").write_text(small().to_yaml(), encoding="utf-8")
    few = ["--sequences", 8, "--samples", 60, "--washout", 20]
    done = spinhw("merit", tmp_path / "small.yaml", *few, "--device", "ideal", "--out", tmp_path / "found")
    assert done.code == 0, done.err
    for name in ("linear memory capacity", "kernel rank", "narma10 nrmse", "without a network"):
        assert name in done.out
    found = json.loads((tmp_path / "found" / "merit-ideal.json").read_text(encoding="utf-8"))
    table = (tmp_path / "found" / "merit-ideal.csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(table.splitlines()))
    assert len(lines) == 2 * len(found["figures"]) and {line["seed"] for line in lines} == {"3", "5"}
    assert (tmp_path / "found" / "figures" / "merit-ideal.png").stat().st_size > 10_000
    again = spinhw("merit", tmp_path / "small.yaml", "--seed", 4, "--out", tmp_path / "other")
    assert again.code == 2 and "no such network" in again.err
    wrong = spinhw("merit", tmp_path / "small.yaml", "--samples", 10)
    assert wrong.code == 2 and "--samples" in wrong.err
