import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytest_mock import MockerFixture

from spinhw.config import build, load
from spinhw.errors import ConfigError
from spinhw.studies import Outcome, Outlook, Point, PointStore, run_compared
from spinhw.studies.execute import run_points
from spinhw.studies.in_loop import LOOP_STUDIES, LoopGridSettings, LoopStudy, look_ahead_in_loop, write_loop_study
from spinhw.studies.in_loop.catalogue import cells_of, worst_of
from spinhw.studies.in_loop.claims import judge_loop
from spinhw.studies.in_loop.measured import LoopFound, cells_in, differences, over_cells
from spinhw.studies.in_loop.tables import loop_page
from spinhw.training import Interrupted

GRID = Path(__file__).parents[2] / "examples" / "studies" / "chip_in_the_loop.yaml"
IMAGES = 144  # To train with, of the tiny studies.
TINY = {
    "seeds": [0, 1],
    "recipe": "examples/digits.yaml",
    "device": "imperfect-chip",
    "overrides": [
        "network.layers=[3,2]",
        "training.epochs=1",
        "training.substeps=1",
        "task.train_fraction=0.1",
        "task.held_out=validation",
    ],
    "loop": ["training.epochs=1", "training.loop.learning_rate=0.03"],
    "mismatches": [0.1, 0.2],
    "noises": [0.01],
    "synapse_errors": [0.1],
    "methods": {
        "deployed": {"label": "deployed", "overrides": ["training.gradient=surrogate", "training.epochs=0"]},
        "output": {"label": "output", "overrides": ["training.gradient=output", "training.refit.when=never"]},
        "oracle": {
            "label": "oracle",
            "overrides": ["training.gradient=oracle", "training.loop.oracle_steps_per_ns=2"],
        },
        "spsa": {"label": "spsa", "overrides": ["training.gradient=spsa"], "cells": "worst", "turn": 2},
    },
    "deployed": "deployed",
    "default": "output",
    "truth": "oracle",
    "averaging": {"method": "output", "averages": [1, 2], "epochs": 2, "noises": [0.05]},
}


class Listener:
    def __init__(self) -> None:
        self.points: list[Point] = []

    def on_point(self, point: Point, predicted_s: float, outcome: Outcome) -> None:
        assert predicted_s > 0
        self.points.append(point)


def tiny_grid(**changes: object) -> LoopGridSettings:
    return build(LoopGridSettings, TINY | changes, "tiny grid")


def study_of(grid: LoopGridSettings) -> LoopStudy:
    return LOOP_STUDIES["chip_in_the_loop"](grid)


def invented(accuracy: list[float | None]) -> Outcome:
    nothing: list[float | None] = [None] * len(accuracy)
    return Outcome(list(range(len(accuracy))), nothing, nothing, nothing, 1.0, "0", None, accuracy, 100, 1.0)


def all_found(grid: LoopGridSettings, **accuracies: float) -> LoopFound:
    """Invent outcomes by method; on the ideal device that of "ideal"."""
    study, shifts = study_of(grid), np.array([-0.01, 0.01])
    outcomes = {}
    for entry in study.entries:
        mean = accuracies["ideal" if entry.chips.device == "ideal" else entry.method]
        outcomes[entry.point.key] = invented((mean + shifts).tolist())
    return LoopFound(study, outcomes)


GOOD = {"deployed": 0.6, "output": 0.95, "oracle": 0.955, "spsa": 0.5, "ideal": 0.955}


def test_the_shipped_study_has_the_cells_and_methods_of_its_claims() -> None:
    grid = load(LoopGridSettings, GRID)
    assert len(cells_of(grid)) == 12
    assert len(grid.seeds) == 10
    study = study_of(grid)
    per_cell = [name for name, method in grid.methods.items() if method.cells == "all"]
    assert len(study.entries) == 12 * len(per_cell) + len(grid.methods) - len(per_cell) + 1
    assert len({point.key for point in study.points}) == len(study.points)


def test_the_worst_cell_of_the_shipped_study_is_the_shipped_imperfect_chip() -> None:
    worst = study_of(load(LoopGridSettings, GRID)).entries[0].point.settings
    assert worst.device == Point.vary("examples/chip_in_the_loop.yaml", ()).settings.device


def test_the_most_telling_runs_come_first() -> None:
    grid = tiny_grid()
    study = study_of(grid)
    assert [entry.method for entry in study.entries[:3]] == ["deployed", "output", "oracle"]
    assert {entry.chips for entry in study.entries[:3]} == {worst_of(grid)}
    assert study.entries[3].chips.device == "ideal"
    assert study.entries[-1].method == "spsa"
    assert sum(entry.method == "spsa" for entry in study.entries) == 1


def test_a_run_that_starts_from_another_has_a_name_of_its_own() -> None:
    overrides = tuple(TINY["overrides"])  # type: ignore[arg-type]
    base = Point.vary("examples/digits.yaml", overrides)
    other = Point.vary("examples/digits.yaml", (*overrides, "network.tau=6 ns"))
    fresh, after, after_other = (
        Point.vary("examples/digits.yaml", overrides, start=one) for one in (None, base, other)
    )
    assert len({fresh.key, after.key, after_other.key}) == 3


