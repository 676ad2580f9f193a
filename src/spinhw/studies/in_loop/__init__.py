"""Studies of imperfect chips in the training loop: how good they become, and what that takes."""

from spinhw.studies.in_loop.catalogue import LOOP_STUDIES, LoopStudy
from spinhw.studies.in_loop.run import look_ahead_in_loop, run_loop_study, write_loop_study
from spinhw.studies.in_loop.settings import LoopGridSettings

__all__ = [
    "LOOP_STUDIES",
    "LoopGridSettings",
    "LoopStudy",
    "look_ahead_in_loop",
    "run_loop_study",
    "write_loop_study",
]
