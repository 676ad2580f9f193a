"""What is told of a run: its own measure, in its own direction, of what its sequences are called."""

import pytest

from spinhw.report import figure_text, transfer_table
from spinhw.report.tables import warnings
from spinhw.training.measures import Measure, measure_named, measure_of, noun_of


def summary(name, coarse, fine, **more):
    told = {"measure": name, "higher_is_better": name != "nrmse", "held_out": "test", "task": "series"}
    return told | {name: {"mean": coarse}, f"{name}_converged": {"mean": fine}} | more


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (summary("nrmse", 0.2, 0.25), "NRMSE differ by 0.050: the network learned its integrator"),
        (summary("nrmse", 0.97, 0.97), "have not learned: 0.970 is close to 1, what answers that are always the mean"),
        (summary("accuracy", 0.9, 0.9, confusion=[[95, 0], [5, 0]]), "90.0 % does not reach the 95 % of the largest"),
        (summary("nrmse", 1.2, 1.2), "have not learned: 1.200 is worse than 1, what answers that are always the mean"),
        (summary("accuracy", 0.9, 0.8, confusion=[[5, 5], [5, 5]]), "accuracy differ by 10.0 points"),
        (summary("accuracy", 0.53, 0.53, confusion=[[5, 5], [5, 5]]), "53.0 % is close to the 50 % of the largest"),
    ],
)
def test_what_makes_a_figure_less_than_it_seems_is_said(found, said):
    [warning] = warnings(found)
    assert said in warning


@pytest.mark.parametrize(
    "found",
    [
        summary("nrmse", 0.2, 0.205),
        summary("accuracy", 0.9, 0.9, confusion=[[5, 5], [5, 5]]),
        summary("accuracy", 0.9, 0.85, confusion=[[5, 5], [5, 5]]),  # One answer of twenty.
        summary("accuracy", 0.1, 0.1, confusion=[[5, 5], [5, 5]], in_the_loop=True, accuracy_on_device={"mean": 0.9}),
    ],
)
def test_nothing_is_said_where_all_is_well(found):
    assert warnings(found) == []


def test_a_figure_is_written_in_its_own_unit():
    figure = {"mean": 0.25, "std": 0.01, "interval95": [0.24, 0.26]}
    assert figure_text(measure_named("accuracy"), figure).startswith(
        "25.00 ± 1.00 %  (95 % interval of the mean 24.00 "
    )
    assert figure_text(measure_named("nrmse"), figure).startswith("0.2500 ± 0.0100  (95 % interval of the mean 0.2400 ")


def test_the_better_value_follows_the_direction():
    assert Measure("nrmse", False).best([0.5, 0.2, 0.9]) == 1 and Measure("accuracy").best([0.5, 0.2, 0.9]) == 2
    nrmse = Measure("nrmse", False)
    written = [nrmse.text(one) for one in (0.0312, 0.000607, 3.7e-5, 0.0)] + [
        nrmse.text(one, 1) for one in (0.386, 0.0025)
    ]
    assert written == ["0.0312", "0.00061", "3.7e-05", "0.0000", "0.386", "0.0025"]
    assert measure_of({"measure": "nrmse"}) == Measure("nrmse", higher_is_better=False)
    assert (noun_of({}), noun_of({"measure": "nrmse"}), noun_of({"noun": "gesture"})) == (
        "image",
        "sequence",
        "gesture",
    )


def test_the_worst_chip_has_the_largest_error():
    each = {"mean": 0.2, "std": 0.1, "highest": 0.4, "interval95": None}
    found = {
        "measure": "nrmse",
        "ids": ["a", "b"],
        "seeds": [0],
        "trained_on": [],
        "nrmse": {**each, "per_seed": [each]},
    }
    columns = transfer_table(found).columns
    assert columns[3].header == "highest" and list(columns[3].cells)[0] == "0.4000"
