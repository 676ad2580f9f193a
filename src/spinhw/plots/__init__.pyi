from .confusion import Confusion, plot_confusion
from .energy import plot_energy
from .learning import LearningCurves, plot_learning
from .overview import plot_overview
from .prediction import plot_prediction
from .run import draw_run
from .traces import Traces, plot_traces

__all__ = [
    "Confusion",
    "LearningCurves",
    "Traces",
    "draw_run",
    "plot_confusion",
    "plot_energy",
    "plot_learning",
    "plot_overview",
    "plot_prediction",
    "plot_traces",
]
