import csv
import io
import json
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from pytest_mock import MockerFixture

from spinhw.config import build, load
from spinhw.errors import ConfigError
from spinhw.studies import GridSettings, Outcome, Point, PointStore, look_ahead, run_studies, studies_named
from spinhw.studies.catalogue import STUDIES
from spinhw.studies.claims import judge
from spinhw.studies.execute import run_points
from spinhw.studies.forecast import forecast_s
from spinhw.studies.in_loop import LOOP_STUDIES
from spinhw.studies.measured import MeasuredCurve, measure
from spinhw.studies.merit import centre, window
from spinhw.studies.names import FIGURES, LOOPS, SYNAPSES
from spinhw.studies.outcome import PowerTrace, cumulative_drive, mean_weights
from spinhw.studies.study import Curve
from spinhw.studies.synapses import SYNAPSE_STUDIES
from spinhw.studies.tables import as_csv, as_markdown
from spinhw.studies.work import train_point, work
from spinhw.training import Diverged, train
from spinhw.training.statistics import difference_interval

GRID = Path(__file__).parents[2] / "examples" / "studies" / "paper.yaml"
TINY = {
    "seeds": [0, 1],
    "protocols": {
        "paper": {
            "spintronic": "examples/digits_paper.yaml",
            "ctrnn": "examples/ctrnn_paper.yaml",
            "taus": ["5 ns", "14.12 ns"],
            "learning_rates": [0.03, 0.14],
        }
    },
    "overrides": [
        "task.train_fraction=0.2",
        "task.held_out=validation",
        "network.layers=[3,2]",
        "training.batch_size=300",
        "training.epochs=1",
        "training.substeps=1",
    ],
    "sample_intervals": ["0.4 ns", "1 ns"],
    "substeps": [1, 1],
    "traced_intervals": ["1 ns"],
    "densities_intra": [0.0, 1.0],
    "densities_inter": [0.5],
    "densities_all": [1.0],
}


class Listener:
    def __init__(self) -> None:
        self.points: list[str] = []

    def on_point(self, point: Point, predicted_s: float, outcome: Outcome) -> None:
        self.points.append(point.key)


def tiny_grid(**changes: object) -> GridSettings:
    return build(GridSettings, TINY | changes, "tiny grid")


def tiny_point(*overrides: str, traced: bool = False) -> Point:
    return Point.vary(
        "examples/digits_paper.yaml", (*tiny_grid().overrides, "training.seeds=[0, 1]", *overrides), traced
    )


def outcome(accuracy: list[float | None], weight: float = 0.1) -> Outcome:
    return Outcome(list(range(len(accuracy))), accuracy, accuracy, [weight] * len(accuracy), 1.0, "0")


def curve_of(name: str, label: str, x: list[float], medians: list[float], **how: object) -> MeasuredCurve:
    kind = str(how.pop("kind", "spintronic"))
    points = tuple(Point.vary(f"examples/{name}.yaml", (f"task.sample_interval={1e9 * at!r} ns",)) for at in x)
    outcomes = tuple(outcome([value - 0.01, value, value + 0.01]) for value in medians)
    return MeasuredCurve(Curve("paper", label, kind, tuple(x), points), outcomes)


def test_the_shipped_grid_trains_more_than_a_thousand_networks() -> None:
    grid = load(GridSettings, GRID)
    store = {point.key: point for study in studies_named("all", grid) for point in study.points}
    assert sum(len(point.settings.training.seeds) for point in store.values()) > 1000
    assert set(grid.protocols) == {"per_ns", "per_tau"}


def test_figures_share_their_points() -> None:
    grid = tiny_grid()
    fig3a, fig3c = (STUDIES[name](grid) for name in ("fig3a", "fig3c"))
    assert {point.key for point in fig3a.points} <= {point.key for point in fig3c.points}
    assert len(fig3c.points) < sum(len(curve.points) for curve in fig3c.curves)


def test_the_names_that_are_known_beforehand_are_those_of_the_studies() -> None:
    assert (FIGURES, LOOPS, SYNAPSES) == (tuple(STUDIES), tuple(LOOP_STUDIES), tuple(SYNAPSE_STUDIES))


