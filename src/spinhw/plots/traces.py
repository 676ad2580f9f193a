"""Drive and power of one neuron of each layer while the network reads sequences, as the paper's Fig. 1b-d."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from spinhw.plots.canvas import COLOURS, GREY, page


@dataclass(frozen=True)
class Traces:
    """Waveforms of one neuron of each layer, for several sequences.

    Args:
        labels: What each sequence is called in the legend, such as the digit that it shows, (image,).
        neurons: Number of the neuron shown within its layer, (layer,).
        sample_interval_s: Time for which a sample is held, in seconds.
        drive: Mean drive over each sample, in units of gamma, (image, time, layer).
        state: x before the first sample and at the end of each, (image, time + 1, layer).
        bounds: Lowest and highest drive in units of gamma; None for an unbounded drive.
        rest: x that the bias drive alone leads to; None where that means nothing.
        spintronic: Whether x is the power of an oscillator; otherwise it is the state of a software neuron.
        title: Above the legend.
        lengths: Samples of each sequence, (image,): it is drawn up to its own end. None where all end with the axis.
    """

    labels: tuple[int | str, ...]
    neurons: tuple[int, ...]
    sample_interval_s: float
    drive: NDArray[np.float64]
    state: NDArray[np.float64]
    bounds: tuple[float, float] | None = None
    rest: float | None = None
    spintronic: bool = True
    title: str = "digit"
    lengths: tuple[int, ...] | None = None


def plot_traces(traces: Traces, path: Path) -> None:
    """Draw drive above power, a column for each layer, into a PNG file."""
    with page(path, 1.2 + 3.2 * len(traces.neurons), 5.2) as figure:
        draw_traces(figure, traces)


def draw_traces(figure: Figure | SubFigure, traces: Traces) -> list[Axes]:
    """Draw the waveforms and give their axes, row by row."""
    grid = figure.subplots(2, len(traces.neurons), sharex=True, sharey="row", squeeze=False)
    for layer, neuron in enumerate(traces.neurons):
        grid[0, layer].set_title(f"layer {layer}, neuron {neuron}")
        _draw_drive(grid[0, layer], traces, layer)
        _draw_state(grid[1, layer], traces, layer)
    grid[0, 0].set_ylabel(r"drive $I\,/\,\gamma$")
    grid[1, 0].set_ylabel("power $x$ (of full scale)" if traces.spintronic else "state $x$")
    handles, _ = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, [str(label) for label in traces.labels], title=traces.title, loc="outside right center")
    return list(grid.flat)


def _times_ns(traces: Traces) -> NDArray[np.float64]:
    return np.arange(traces.state.shape[1], dtype=np.float64) * traces.sample_interval_s * 1e9


def _draw_drive(axes: Axes, traces: Traces, layer: int) -> None:
    for image, colour in zip(range(len(traces.labels)), _cycle(len(traces.labels)), strict=True):
        values, times_ns = traces.drive[image, :, layer], _times_ns(traces)
        if traces.lengths is not None:
            values, times_ns = values[: traces.lengths[image]], times_ns[: traces.lengths[image] + 1]
        axes.stairs(values, times_ns, color=colour, linewidth=1.2, baseline=None, label=str(image))
    if traces.spintronic:
        axes.axhline(2.0, color=GREY, linewidth=0.8, linestyle=":")
        _name_line(axes, 2.0, "bias", traces, layer)
    for bound, name in zip(traces.bounds or (), ("lowest", "highest"), strict=False):
        axes.axhline(bound, color=GREY, linewidth=0.8, linestyle="--")
        _name_line(axes, bound, name, traces, layer)
    if traces.bounds:
        margin = 0.08 * (traces.bounds[1] - traces.bounds[0])
        axes.set_ylim(traces.bounds[0] - margin, traces.bounds[1] + margin)


def _draw_state(axes: Axes, traces: Traces, layer: int) -> None:
    times = _times_ns(traces)
    for image, colour in zip(range(len(traces.labels)), _cycle(len(traces.labels)), strict=True):
        shown = slice(None if traces.lengths is None else traces.lengths[image] + 1)
        axes.plot(times[shown], traces.state[image, shown, layer], color=colour, linewidth=1.2)
    if traces.rest is not None:
        axes.axhline(traces.rest, color=GREY, linewidth=0.8, linestyle=":")
        _name_line(axes, traces.rest, "rest", traces, layer)
    if traces.spintronic:
        axes.set_ylim(-0.03, 1.03)
    axes.set(xlabel="time (ns)", xlim=(0, times[-1]))


def _cycle(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]


def _name_line(axes: Axes, height: float, text: str, traces: Traces, layer: int) -> None:
    """Write what a horizontal line means, to the right of the last column, where no waveform crosses it."""
    if layer == len(traces.neurons) - 1:
        place = axes.get_yaxis_transform()
        axes.text(1.02, height, text, color=GREY, fontsize=8, va="center", transform=place)
