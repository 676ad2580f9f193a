from .catalogue import LOOP_STUDIES, LoopStudy
from .run import look_ahead_in_loop, write_loop_study
from .settings import LoopGridSettings

__all__ = [
    "LOOP_STUDIES",
    "LoopGridSettings",
    "LoopStudy",
    "look_ahead_in_loop",
    "write_loop_study",
]