def test_an_unknown_study_is_named_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match="no study 'fig2'.*fig2b.*did you mean 'fig2b'"):
        studies_named("fig2", tiny_grid())


def test_every_interval_needs_its_substeps() -> None:
    with pytest.raises(ConfigError, match="substeps lists 1 numbers for 2 sample_intervals"):
        tiny_grid(substeps=[1])


def test_a_point_says_how_to_train_it_alone() -> None:
    point = tiny_point("network.tau=7 ns")
    assert point.command.startswith("spinhw train examples/digits_paper.yaml --set ")
    assert '--set "network.tau=7 ns"' in point.command
    assert point.key == tiny_point("network.tau=7.0 ns").key != tiny_point("network.tau=8 ns").key


def test_a_point_keeps_its_key_when_settings_get_new_keys() -> None:
    settings = tiny_point().settings
    chosen = settings.chosen()
    assert chosen["task"]["kind"] == "sequential_digits" and "input_noise" not in chosen["training"]
    assert build(type(settings), chosen, "chosen") == settings
    assert tiny_point("training.input_noise=0.0").key == tiny_point().key  # As by default.
    assert tiny_point("training.input_noise=0.1").key != tiny_point().key


def test_a_study_leaves_table_picture_claims_and_is_not_done_twice(tmp_path: Path) -> None:
    grid = tiny_grid()
    studies = studies_named("fig2b", grid)
    heard = Listener()
    outlook = look_ahead(studies, PointStore(tmp_path))
    assert len(outlook.missing) == len(outlook.points) == 4
    assert outlook.networks == 8
    assert outlook.total_s > 0
    claims = run_studies(studies, grid, outlook, tmp_path, heard, jobs=1)
    assert sorted(heard.points) == sorted(point.key for point in outlook.points)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "fig2b.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 8
    assert {row["network"] for row in rows} == {"spintronic", "ctrnn"}
    assert {float(row["sample_interval_s"]) for row in rows} == {0.4e-9, 1e-9}
    assert (tmp_path / "fig2b.png").stat().st_size > 10_000
    assert len(claims) == 4
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "8 networks at 4 points" in page
    assert "![Accuracy over the time between two input points](fig2b.png)" in page
    assert all(each.measured in page for each in claims)
    again = look_ahead(studies, PointStore(tmp_path))
    assert again.missing == []
    assert again.total_s == 0
    assert [each.measured for each in run_studies(studies, grid, again, tmp_path, Listener(), jobs=1)] == [
        each.measured for each in claims
    ]


def test_series_of_several_channels_are_studied_and_bear_on_no_claim(tmp_path: Path) -> None:
    inputs, labels = np.random.default_rng(0).normal(size=(20, 6, 2)).astype(np.float32), np.arange(20) % 2
    np.savez(tmp_path / "mine.npz", inputs=inputs, targets=labels)
    training = {"epochs": 1, "batch_size": 8, "substeps": 1, "fine_steps_per_ns": 16}
    run = {"task": {"kind": "series", "file": "mine.npz"}, "network": {"layers": [2]}, "training": training}
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(yaml.safe_dump(run), encoding="utf-8")
    protocol = {"spintronic": str(recipe), "ctrnn": str(recipe), "taus": ["5 ns"], "learning_rates": [0.1]}
    grid = tiny_grid(protocols={"mine": protocol}, overrides=[], seeds=[0])
    studies = studies_named("headline", grid)
    outlook = look_ahead(studies, PointStore(tmp_path))
    assert run_studies(studies, grid, outlook, tmp_path, Listener(), jobs=1) == []
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "those of the test sequences" in page and "None of the paper's claims is tested" in page
    assert "digits" not in page

    def key_of(name: str) -> str:
        (tmp_path / name).write_bytes(recipe.read_bytes())
        return Point.vary(str(tmp_path / name), ()).key

    before = key_of("again.yaml")
    assert key_of("once more.yaml") == before
    np.savez(tmp_path / "mine.npz", inputs=inputs + 1, targets=labels)
    assert key_of("other data.yaml") != before


