"""The linear model: what can be had from the series without any dynamics."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from spinhw.baselines.baseline import Baseline, arithmetic_j, headline, opened
from spinhw.baselines.columns import Columns, Unequal
from spinhw.baselines.model import Ground, ModelSettings
from spinhw.baselines.rows import Rows, Shown
from spinhw.energy import EnergySettings
from spinhw.estimate import Moments, fit
from spinhw.streams import numpy_stream
from spinhw.tasks import Batch, Part, TaskSettings
from spinhw.training import Progress

_log = logging.getLogger(__name__)

# Among which cross-validation chooses, where nothing is said.
_WINDOWS = (1, 2, 5, 10, 20, 50, 100)
_MOST_IN_WINDOW = 400  # Columns of a window.
_RIDGES = tuple(10.0**place for place in range(0, -7, -1))
_MIDDLE = 1e-3
_FOLDS = 5
_CHOSEN_BY = 5000  # Rows that a choice among logistic regressions looks at.
_ITERATIONS = 300


class LinearSettings(ModelSettings):
    """A linear model; what is left out is chosen within the training part."""

    ridge: float | None = Field(
        default=None,
        gt=0.0,
        description="What a weight costs, on columns of standard deviation 1, beside the mean loss of an answer; above "
        "0. Null: chosen by generalised cross-validation (values) or five-fold cross-validation (classes).",
    )
    window: int | None = Field(
        default=None, ge=1, description="Last inputs that an answer after each sample sees, at least 1; null: chosen."
    )
    unequal: Unequal | None = Field(
        default=None,
        description="How sequences of unequal lengths are brought to one: 'filled' with 0 after their own end, or "
        "'resampled' linearly; their length is a column of its own. Null: chosen.",
    )

    def measured(self, ground: Ground, seeds: Sequence[int], part: Part, progress: Progress) -> Baseline:
        return linear_baseline(ground.task, seeds, part, self, ground.energy)


@dataclass(frozen=True, eq=False)
class LinearModel:
    """A linear model that was fitted.

    Args:
        columns: What it reads.
        ridge: What a weight cost.
        mean: Of each column in the training part, (column,).
        spread: Standard deviation, 1 where a column was always the same, (column,).
        weights: (output, column).
        bias: (output,).
        fitted: Weights and biases that were fitted: of two classes one set does for both.
    """

    columns: Columns
    ridge: float
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    fitted: int

    def answers(self, batch: Batch) -> Tensor:
        """Return the answers to a batch of one member, (1, batch, answer, output)."""
        weights = self.weights / self.spread
        bias = self.bias - weights @ self.mean
        return torch.from_numpy(self.columns.of(batch) @ weights.T + bias)[None].float()


def linear_baseline(
    task: TaskSettings,
    seeds: Sequence[int],
    part: Part,
    settings: LinearSettings = LinearSettings(),  # noqa: B008 - it is frozen
    energy: EnergySettings = EnergySettings(),  # noqa: B008
) -> Baseline:
    """Fit a linear model to the training part of each seed, and measure it.

    Classes: multinomial logistic regression. Values: ridge regression. Columns are every sample of every channel, or of
    answers after each sample the last inputs up to it; they get mean 0 and standard deviation 1 in the training part.
    Seeds that share their sequences share the model. Of answers after each sample the first 50 000 or so are looked at,
    and of a task that draws new sequences for each epoch those of the first.

    Args:
        task: The task.
        seeds: A model for each.
        part: On which sequences it is measured.
        settings: What is given, and not chosen within the training part.
        energy: What a multiply-add costs.

    Raises:
        ConfigError: The task has no such part, or there are no seeds.
    """
    shown = opened(task, part, seeds)
    known: dict[tuple[str, str], float] = {}
    values, first = [], None
    for seed in seeds:
        train = Shown.of(shown, seed, task.outputs)
        key = train.digest, Shown.held_out(list(shown.held_out([seed], part)), task.outputs).digest
        if key not in known:
            model = fit_linear(train, task, settings)
            known[key] = headline(shown, seed, part, model.answers)
            first = first or model.answers
        values.append(known[key])
    count = model.columns.count * (model.fitted // (model.columns.count + 1))
    energy_j = arithmetic_j(energy, task, 0, count)
    return Baseline("linear", values, model.fitted, energy_j, _about(model, train), first)


def fit_linear(shown: Shown, task: TaskSettings, settings: LinearSettings) -> LinearModel:
    """Fit a linear model to a training part."""
    every = _candidates(shown, task, settings)
    ridges = _RIDGES if settings.ridge is None else (settings.ridge,)
    return _classes(shown, every, ridges) if shown.of_classes else _values(shown, every, settings.ridge)


def _candidates(shown: Shown, task: TaskSettings, settings: LinearSettings) -> list[Columns]:
    """List what may become columns."""
    if task.per_step:
        most = max(1, min(shown.samples, _MOST_IN_WINDOW // task.inputs))
        sizes = [settings.window] if settings.window else sorted({min(one, most) for one in _WINDOWS})
        return [Columns(True, size, task.inputs) for size in sizes]
    if shown.batch.lengths is None:
        return [Columns.whole(task, shown.samples, None)]
    ways: list[Unequal] = [settings.unequal] if settings.unequal else ["filled", "resampled"]
    return [Columns.whole(task, shown.samples, way) for way in ways]


def _values(shown: Shown, every: Sequence[Columns], ridge: float | None) -> LinearModel:
    """Fit by ridge regression; columns and ridge by generalised cross-validation."""
    found: list[tuple[float, LinearModel]] = []
    for columns in every:
        rows = shown.rows(columns)
        mean, spread = _standard(rows)
        moments = Moments.zero(1, columns.count, shown.outputs)
        for first in range(0, len(rows), _CHOSEN_BY):
            some = slice(first, first + _CHOSEN_BY)
            cells = (rows.columns[some] - mean) / spread
            parts = cells, rows.right[some], rows.weight[some]
            moments = moments.with_rows(*(torch.from_numpy(one)[None] for one in parts))
        fits = fit(moments) if ridge is None else fit(moments, [ridge])
        best = int(fits.validated[0].argmin())
        weights, bias = fits.weights[0, best].numpy(), fits.biases[0, best].numpy()
        model = LinearModel(columns, float(fits.ridges[best]), mean, spread, weights, bias, weights.size + bias.size)
        found.append((float(fits.validated[0, best]), model))
    return min(found, key=lambda one: one[0])[1]


def _classes(shown: Shown, every: Sequence[Columns], ridges: Sequence[float]) -> LinearModel:
    """Fit by logistic regression; first the columns and then the ridge by five-fold cross-validation."""
    columns, ridge = every[0], ridges[0]
    if len(every) > 1:
        middle = ridge if len(ridges) == 1 else _MIDDLE
        columns = max(every, key=lambda one: _validated(shown.rows(one, _CHOSEN_BY), (middle,))[0])
    if len(ridges) > 1:
        judged = _validated(shown.rows(columns, _CHOSEN_BY), ridges)
        ridge = ridges[judged.index(max(judged))]
    rows = shown.rows(columns)
    mean, spread = _standard(rows)
    weights, bias = _Logistic(rows, mean, spread).fitted(ridge)
    sets = 1 if shown.outputs == 2 else shown.outputs
    return LinearModel(columns, ridge, mean, spread, weights, bias, sets * (columns.count + 1))


class _Logistic:
    """Logistic regression on some rows with one ridge after the other: each goes on from the one before.

    Args:
        rows: What it is fitted to.
        mean: Of each column.
        spread: Of each column.
    """

    def __init__(self, rows: Rows, mean: NDArray[np.float64], spread: NDArray[np.float64]) -> None:
        from sklearn.linear_model import LogisticRegression

        # Many rows stay float32, which halves what they take.
        cells = rows.columns - mean.astype(np.float32)
        cells /= spread.astype(np.float32)
        self._cells = cells if cells.size > 4_000_000 else cells.astype(np.float64)
        self._labels, self._weight, self._outputs = rows.right.argmax(1), rows.weight, rows.right.shape[1]
        self._model: Any = LogisticRegression(max_iter=_ITERATIONS, warm_start=True)

    def fitted(self, ridge: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return weights (output, column) and biases (output,)."""
        there = np.unique(self._labels)
        weights, bias = np.zeros((self._outputs, self._cells.shape[1])), np.full(self._outputs, -1e9)
        if len(there) == 1:  # There is nothing to tell apart.
            bias[there] = 0.0
            return weights, bias
        from sklearn.exceptions import ConvergenceWarning

        self._model.C = 1 / (ridge * self._weight.sum())
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", ConvergenceWarning)
            self._model.fit(self._cells, self._labels, self._weight)
        if told:
            _log.debug("a logistic regression was ended after %d iterations: %s", _ITERATIONS, told[0].message)
        coefficients, intercepts = self._model.coef_, self._model.intercept_
        if len(there) == 2:
            coefficients, intercepts = np.stack([0 * coefficients[0], coefficients[0]]), np.array([0, intercepts[0]])
        weights[there], bias[there] = coefficients, intercepts
        return weights, bias


