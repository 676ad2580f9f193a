import pytest
import yaml

from fakes.packages import install_zoo
from spinhw.config import build, recipe_names
from spinhw.errors import ConfigError
from spinhw.training import RunSettings, TrainingSettings, load_settings


def settings(**data) -> RunSettings:
    return build(RunSettings, data, "run.yaml")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"network": {"inputs": 2}}, "network.inputs is 2, but the task sequential_digits has 1"),
        ({"network": {"outputs": 3}}, "network.outputs is 3, but the task sequential_digits has 10"),
        ({"network": {"readout_samples": 65}}, "readout_samples is 65, but a sequence has 64"),
        ({"training": {"seeds": [1, 2, 1]}}, "seeds must differ, and 1 stands there more than once"),
        ({"training": {"seeds": []}}, "training.seeds"),
        ({"training": {"seeds": [-1]}}, "training.seeds"),
        ({"training": {"seeds": [0, 1], "optimiser": {"learning_rate": [0.1, 0.2, 0.3]}}}, "3 rates for 2 seeds"),
        ({"training": {"optimiser": {"learning_rate": 0}}}, "training.optimiser.learning_rate"),
        ({"training": {"epochs": -1}}, "training.epochs"),
        ({"training": {"fine_steps_per_ns": 15}}, "training.fine_steps_per_ns: .*greater than or equal to 16"),
        ({"training": {"fine_steps_per_ns": 1001}}, "training.fine_steps_per_ns"),
        ({"training": {"substeps": 1001}}, "training.substeps"),
        ({"training": {"threads": 1025}}, "training.threads"),
        ({"task": {"sample_interval": "2 s"}}, "task.sample_interval: must be at most 1.0 s"),
        ({"training": {"optimiser": {"learning_rate": float("nan")}}}, "training.optimiser.learning_rate"),
        ({"training": {"batch_sise": 5}}, "did you mean 'batch_size'"),
        ({"training": {"optimiser": {"average_decay": 1.0}}}, "training.optimiser.average_decay"),
        ({"training": {"augmentation": {"zoom": 1.0}}}, "training.augmentation.zoom"),
        (
            {"task": {"kind": "sine_square"}, "training": {"augmentation": {"zoom": 0.1}}},
            "augmentation moves images, and the task sine_square has none",
        ),
        (
            {"task": {"kind": "narma10"}, "training": {"label_smoothing": 0.1}},
            "label_smoothing is for classes, and the task narma10 asks for values",
        ),
    ],
)
def test_bad_settings_get_a_line_that_names_the_key(data, message):
    with pytest.raises(ConfigError, match=message) as caught:
        settings(**data)
    assert "run.yaml" in str(caught.value)


def test_settings_survive_yaml():
    original = settings(
        training={"seeds": [4, 2], "optimiser": {"learning_rate": [0.1, 0.2]}, "augmentation": {"zoom": 0.1}}
    )
    assert settings(**yaml.safe_load(original.to_yaml())) == original


def test_time_grids_follow_task_and_training():
    run = settings(task={"sample_interval": "2 ns"}, training={"substeps": 3, "order": 1, "fine_steps_per_ns": 16})
    assert run.steps.step_s == pytest.approx(2e-9 / 3)
    assert run.fine_steps.substeps == 32
    assert run.fine_steps.order == 1


def test_first_share_of_the_epochs_may_take_single_steps():
    training = TrainingSettings(epochs=10, coarse_share=0.35, substeps=3)
    assert [training.substeps_in(epoch) for epoch in range(10)] == [1] * 4 + [3] * 6
    assert TrainingSettings(epochs=3, substeps=2).substeps_in(0) == 2


def test_a_run_writes_its_quantities_as_they_were_given():
    given = {"tau": "14.12 ns", "cutoff": "44.5 MHz", "drive_rate": "1 / ns"}
    written = yaml.safe_load(settings(network=given, task={"sample_interval": "0.5 us"}).to_yaml())
    assert {key: written["network"][key] for key in given} == given
    assert written["task"]["sample_interval"] == "0.5 us"
    assert settings(**written) == settings(network=given, task={"sample_interval": "0.5 us"})


@pytest.mark.parametrize("name", sorted(set(recipe_names()) - {"flipflop.yaml"}))
def test_shipped_recipes_come_back_equal(name, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install_zoo(tmp_path))
    original = load_settings(name)
    assert settings(**yaml.safe_load(original.to_yaml())) == original
    assert yaml.safe_load(original.canonical()) == original.model_dump(mode="json", by_alias=True)