def test_a_study_leaves_page_table_and_picture_and_goes_on_where_it_was(tmp_path: Path) -> None:
    grid = tiny_grid(mismatches=[0.2])
    study = study_of(grid)
    store, heard = PointStore(tmp_path), Listener()
    outlook = look_ahead_in_loop([study], store)
    assert len(outlook.missing) == len(study.points) == 6
    first = replace(outlook, missing=outlook.missing[:3])
    claims = run_compared(study, grid, first, tmp_path, heard, write_loop_study, jobs=1)
    assert [point.key for point in heard.points] == [point.key for point in study.points[:3]]
    assert [each.verdict for each in claims] == ["not tested"] * 4
    assert "**3 of 5 runs are not done yet**" in (tmp_path / "chip_in_the_loop.md").read_text(encoding="utf-8")

    again = look_ahead_in_loop([study], store)
    assert [point.key for point in again.missing] == [point.key for point in study.points[3:]]
    claims = run_compared(study, grid, again, tmp_path, heard, write_loop_study, jobs=1)
    assert all(each.holds is not None for each in claims)
    page = (tmp_path / "chip_in_the_loop.md").read_text(encoding="utf-8")
    assert "not done yet" not in page
    assert all(each.measured in page for each in claims)
    assert (tmp_path / "chip_in_the_loop.png").stat().st_size > 10_000
    rows = list(csv.DictReader(io.StringIO((tmp_path / "chip_in_the_loop.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 2 * len(study.entries)
    played = {row["method"]: int(row["inferences"]) for row in rows}
    assert played == {"deployed": 0, "output": IMAGES, "oracle": IMAGES, "spsa": 3 * IMAGES}
    # What is only deployed is what was trained on the simulator: the same answers there.
    base = store.outcome(study.bases[0])
    assert base is not None
    deployed = [float(row["accuracy_converged"]) for row in rows if row["method"] == "deployed"]
    assert deployed[:2] == [round(value, 6) for value in base.score_converged if value is not None]


def test_a_study_of_averages_has_equal_shots(tmp_path: Path) -> None:
    grid = tiny_grid()
    study = LOOP_STUDIES["averaging"](grid)
    run_compared(
        study, grid, look_ahead_in_loop([study], PointStore(tmp_path)), tmp_path, Listener(), write_loop_study, jobs=1
    )
    rows = list(csv.DictReader(io.StringIO((tmp_path / "averaging.csv").read_text(encoding="utf-8"))))
    assert {(row["averages"], row["epochs"]) for row in rows} == {("1", "2"), ("2", "1")}
    assert {int(row["inferences"]) for row in rows} == {2 * IMAGES}
    assert "| 5 % | 2 | 1 | 2 |" in (tmp_path / "averaging.md").read_text(encoding="utf-8")
    assert (tmp_path / "averaging.png").stat().st_size > 10_000


def test_a_failed_start_is_named_and_what_is_done_is_kept(tmp_path: Path) -> None:
    study, store = study_of(tiny_grid()), PointStore(tmp_path)
    store.place(study.bases[0]).mkdir(parents=True)
    (store.place(study.bases[0]) / "run").write_text("in the way", encoding="utf-8")
    todo = study.points[:2]
    with pytest.raises(ConfigError, match="2 of 2 points failed.*this exists already"):
        run_points(todo, store, dict.fromkeys((point.key for point in todo), 1.0), Listener(), jobs=1)


def test_ctrl_c_stops_the_study_and_leaves_the_page_of_what_is_done(tmp_path: Path, mocker: MockerFixture) -> None:
    def interrupted(settings: object, folder: Path) -> None:
        raise Interrupted("interrupted and saved")

    grid = tiny_grid()
    study = study_of(grid)
    outlook = Outlook(study.points, study.points, dict.fromkeys((point.key for point in study.points), 1.0))
    mocker.patch("spinhw.studies.work.train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_compared(study, grid, outlook, tmp_path, Listener(), write_loop_study, jobs=1)
    assert "**8 of 8 runs are not done yet**" in (tmp_path / "chip_in_the_loop.md").read_text(encoding="utf-8")


def test_claims_hold_where_the_loop_is_as_good_as_the_truth() -> None:
    grid = tiny_grid()
    assert [each.holds for each in judge_loop(all_found(grid, **GOOD), grid)] == [True] * 4
    far = all_found(grid, **(GOOD | {"output": 0.93, "deployed": 0.7}))
    assert [each.holds for each in judge_loop(far, grid)] == [False] * 4


def test_a_cell_that_is_far_off_is_told_before_all_are_measured() -> None:
    grid = tiny_grid()
    found = all_found(grid, **(GOOD | {"output": 0.93}))
    worst = {entry.point.key for entry in found.study.entries if entry.chips == worst_of(grid)}
    part = LoopFound(found.study, {key: one for key, one in found.outcomes.items() if key in worst})
    verdicts = [each.verdict for each in judge_loop(part, grid)]
    assert verdicts == ["not tested", "no", "not tested", "not tested"]


def test_differences_are_taken_pair_by_pair() -> None:
    found = all_found(tiny_grid(), **GOOD)
    apart = differences(found, "output", "oracle")
    assert list(apart) == cells_in(found)
    assert over_cells(apart) == pytest.approx([-0.005, -0.005])


def test_a_network_that_diverged_counts_as_zero_and_is_empty_in_the_table() -> None:
    grid = tiny_grid()
    found = all_found(grid, **GOOD)
    entry = found.study.entries[1]
    lost = LoopFound(found.study, {**found.outcomes, entry.point.key: invented([None, 0.9])})
    accuracy = lost.accuracy(worst_of(grid), "output")
    assert accuracy is not None
    assert accuracy.tolist() == [0.0, 0.9]
    assert "| output | 50 | 0.5 s |" in loop_page(lost, grid, [])


def test_a_method_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="there is no method teacher among deployed, output"):
        tiny_grid(truth="teacher")
    with pytest.raises(ConfigError, match="epochs is 3, which 2 averages do not divide"):
        tiny_grid(averaging=TINY["averaging"] | {"epochs": 3})  # type: ignore[operator]
