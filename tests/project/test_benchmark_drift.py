"""The benchmark of drift: what it compares, and the page and the picture that are made of it."""

import json
import sys
from pathlib import Path

import matplotlib.image
import pytest
import yaml

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

from benchmarks import drift  # noqa: E402
from spinhw.training import RunFolder, load_settings, train  # noqa: E402
from spinhw.training.checkpoint import load_checkpoint  # noqa: E402

LOOKS = (0, 2)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, module_mocker):
    """Measure two networks of six neurons, one epoch each; give the folder of what was trained and the figures."""
    folder = tmp_path_factory.mktemp("drift")
    recipe = yaml.safe_load((ROOT / "examples/chip_in_the_loop.yaml").read_text(encoding="utf-8"))
    recipe["task"] |= {"train_fraction": 0.05, "held_out": "validation"}
    recipe["network"]["layers"] = [3, 3]
    recipe["training"] |= {"seeds": [100, 101], "batch_size": 5, "substeps": 1, "threads": 1}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    module_mocker.patch.multiple(drift, RECIPE=folder / "recipe.yaml", EPOCHS=1, LOOKS=LOOKS)
    simulator = ["device=null", "training.epochs=0", "training.gradient=null", "training.loop.epochs=null"]
    train(load_settings(drift.RECIPE, [*simulator, "training.refit.when=null"]), folder / "start")
    found = drift.measure(folder / "start", folder / "work", rate=0.03)
    module_mocker.patch.object(drift, "train", side_effect=AssertionError("trained again"))
    folders = {"without_drift": folder / "work/in_the_loop", "during": folder / "work/during"}
    again = {name: drift.trained_in_loop(RunFolder.open(path).settings(), path) for name, path in folders.items()}
    module_mocker.stopall()
    return folder / "work", found, again


def test_what_was_trained_is_not_trained_again_and_gives_the_same(tiny):
    _, found, again = tiny
    assert {name: found[name] for name in again} == again


def test_chips_drift_as_the_figures_say_and_are_the_same_for_all_that_is_trained(tiny):
    folder, found, _ = tiny
    still, during = (RunFolder.open(folder / name).settings().device.chip.drift for name in ("in_the_loop", "during"))
    assert (still.individual_per_1000_shots, still.aged_shots) == (0, 0)
    batches = load_checkpoint(folder / "during" / "checkpoint.safetensors")[1]["steps"]  # A shot for each.
    assert during.individual_per_1000_shots * (batches / 1000) ** 0.5 == pytest.approx(drift.DRIFT)
    assert [len(found["after"][kind]) for kind in drift.TRAINED] == [len(LOOKS)] * 2
    untouched = [found["after"][kind][0] for kind in drift.TRAINED]
    assert untouched[0] == untouched[1]


def test_table_pairs_every_chip_with_itself():
    """Chips differ by 40 points, and each loses one: the loss is certain, the mean is not."""
    still = [0.5, 0.9, 0.7]
    less = [one - 0.01 for one in still]
    found = {
        "batches": [0, 8],
        "without_drift": still,
        "during": less,
        "after": {kind: [less, still] for kind in drift.TRAINED},
    }
    lines = drift.table(found).splitlines()
    assert lines[2] == "| no drift | 70.0 ± 20.0 % |  |"
    assert lines[4] == "| drift after it, untouched | 69.0 ± 20.0 % | -1.0 (-1.0 to -1.0) |"
    assert lines[5] == "| then refit, and biases and read-out for 8 batches | 70.0 ± 20.0 % | +0.0 (+0.0 to +0.0) |"


def test_page_shows_the_table_of_the_results(tmp_path):
    found = json.loads(drift.RESULTS.read_text(encoding="utf-8"))
    assert drift.table(found) in (ROOT / "docs/loop.md").read_text(encoding="utf-8")
    drift.draw(found, tmp_path / "drift.png")
    drawn, shipped = (matplotlib.image.imread(path) for path in (tmp_path / "drift.png", drift.PICTURE))
    assert drawn.std() > 0.05
    assert drawn.shape == shipped.shape
