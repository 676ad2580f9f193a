import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinhw.config import build, load
from spinhw.errors import ConfigError
from spinhw.studies import Outcome, Point, PointStore, run_compared
from spinhw.studies.execute import missing_of
from spinhw.studies.in_loop import look_ahead_in_loop
from spinhw.studies.synapses import SYNAPSE_STUDIES, SynapseGridSettings, SynapseStudy, write_synapse_study
from spinhw.studies.synapses.catalogue import WITH, WITHOUT, sweeps_of
from spinhw.studies.synapses.claims import answer, judge_synapses
from spinhw.studies.synapses.measured import NeededSpacing, SynapsesFound, needed_spacing

GRID = Path(__file__).parents[2] / "examples" / "studies" / "rf_synapses.yaml"
KNOWN = "calibration={resonators: truth, resonator_error: 0.02}"
TINY = {
    "seeds": [0, 1],
    "recipe": "examples/resonators.yaml",
    "device": "rf-chip",
    "overrides": [
        "network.layers=[4]",
        "network.readout_samples=2",
        "task.read_by=row",
        "task.train_fraction=0.1",
        "task.held_out=validation",
        "training.epochs=1",
        "training.substeps=1",
    ],
    "chips": {"spacing": 16, "frequency_spread": 0.003, "repeatability": 0.01},
    "sweeps": {"spacing": [8, 16], "dead": [0.3]},
    "ideal": ["device.chip.spread={}", "device.chip.synapses.rf.frequency_spread=0.0"],
    "loop": ["training.epochs=1", "training.loop.learning_rate=0.03", "training.refit.when=never"],
    "methods": {
        "deployed": {"label": "deployed", "overrides": ["training.gradient=surrogate", "training.epochs=0"]},
        "verified": {
            "label": "programmed by measuring",
            "overrides": [
                "training.gradient=surrogate",
                "training.epochs=0",
                "calibration={resonators: truth, resonator_error: 0.02, verify_rounds: 2}",
            ],
        },
        "loop": {"label": "in the loop", "overrides": ["training.gradient=output", KNOWN]},
    },
    "deployed": "deployed",
    "default": "loop",
    "truth": "loop",
}


class Listener:
    def __init__(self) -> None:
        self.keys: list[str] = []

    def on_point(self, point: Point, predicted_s: float, outcome: Outcome) -> None:
        assert predicted_s > 0
        self.keys.append(point.key)


def tiny_grid(**changes: object) -> SynapseGridSettings:
    return build(SynapseGridSettings, TINY | changes, "tiny grid")


def study_of(grid: SynapseGridSettings) -> SynapseStudy:
    return SYNAPSE_STUDIES["rf_synapses"](grid)


def invented(accuracy: list[float | None], readings: int = 0) -> Outcome:
    nothing: list[float | None] = [None] * len(accuracy)
    return Outcome(
        list(range(len(accuracy))), nothing, nothing, nothing, 1.0, "0", None, accuracy, 100, 1.0, readings=readings
    )


def all_found(grid: SynapseGridSettings, **accuracies: float) -> SynapsesFound:
    """Invent outcomes: by method, or of the method that decides by method and spacing, such as "loop8"."""
    study, shifts = study_of(grid), np.array([-0.001, 0.001])
    outcomes = {}
    for run in study.entries:
        name = {WITH: "ideal", WITHOUT: "blind"}.get(run.method, run.method)
        mean = accuracies.get(f"{name}{run.chips.spacing:g}", accuracies.get(name, 0.5))
        outcomes[run.point.key] = invented((mean + shifts).tolist(), 1000)
    return SynapsesFound(study, outcomes)


GOOD = {"deployed": 0.1, "loop": 0.955, "loop8": 0.93, "ideal": 0.96, "blind": 0.9}


def test_the_shipped_study_varies_one_axis_at_a_time_around_the_shipped_chip() -> None:
    grid = load(SynapseGridSettings, GRID)
    study = study_of(grid)
    assert len(grid.seeds) == 10
    assert [chips.spacing for chips in sweeps_of(grid)["spacing"]] == [4, 8, 16, 32]
    assert [chips.frequency_spread for chips in sweeps_of(grid)["frequency_spread"]] == [0.001, 0.003, 0.01]
    others = sum(len(chips) - 1 for chips in sweeps_of(grid).values())
    assert len(study.entries) == len(grid.methods) * (1 + others) + 2 * 4
    assert len(study.bases) == 2 * 4
    assert len({point.key for point in study.points}) == len(study.points)
    middle = next(run for run in study.entries if run.chips == grid.chips and run.method == grid.default)
    shipped = Point.vary("examples/resonators.yaml", ("device=rf-chip",)).settings.device
    assert middle.point.settings.device == shipped


def test_every_run_starts_from_the_networks_of_its_spacing() -> None:
    study = study_of(tiny_grid())
    assert [base.settings.network.synapses.crosstalk for base in study.bases] == [True, True, False, False]
    for run in study.entries:
        start, network = run.point.start, run.point.settings.network
        assert start is not None
        assert start.settings.network.synapses.spacing_hz == network.synapses.spacing_hz
        assert start.settings.network.synapses.crosstalk == (run.method != WITHOUT)
        assert network.synapses.crosstalk


