"""What a look into a file found: what is what in it, and how long its sequences are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.proposal.asked import Inferred, Said
from spinhw.tasks.series.settings import AnswerKind

# More different whole numbers than these are values, and not numbers of classes.
_MOST_CLASSES = 20
_LISTED = 4
AHEAD = "the next sample of the target, which is an input too"
# What each kind of answer is, for people.
ANSWERS: dict[str, str] = {
    "class": "a class for each sequence",
    "values": "values for each sequence",
    "class_per_step": "a class for each sample",
    "values_per_step": "values for each sample",
}


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds.

    Args:
        task: Keys of a task of kind 'series' that say what is what: columns, layout, answers.
        lengths: Samples of each sequence, (sequence,).
        inferred: What nobody had said.
        groups: Different groups; 0 for none.
        ahead: Whether what is answered are inputs to come.
    """

    task: dict[str, Any]
    lengths: NDArray[np.int64]
    inferred: tuple[Inferred, ...] = ()
    groups: int = 0
    ahead: bool = False

    @property
    def per_step(self) -> bool:
        """Whether each sample has its answer."""
        return str(self.task["answers"]).endswith("per_step")


def answers_of(asked: Said, labels: NDArray[Any], names: Sequence[str], per_step: bool) -> tuple[AnswerKind, str]:
    """Say what kind of answer a target asks for, and why.

    Texts, true and false, and few different whole numbers are classes; other numbers are values.

    Args:
        asked: What was said.
        labels: The target: of each sequence, or of each sample where `per_step`; (number,) or (number, output).
        names: Of the target.
        per_step: Whether each sample has an answer of its own.
    """
    classes, why = _classes(labels, len(names))
    kind: AnswerKind
    if per_step:
        kind = "class_per_step" if classes else "values_per_step"
    else:
        kind = "class" if classes else "values"
    if asked.answers is not None:
        return asked.answers, "as you said"
    return kind, f"{', '.join(names)}: {why}"


def _classes(labels: NDArray[Any], outputs: int) -> tuple[bool, str]:
    if labels.ndim > 1 or outputs > 1:
        return False, "several values"
    if labels.dtype.kind in "OUSb":
        texts = len(set(labels.tolist()))
        return True, "true or false" if labels.dtype.kind == "b" else f"{texts} different texts"
    different = np.unique(labels)
    whole = bool(np.all(different == np.rint(different)))
    if whole and len(different) <= _MOST_CLASSES and 2 * len(different) <= max(len(labels), 4):
        return True, f"{len(different)} different whole numbers"
    return False, "whole numbers, many of them different" if whole else "numbers with decimals"


def listed(names: Sequence[str]) -> str:
    """List names, of very many the first and the last."""
    if len(names) <= _LISTED:
        return ", ".join(names)
    return f"{names[0]}, {names[1]}, ... {names[-1]} ({len(names)})"
