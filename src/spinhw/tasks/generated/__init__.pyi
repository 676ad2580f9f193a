from .chaos import mackey_glass
from .memory import delayed, parities
from .narma import narma10
from .settings import (
    GeneratedSettings,
    MackeyGlassSettings,
    MemorySettings,
    Narma10Settings,
    SineSquareSettings,
)
from .task import GeneratedTask
from .waves import sine_square

__all__ = [
    "GeneratedSettings",
    "GeneratedTask",
    "MackeyGlassSettings",
    "MemorySettings",
    "Narma10Settings",
    "SineSquareSettings",
    "delayed",
    "mackey_glass",
    "narma10",
    "parities",
    "sine_square",
]
