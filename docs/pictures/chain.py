"""Draw one chain of resonators for docs/rf-synapses.md: .venv/bin/python docs/pictures/chain.py."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spinhw.network import Chains, ResonatorSynapses
from spinhw.physics import alternating, resonator_weight

W_MAX, TONES, ABSENT = 4.0, 6, 3
WANTED = [1.5, 3.0, -1.0, 0.0, 2.0, -2.5]
COLOURS = ["#b5452c", "#1b6ca8", "#2e7d4f", "#999999", "#7a4fa3", "#c58a00"]
SYNAPSES = ResonatorSynapses(kind="resonators", spacing_hz=80e6)


def _lines(axes: Axes, tunings: torch.Tensor, present: torch.Tensor) -> None:
    """Draw the curve of each resonator, and of the whole chain, over the tones."""
    spacing, width = SYNAPSES.spacing_hz, torch.tensor(SYNAPSES.half_linewidth_hz, dtype=torch.float64)
    rf_hz = torch.linspace(-0.7 * spacing, (TONES - 0.3) * spacing, 1500, dtype=torch.float64)
    whole = torch.zeros_like(rf_hz)
    for k in range(TONES):
        tone = k * spacing
        axes.axvline((SYNAPSES.first_tone_hz + tone) / 1e9, color="#bbbbbb", lw=0.8, zorder=0)
        axes.text((SYNAPSES.first_tone_hz + tone) / 1e9, 6.5, f"$f_{k}$", ha="center", fontsize=9)
        if not present[k]:
            continue
        resonance = tone + SYNAPSES.span_hz * tunings[k]
        curve = resonator_weight(rf_hz - resonance, width, W_MAX * float(alternating(TONES)[k]))
        whole += curve
        axes.plot((SYNAPSES.first_tone_hz + rf_hz) / 1e9, curve, color=COLOURS[k], lw=1.2)
        axes.plot((SYNAPSES.first_tone_hz + float(resonance)) / 1e9, 0.0, "|", color=COLOURS[k], ms=14, mew=1.6)
    axes.plot((SYNAPSES.first_tone_hz + rf_hz) / 1e9, whole, color="#222222", lw=1.6, label="the whole chain")
    axes.set(xlabel="frequency (GHz)", ylabel="weight", ylim=(-6.3, 7.4))
    axes.set_title("tones (grey), resonances (ticks) and what each resonator adds", fontsize=10)
    axes.legend(loc="lower right", fontsize=8)


def _bars(axes: Axes, alone: torch.Tensor, solved: torch.Tensor) -> None:
    """Draw what was wanted, what acts where each resonator is tuned by itself, and where the chain is solved."""
    for offset, values, colour, label in (
        (-0.27, torch.tensor(WANTED), "#cccccc", "wanted"),
        (0.0, alone, "#b5452c", "each tuned by itself"),
        (0.27, solved, "#1b6ca8", "the whole chain solved"),
    ):
        axes.bar(torch.arange(TONES) + offset, values, 0.25, color=colour, label=label)
    axes.axhline(0.0, color="#222222", lw=0.8)
    axes.annotate(
        "no resonator here:\nonly tails of the others",
        (ABSENT, float(alone[ABSENT])),
        (ABSENT - 1.2, 4.0),
        fontsize=8,
        arrowprops={"arrowstyle": "->", "color": "#222222"},
    )
    axes.set_xticks(range(TONES), [f"$f_{k}$" for k in range(TONES)])
    axes.set(ylabel="weight that acts", ylim=(-4.2, 5.6), xlabel="tone of the source")
    axes.set_title("weights and crosstalk", fontsize=10)
    axes.legend(loc="lower left", fontsize=8)


def draw() -> Figure:
    """Return the picture."""
    chains = Chains(SYNAPSES, W_MAX)
    wanted = torch.tensor([WANTED], dtype=torch.float64)
    present = torch.arange(TONES)[None] != ABSENT
    alone, solved = chains.alone(wanted, present), chains.translated(wanted, present)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.0), width_ratios=(1.5, 1), layout="constrained")
    _lines(left, alone[0], present[0])
    _bars(right, chains.weights(alone, present)[0], chains.weights(solved, present)[0])
    return figure


if __name__ == "__main__":
    draw().savefig(Path(__file__).with_suffix(".png"), dpi=110)
