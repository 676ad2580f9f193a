"""Figures: plain data in, a PNG file out."""

from spinhw.plots.confusion import plot_confusion
from spinhw.plots.energy import plot_energy
from spinhw.plots.learning import LearningCurves, plot_learning
from spinhw.plots.overview import plot_overview
from spinhw.plots.run import draw_run
from spinhw.plots.traces import Traces, plot_traces

__all__ = [
    "LearningCurves",
    "Traces",
    "draw_run",
    "plot_confusion",
    "plot_energy",
    "plot_learning",
    "plot_overview",
    "plot_traces",
]
