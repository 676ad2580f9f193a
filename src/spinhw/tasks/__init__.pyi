from .augmentation_settings import AugmentationSettings
from .base import Batch, Classes, Feed, Part, Task, TaskSettings, Values
from .batches import chosen, joined
from .digits import Split, as_sequence, split
from .digits_settings import DigitsSettings
from .kinds import TASKS
from .objective import Metric, confusion, loss, metrics, right_answers

__all__ = [
    "TASKS",
    "AugmentationSettings",
    "Batch",
    "Classes",
    "DigitsSettings",
    "Feed",
    "Metric",
    "Part",
    "Split",
    "Task",
    "TaskSettings",
    "Values",
    "as_sequence",
    "chosen",
    "confusion",
    "joined",
    "loss",
    "metrics",
    "right_answers",
    "split",
]