def test_the_page_keeps_what_an_earlier_command_has_measured(tmp_path: Path) -> None:
    grid = tiny_grid(traced_intervals=[])

    def page_after(name: str, grid: GridSettings) -> str:
        studies, store = studies_named(name, grid), PointStore(tmp_path)
        outlook = look_ahead(studies, store)
        for point in outlook.missing:
            store.save(point, outcome([0.5, 0.7]))
        run_studies(studies, grid, outlook, tmp_path, Listener(), jobs=1)
        return (tmp_path / "README.md").read_text(encoding="utf-8")

    assert page_after("fig4", grid).count("](fig") == 1
    both = page_after("fig2b", grid)
    assert both.index("(fig2b.png)") < both.index("(fig4.png)") and "14 networks at 7 points" in both
    other = tiny_grid(traced_intervals=[], seeds=[0, 1, 2])  # Not of these points.
    assert "(fig4.png)" not in page_after("fig2b", other)


def values_grid(folder: Path, **task: object) -> GridSettings:
    training = {"epochs": 1, "batch_size": 4, "substeps": 1, "fine_steps_per_ns": 16}
    narma = {"kind": "narma10", "length": 30, "washout": 5, "sequences": 8, **task}
    network = {"layers": [2], "outputs": 1, "readout": "software"}
    recipe = folder / "values.yaml"
    recipe.write_text(yaml.safe_dump({"task": narma, "network": network, "training": training}), encoding="utf-8")
    software = folder / "software.yaml"
    peer = network | {"kind": "ctrnn", "saturation": {"kind": "none"}}
    software.write_text(yaml.safe_dump({"task": narma, "network": peer, "training": training}), encoding="utf-8")
    protocol = {"spintronic": str(recipe), "ctrnn": str(software), "taus": ["5 ns"], "learning_rates": [0.1]}
    return tiny_grid(protocols={"mine": protocol}, overrides=[], traced_intervals=[])


@pytest.mark.parametrize("name", ["ctrnn", "fig2b"])
def test_studies_of_values_show_errors_and_an_error_of_what_diverged_has_no_bound(name: str, tmp_path: Path) -> None:
    (study,) = studies_named(name, values_grid(tmp_path))
    store = PointStore(tmp_path)
    outlook = look_ahead([study], store)
    for place, point in enumerate(outlook.missing):
        store.save(point, outcome([0.5, None if place == 0 else 0.7]))
    assert run_studies([study], values_grid(tmp_path), outlook, tmp_path, Listener(), jobs=1) == []
    rows = list(csv.DictReader(io.StringIO((tmp_path / f"{name}.csv").read_text(encoding="utf-8"))))
    assert {row["measure"] for row in rows} == {"nrmse"}
    assert sorted(row["score_converged"] for row in rows)[:2] == ["", "0.5"]
    curves = measure(study, store.outcomes(outlook.points))
    assert max(curve.score.max() for curve in curves) == np.inf
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    assert "Values of NRMSE are those of the test sequences" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_a_point_of_values_is_trained_and_measured(tmp_path: Path) -> None:
    grid = values_grid(tmp_path)
    point = studies_named("headline", grid)[0].points[0]
    found = train_point(point, tmp_path / "point")
    assert all(value is not None and 0 < value < 10 for value in (*found.score, *found.score_converged))


def test_protocols_that_are_measured_differently_stand_in_no_picture(tmp_path: Path) -> None:
    both = values_grid(tmp_path).protocols | tiny_grid().protocols
    with pytest.raises(ConfigError, match="measured differently.*mine by nrmse, paper by accuracy"):
        studies_named("headline", values_grid(tmp_path).model_copy(update={"protocols": both}))


