"""Answers over right ones: drawn for any kind of answer, up to the end of each sequence and not in the washout."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from spinhw.plots.confusion import Confusion, draw_confusion
from spinhw.plots.prediction import draw_cloud, draw_first_sequence, plot_prediction
from spinhw.training.predictions import Predictions

DRAW = np.random.default_rng(5)


def predictions(answers: int, outputs: int, classes: bool = False) -> Predictions:
    right = DRAW.random((4, answers, outputs)).round() if classes else DRAW.random((4, answers, outputs))
    counted = np.ones((4, answers), dtype=bool)
    if answers > 1:
        counted[:, :3] = counted[0, 12:] = False
    return Predictions(right + (0 if classes else 0.1), right, counted, answers > 1, classes)


@pytest.mark.parametrize(("answers", "outputs", "classes"), [(20, 1, False), (20, 1, True), (1, 2, False)])
def test_every_kind_of_answer_can_be_drawn(answers, outputs, classes, tmp_path):
    plot_prediction(predictions(answers, outputs, classes), 1e-9, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5_000


def test_what_does_not_count_is_not_drawn_as_right():
    axes = Figure().subplots()
    draw_first_sequence(axes, predictions(20, 1), 1e-9)
    right, answered = axes.get_lines()
    assert right.get_xdata()[[0, -1]] == pytest.approx([4, 12])
    assert answered.get_xdata()[[0, -1]] == pytest.approx([1, 12])


def test_the_cloud_shows_answers_that_count():
    axes = Figure().subplots()
    draw_cloud(axes, predictions(20, 2), 1)
    assert len(axes.get_lines()[0].get_xdata()) == 9 + 3 * 17


@pytest.mark.parametrize("classes", [2, 12, 60])
def test_classes_have_their_names(classes):
    axes = Figure().subplots()
    names = tuple(f"a rather long name {one}" for one in range(classes))
    draw_confusion(axes, Confusion(np.eye(classes, dtype=np.int64), "gesture", "gesture shown", names))
    labels = [one.get_text() for one in axes.get_xticklabels()]
    assert labels[0] == "a rather long…" and len(labels) <= 30
    assert axes.get_title(loc="left") + axes.get_title() == f"{classes} gestures, rows in %"