def test_a_study_leaves_page_table_and_picture_and_goes_on_where_it_was(tmp_path: Path) -> None:
    grid = tiny_grid()
    study, store, heard = study_of(grid), PointStore(tmp_path), Listener()
    # The chips in the middle are trained and measured; what is said of all others was there already.
    base = study.bases[0]
    middle = [run.point for run in study.entries if run.chips == grid.chips and not run.ideal]
    done = {point.key for point in (base, *middle)}
    for point in study.points:
        if point.key not in done:
            store.save(point, invented([0.5, 0.6]))
    outlook = look_ahead_in_loop([study], store)
    assert {point.key for point in outlook.missing} == done
    claims = run_compared(study, grid, replace(outlook, missing=[base]), tmp_path, heard, write_synapse_study, jobs=1)
    assert [each.verdict for each in claims][:2] == ["not tested"] * 2
    assert "**3 of 13 runs are not done yet**" in (tmp_path / "rf_synapses.md").read_text(encoding="utf-8")

    again = look_ahead_in_loop([study], store)
    assert {point.key for point in again.missing} == done - {base.key}
    claims = run_compared(study, grid, again, tmp_path, heard, write_synapse_study, jobs=1)
    assert sorted(heard.keys) == sorted(done)
    assert all(each.holds is not None for each in claims)
    page = (tmp_path / "rf_synapses.md").read_text(encoding="utf-8")
    assert "not done yet" not in page
    assert all(each.measured in page for each in claims)
    assert (tmp_path / "rf_synapses.png").stat().st_size > 10_000
    rows = list(csv.DictReader(io.StringIO((tmp_path / "rf_synapses.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 2 * len(study.entries)
    measured = [row for row in rows if row["point"] in done]
    # Only who programs by measuring reads chains, and only the loop plays images to train.
    assert {row["method"] for row in measured if int(row["readings"])} == {"verified"}
    assert {row["method"] for row in measured if int(row["inferences"])} == {"loop"}


def test_networks_that_others_start_from_are_trained_again_where_only_the_table_is_left(tmp_path: Path) -> None:
    study, store = study_of(tiny_grid()), PointStore(tmp_path)
    *done, last = study.points
    for point in done:
        store.save(point, invented([0.5, 0.6]))
    assert [point.key for point in missing_of(study.points, store)] == [study.bases[0].key, last.key]
    (store.place(study.bases[0]) / "run").mkdir(parents=True)
    assert missing_of(study.points, store) == [last]
    store.save(last, invented([0.5, 0.6]))
    assert missing_of(study.points, store) == []


def test_the_answer_is_the_closest_spacing_that_is_good_enough_with_its_interval() -> None:
    grid = tiny_grid()
    needed = needed_spacing(all_found(grid, **GOOD), grid, "loop")
    assert needed is not None
    assert (needed.spacing, needed.interval) == (16.0, [16.0, 16.0])
    said = answer(all_found(grid, **GOOD), grid)
    assert said.startswith(
        "A designer needs 16 half-linewidths from tone to tone (95 % interval 16 to 16, among 8, 16)"
    )
    assert "-2.50 points" in said
    closer = needed_spacing(all_found(grid, **GOOD | {"loop8": 0.95}), grid, "loop")
    assert closer is not None
    assert closer.spacing == 8.0


def test_an_answer_that_hangs_on_few_chips_says_so_by_its_interval() -> None:
    # One chip of ten loses ten points at the closer spacing: in some draws none of it, in others several.
    accuracy = np.full((10, 2), 0.95)
    accuracy[0, 0] = 0.85
    needed = NeededSpacing((8.0, 16.0), accuracy)
    assert needed.spacing == 8.0
    assert needed.interval == [8.0, 16.0]


def test_claims_hold_and_fail_by_what_was_measured() -> None:
    grid = tiny_grid()
    assert [each.holds for each in judge_synapses(all_found(grid, **GOOD), grid)] == [True] * 5
    bad = {"deployed": 0.9, "loop": 0.9, "loop8": 0.93, "ideal": 0.96, "blind": 0.96}
    verdicts = [each.holds for each in judge_synapses(all_found(grid, **bad), grid)]
    assert verdicts == [True, False, True, False, False]


def test_a_recipe_without_resonators_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"network.synapses of kind weights.*allowed: network.synapses of kind reson"):
        study_of(tiny_grid(recipe="examples/digits.yaml", overrides=[]))


def test_a_method_that_is_named_and_missing_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is no method oracle among deployed, verified, loop"):
        tiny_grid(truth="oracle")


def test_a_table_of_before_readings_were_counted_is_gone_on_with(tmp_path: Path) -> None:
    point, other = study_of(tiny_grid()).points[:2]
    store = PointStore(tmp_path)
    store.save(point, invented([0.5, None]))
    table = tmp_path / "points.csv"
    head, row = table.read_text(encoding="utf-8").splitlines()
    cells = next(csv.reader([row]))
    place = head.split(",").index("readings")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [one for number, one in enumerate(line) if number != place] for line in (head.split(","), cells)
    )
    table.write_text(text.getvalue(), encoding="utf-8")
    store = PointStore(tmp_path)
    assert store.outcome(point) == invented([0.5, None])
    store.save(other, invented([0.5, 0.6], readings=7))
    fresh = PointStore(tmp_path)
    assert fresh.outcome(point) == invented([0.5, None])
    assert fresh.outcome(other) == invented([0.5, 0.6], readings=7)