def test_a_point_goes_on_where_it_was_killed(tmp_path: Path, mocker: MockerFixture) -> None:
    point = tiny_point("training.epochs=2")
    whole = train_point(point, tmp_path / "whole")

    def killed(settings: object, folder: Path) -> None:
        # As if the process had died after the first epoch: its checkpoint is there, nothing else.
        short = point.settings.model_copy(update={"training": point.settings.training.model_copy()})
        mocker.patch("spinhw.training.run.measure_simulated", _die)
        train(short, folder)

    mocker.patch("spinhw.studies.work.train", killed)
    with pytest.raises(RuntimeError, match="killed"):
        train_point(point, tmp_path / "cut")
    mocker.stopall()
    resumed = train_point(point, tmp_path / "cut")
    assert replace(resumed, wall_s=0.0, cpu_s=0.0) == replace(whole, wall_s=0.0, cpu_s=0.0)


def test_a_point_begins_anew_where_it_was_killed_while_its_first_files_were_written(tmp_path: Path) -> None:
    point = tiny_point()
    whole = train_point(point, tmp_path / "whole")
    for name in (".config.yaml.7.tmp", ".checkpoint.safetensors.7.tmp"):
        run = tmp_path / name / "run"
        run.mkdir(parents=True)
        (run / name).write_bytes(b"half")
        assert replace(train_point(point, run.parent), wall_s=0.0, cpu_s=0.0) == replace(whole, wall_s=0.0, cpu_s=0.0)
        assert not list(run.glob(".*"))


def _die(*arguments: object) -> None:
    raise RuntimeError("killed")


def test_networks_that_diverge_are_left_out_and_the_others_come_out_as_alone(
    tmp_path: Path, mocker: MockerFixture
) -> None:
    point = tiny_point()
    whole = train_point(point, tmp_path / "whole")

    def diverges(settings: object, folder: Path) -> object:
        seeds = settings.training.seeds  # type: ignore[attr-defined]
        if 0 in seeds:
            fine = np.array([seed != 0 for seed in seeds])
            raise Diverged("training diverged", fine, seeds, seen="NaN", todo="nothing")  # type: ignore[arg-type]
        return train(settings, folder)  # type: ignore[arg-type]

    mocker.patch("spinhw.studies.work.train", diverges)
    found = train_point(point, tmp_path / "cut")
    assert found.score == [None, whole.score[1]]
    assert found.mean_weight[1] == whole.mean_weight[1]
    assert found.converged()[0] == 0.0
    assert json.loads((tmp_path / "cut" / "diverged.json").read_text(encoding="utf-8")) == [0]


def test_a_point_that_fails_spares_the_others_and_is_named(tmp_path: Path) -> None:
    good, bad = tiny_point(), tiny_point("training.epochs=2")
    store = PointStore(tmp_path)
    store.place(bad).mkdir(parents=True)
    (store.place(bad) / "run").write_text("in the way", encoding="utf-8")
    with pytest.raises(ConfigError, match="1 of 2 points failed.*training.epochs=2.*this exists already"):
        run_points([good, bad], store, {good.key: 1.0, bad.key: 2.0}, Listener(), jobs=1)
    assert store.outcome(good) is not None
    assert store.outcome(bad) is None


def test_a_traced_point_keeps_a_waveform_of_every_class(tmp_path: Path) -> None:
    plain, traced = tiny_point(), tiny_point(traced=True)
    store = PointStore(tmp_path)
    store.save(plain, work(plain, store.place(plain), 0).outcome or outcome([0.0]))
    assert store.outcome(plain) is not None
    assert store.outcome(traced) is None  # The same point, but the waveforms are missing.
    found = work(traced, store.place(traced), 0).outcome
    assert found is not None
    assert found.trace is not None
    assert np.shape(found.trace.power) == (2, 10, 65)  # A neuron of each layer.
    assert found.trace.labels == list(range(10))


def test_two_processes_give_the_same_bits_as_one(tmp_path: Path) -> None:
    points = [tiny_point(), tiny_point("network.tau=5 ns")]
    expected = dict.fromkeys((point.key for point in points), 1.0)
    found = []
    for jobs in (1, 2):
        store = PointStore(tmp_path / str(jobs))
        run_points(points, store, expected, Listener(), jobs=jobs)
        found.append([replace(store.outcome(point), wall_s=0.0, cpu_s=0.0) for point in points])  # type: ignore[type-var]
    assert found[0] == found[1]


