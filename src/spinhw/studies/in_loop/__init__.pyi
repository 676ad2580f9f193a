from .catalogue import LOOP_STUDIES, LoopStudy
from .run import look_ahead_in_loop, run_loop_study, write_loop_study
from .settings import LoopGridSettings

__all__ = [
    "LOOP_STUDIES",
    "LoopGridSettings",
    "LoopStudy",
    "look_ahead_in_loop",
    "run_loop_study",
    "write_loop_study",
]