def _validated(rows: Rows, ridges: Sequence[float]) -> list[tuple[float, float]]:
    """Return for each ridge share of right answers and mean log-likelihood, over sequences left out in turn."""
    fold = numpy_stream("linear folds").permutation(rows.sequence.max() + 1)[rows.sequence] % _FOLDS
    sums = np.zeros((len(ridges), 2))
    for number in range(_FOLDS):
        out = fold == number
        if out.all() or not out.any():
            continue
        inner = Rows(*(one[~out] for one in (rows.columns, rows.right, rows.weight, rows.sequence)))
        mean, spread = _standard(inner)
        model, cells = _Logistic(inner, mean, spread), (rows.columns[out] - mean) / spread
        labels, weight = rows.right[out].argmax(1), rows.weight[out]
        for place, ridge in enumerate(ridges):
            weights, bias = model.fitted(ridge)
            sums[place] += _judged(cells @ weights.T + bias, labels, weight)
    return [(round(right, 9), likelihood) for right, likelihood in sums / rows.weight.sum()]


def _judged(logits: NDArray[np.float64], labels: NDArray[np.int64], weight: NDArray[np.float64]) -> tuple[float, float]:
    """Sum up right answers and log-likelihoods."""
    told = logits - logits.max(1, keepdims=True)
    told = told[np.arange(len(labels)), labels] - np.log(np.exp(told).sum(1))
    return float(weight[logits.argmax(1) == labels].sum()), float((weight * told).sum())


def _standard(rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each column; 1 where it is always the same."""
    mean = rows.columns.mean(0, dtype=np.float64)
    spread = rows.columns.std(0, dtype=np.float64)
    return mean, np.where(spread > 1e-6 * (1 + abs(mean)), spread, 1.0)


def _about(model: LinearModel, shown: Shown) -> str:
    columns = model.columns
    kind = "logistic regression" if shown.of_classes else "ridge regression"
    if columns.per_step:
        return f"{kind} on the last {columns.samples} inputs; ridge {model.ridge:.3g}"
    told = "" if columns.unequal is None else f", {columns.unequal} to {columns.samples} samples, and the length"
    if columns.averaged > 1:
        told += f", the mean of each {columns.averaged} samples"
    return f"{kind} on the flattened series{told}; ridge {model.ridge:.3g}"