def test_a_worker_that_was_killed_is_one_line(tmp_path: Path, mocker: MockerFixture) -> None:
    said = "A worker process was terminated.\n\nThe exit codes of the workers are {SIGKILL(-9)}\nMore on stderr."
    mocker.patch("spinhw.studies.execute.Parallel", return_value=mocker.Mock(side_effect=BrokenProcessPool(said)))
    with pytest.raises(ConfigError, match=r"ended before it was done.*seen: ended with SIGKILL\(-9\).*--jobs"):
        run_points([tiny_point()], PointStore(tmp_path), {tiny_point().key: 1.0}, Listener(), jobs=2)


def test_a_worker_of_a_cluster_that_was_killed_is_one_line(tmp_path: Path, mocker: MockerFixture) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    gone = distributed.KilledWorker("a point", mocker.Mock(address="tcp://10.0.0.5:1"), 3)
    mocker.patch("spinhw.studies.execute.Parallel", return_value=mocker.Mock(side_effect=gone))
    for name in ("distributed.Client", "spinhw.studies.execute.parallel_config"):
        mocker.patch(name, return_value=mocker.MagicMock(__exit__=mocker.Mock(return_value=None)))
    with pytest.raises(ConfigError, match=r"ended before it was done.*logs of the workers"):
        run_points(
            [tiny_point()], PointStore(tmp_path), {tiny_point().key: 1.0}, Listener(), cluster="tcp://10.0.0.5:2"
        )


def test_points_are_spread_over_a_dask_cluster(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    points = [tiny_point(), tiny_point("network.tau=5 ns")]
    store = PointStore(tmp_path)
    local = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None)
    with local as cluster:
        run_points(
            points,
            store,
            dict.fromkeys((point.key for point in points), 1.0),
            Listener(),
            cluster=cluster.scheduler_address,
        )
    assert all(store.outcome(point) is not None for point in points)


def test_a_scheduler_that_is_not_there_is_one_line(tmp_path: Path, mocker: MockerFixture) -> None:
    mocker.patch("spinhw.studies.execute.ANSWERS_WITHIN", "0.2 s")  # Nobody answers, however long one waits.
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with pytest.raises(ConfigError, match="--cluster: the Dask scheduler does not answer.*tcp://127.0.0.1:9"):
        run_points(
            [tiny_point()], PointStore(tmp_path), {tiny_point().key: 1.0}, Listener(), cluster="tcp://127.0.0.1:9"
        )


def test_the_forecast_grows_with_epochs_and_substeps() -> None:
    points = [tiny_point(), tiny_point("training.epochs=11"), tiny_point("training.epochs=11", "training.substeps=5")]
    predicted = forecast_s(points)
    short, long, fine = (predicted[point.key] for point in points)
    assert 0 < short < long < fine


def test_the_cumulative_drive_is_equation_11() -> None:
    settings = Point.vary("examples/digits_paper.yaml", ()).settings
    # S <|W|> sqrt(d_inter 32 + d_intra 32) dt at 1/ns: 0.5 x 0.25 x sqrt(32).
    assert cumulative_drive(settings, [0.25, None]) == [pytest.approx(0.125 * 32**0.5), None]


def test_mean_weights_count_only_synapses_that_exist() -> None:
    import torch

    weights = {"w_ext.0": torch.full((1, 2, 1), 9.0), "w_int.0": torch.tensor([[[1.0, -3.0], [0.0, 0.0]]])}
    masks = {"w_ext.0": torch.ones(1, 2, 1, dtype=torch.bool), "w_int.0": torch.tensor([[[1, 1], [0, 0]]]).bool()}
    assert mean_weights(weights, masks) == [2.0]


def test_the_window_is_the_widest_run_around_the_best() -> None:
    x = [0.1e-9, 0.4e-9, 1e-9, 2.5e-9, 10e-9]
    curve = curve_of("digits_paper", "one", x, [0.89, 0.5, 0.9, 0.88, 0.6])
    assert window(curve) == (1e-9, 2.5e-9)
    assert centre(curve) == pytest.approx(2.5**0.5 * 1e-9)


