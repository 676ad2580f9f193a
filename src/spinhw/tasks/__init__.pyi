from .augmentation_settings import AugmentationSettings
from .base import Batch, Classes, Feed, Part, Task, TaskSettings, Values
from .batches import chosen, joined
from .decision_settings import DecisionSettings
from .decisions import draw_decisions
from .digits import Split, as_sequence, split
from .digits_settings import DigitsSettings
from .flipflop import draw_trials
from .flipflop_settings import FlipFlopSettings
from .given import GivenSettings
from .kinds import TASKS
from .objective import Metric, confusion, counting, loss, metrics, right_answers
from .series import Series, SeriesSettings, series_of, series_of_dataset
from .trials import Trials

__all__ = [
    "TASKS",
    "AugmentationSettings",
    "Batch",
    "Classes",
    "DigitsSettings",
    "Feed",
    "GivenSettings",
    "Metric",
    "Part",
    "Series",
    "SeriesSettings",
    "Split",
    "Task",
    "TaskSettings",
    "Values",
    "as_sequence",
    "chosen",
    "confusion",
    "counting",
    "joined",
    "loss",
    "metrics",
    "right_answers",
    "draw_decisions",
    "draw_trials",
    "Trials",
    "DecisionSettings",
    "FlipFlopSettings",
    "series_of",
    "series_of_dataset",
    "split",
]