def test_claims_hold_where_the_paper_is_reproduced_and_not_where_it_is_not() -> None:
    x = [0.1e-9, 0.4e-9, 1e-9, 2.5e-9, 10e-9]
    software = curve_of("ctrnn_paper", "ctrnn", x, [0.5, 0.88, 0.9, 0.89, 0.5], kind="ctrnn")
    as_published = curve_of("digits_paper", "spintronic", x, [0.5, 0.89, 0.91, 0.9, 0.6])
    narrow = curve_of("digits_paper", "spintronic", x, [0.85, 0.5, 0.91, 0.6, 0.6])
    assert [each.verdict for each in judge("fig2b", [as_published, software])] == ["yes"] * 4
    assert [each.verdict for each in judge("fig2b", [narrow, software])] == ["yes", "no", "no", "no"]


def test_a_shift_of_the_optimum_is_seen_in_the_middle_of_the_windows() -> None:
    x = [0.4e-9, 1e-9, 2.5e-9]
    fast = curve_of("digits", "tau 5 ns", x, [0.9, 0.5, 0.4])
    slow = curve_of("digits_paper", "tau 14.12 ns", x, [0.4, 0.5, 0.9])
    assert judge("fig3a", [slow, fast])[0].holds
    swapped = [replace(fast, outcomes=slow.outcomes), replace(slow, outcomes=fast.outcomes)]
    assert not judge("fig3a", swapped)[0].holds


def test_a_claim_without_points_is_not_tested() -> None:
    x = [1e-9, 2.5e-9]
    verdicts = [each.verdict for each in judge("fig3c", [curve_of("digits_paper", "one", x, [0.9, 0.8])])]
    assert verdicts[1] == "not tested"


def test_parity_is_an_interval_of_the_difference() -> None:
    stream = np.random.default_rng(1)
    one, other = stream.normal(0.9, 0.02, 10), stream.normal(0.9, 0.02, 10)
    low, high = difference_interval(one, other)
    assert low < one.mean() - other.mean() < high
    low, high = difference_interval(one, other + 0.1)
    assert high < 0


def test_tables_write_every_network_and_leave_divergence_empty() -> None:
    curve = curve_of("digits_paper", "one", [1e-9], [0.9])
    lost = replace(curve, outcomes=(outcome([None, 0.5]),))
    rows = list(csv.DictReader(io.StringIO(as_csv("fig2b", [lost]))))
    assert [row["score_converged"] for row in rows] == ["", "0.5"]
    assert as_markdown(judge("headline", [curve])).splitlines()[2].startswith("| paper | 89.83")


def test_outcomes_survive_the_disk(tmp_path: Path) -> None:
    trace = PowerTrace([3, 1], [[[0.5, 0.25], [0.5, 1 / 3]], [[0.5, 0.125], [0.5, 0.7]]])
    found = replace(outcome([1 / 3, None]), trace=trace, epochs=7, on_plateau=False, score_on_device=[0.1, 0.2])
    point, other = tiny_point(), tiny_point("network.tau=8 ns")
    PointStore(tmp_path).save(point, outcome([0.1]))
    store = PointStore(tmp_path)
    store.save(other, outcome([0.5]))
    store.save(point, found)  # The last line counts.
    for one in (store, PointStore(tmp_path)):
        assert one.outcome(point) == found and one.outcome(other) == outcome([0.5])
    assert (tmp_path / "points.csv").read_text(encoding="utf-8").count("\n") == 4


def test_a_table_that_was_cut_short_goes_on_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    point, other = tiny_point(), tiny_point("network.tau=8 ns")
    for one in (point, other):
        PointStore(tmp_path).save(one, outcome([0.5]))
    table = tmp_path / "points.csv"
    whole = table.read_bytes()
    table.write_bytes(whole[:-20])
    store = PointStore(tmp_path)
    assert store.outcome(point) is not None and store.outcome(other) is None
    store.save(other, outcome([0.5]))
    assert table.read_bytes() == whole
    table.write_bytes(whole.replace(b"0.5", b"0,5", 1))
    with pytest.raises(ConfigError, match=r"points\.csv: line 2 is damaged.*take the line out"):
        PointStore(tmp_path).outcome(point)


def test_each_point_is_trained_on_to_its_plateau_and_goes_on_from_the_shorter_run(tmp_path: Path) -> None:
    grid = tiny_grid(plateau={"rise": 0.9, "most": 3}, sample_intervals=["1 ns"], substeps=[1])
    study = STUDIES["headline"](grid)
    short, long = (curve.points[0] for curve in study.curves)
    assert (long.shorter, long.settings.training.epochs, study.last_look) == (short, 3, "plateau")
    store = PointStore(tmp_path / "one")
    run_points([long, short], store, dict.fromkeys((long.key, short.key), 1.0), Listener(), jobs=1)
    found, alone = store.outcome(long), train_point(long, tmp_path / "alone")  # The shorter run is not there.
    assert found is not None and (found.epochs, found.on_plateau) == (2, True)
    assert replace(found, wall_s=0.0, cpu_s=0.0) == replace(alone, wall_s=0.0, cpu_s=0.0)


def test_what_another_measurement_says_stands_beside_the_verdict() -> None:
    full = curve_of("digits_paper", "spintronic", [1e-9], [0.9])
    short = replace(full, outcomes=(outcome([0.5, 0.5]),))
    claim = judge("headline", [short, replace(full, curve=replace(full.curve, look="plateau"))])[0]
    assert claim.holds and claim.how == "at the plateau, converged"
    assert [one.how for one in claim.differing] == [
        "after the recipe's epochs, converged", "after the recipe's epochs, training step"
    ]  # fmt: skip
    assert "after the recipe's epochs, converged: no, 50.00" in as_markdown([claim])
    told = judge("headline", [full], {"paper": "by design"})
    assert told[0].verdict == "no test" and "**no test** (by design)" in as_markdown(told)


def test_the_rate_rule_compares_the_best_rate_with_the_weights_that_it_leads_to() -> None:
    x = [0.4e-9, 1e-9]
    asked = [1 / (0.5 * 32**0.5) / one for one in (0.4, 1.0)]  # At a drive of 1 / ns.

    def curve(rate: float, medians: list[float], weights: list[float]) -> MeasuredCurve:
        learning = f"training.optimiser.learning_rate={rate!r}"
        points = tuple(Point.vary("digits_paper", (f"task.sample_interval={1e9 * at!r} ns", learning)) for at in x)
        outcomes = tuple(outcome([one], size) for one, size in zip(medians, weights, strict=True))
        return MeasuredCurve(Curve("paper", f"{rate:g}", "spintronic", tuple(x), points), outcomes)

    fast = curve(asked[0] / 100, [0.9, 0.5], [asked[0], 9.0])
    slow = curve(asked[1] / 100, [0.5, 0.9], [1.0, asked[1]])
    assert [one.verdict for one in judge("rate_rule", [slow, fast])] == ["yes", "yes"]
    heavy = replace(fast, outcomes=(outcome([0.9], 9 * asked[0]), fast.outcomes[1]))
    assert [one.verdict for one in judge("rate_rule", [slow, heavy])] == ["no", "yes"]


def test_the_drive_of_a_unit_weight_follows_tau_where_the_recipe_says_so() -> None:
    grid = tiny_grid(overrides=[*TINY["overrides"], "network.drive_rate=4 / tau"])  # type: ignore[misc]
    curves = STUDIES["fig3a"](grid).curves
    networks = [one.points[0].settings.network for one in curves]
    assert [one.tau_s * one.drive_rate_per_s for one in networks] == pytest.approx([4.0, 4.0])
    assert curves[1].points[0].key == STUDIES["fig2b"](grid).curves[0].points[0].key


def test_measured_curves_follow_the_study() -> None:
    study = STUDIES["fig4"](tiny_grid())
    outcomes = {point.key: outcome([0.5, 0.6]) for point in study.points}
    assert [each.curve for each in measure(study, outcomes)] == list(study.curves)
