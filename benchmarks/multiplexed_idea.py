"""Draw docs/pictures/multiplexed.png: how a network is played on one oscillator, and what comes of it.

.venv/bin/python benchmarks/multiplexed_idea.py
"""

from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from spinhw.device import MultiplexedDevice, MultiplexedSettings, SimulatedSettings, open_device
from spinhw.device.multiplex import CoupledNetwork, weights_of
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.plots.canvas import BLUE, GREY, VERMILION, letter, page
from spinhw.streams import torch_stream
from spinhw.surrogate import Oscillators

PICTURE = Path(__file__).parent.parent / "docs/pictures/multiplexed.png"
INTERVAL_S, TIMES, SHOWN = 1e-9, 48, 5
BOXES = {
    "solve the network of\nsurrogates, with r added": (0.27, 0.84),
    "play the drive of every neuron\nthrough the oscillator,\none after another": (0.73, 0.84),
    "r = measured - surrogate\nunder the same drives": (0.73, 0.36),
    "refit the surrogate\nto what was measured": (0.27, 0.36),
}


def idea(axes: Axes) -> None:
    """Draw the loop."""
    for text, (x, y) in BOXES.items():
        axes.add_patch(
            FancyBboxPatch(
                (x - 0.2, y - 0.13), 0.4, 0.26, boxstyle="round,pad=0.01", facecolor="#F2F6FA", edgecolor=BLUE
            )
        )
        axes.text(x, y, text, ha="center", va="center", fontsize=8)
    ends = [((0.48, 0.84), (0.52, 0.84)), ((0.73, 0.70), (0.73, 0.50)), ((0.52, 0.36), (0.48, 0.36))]
    ends.append(((0.27, 0.50), (0.27, 0.70)))
    for start, end in ends:
        axes.add_patch(
            FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=14, color=GREY, shrinkA=0, shrinkB=0)
        )
    axes.text(0.5, 0.6, "one pass: one upload,\none measurement", ha="center", va="center", fontsize=8.5, color=GREY)
    axes.text(
        0.5,
        0.08,
        "until the waveforms change no more: then they are\nwhat a full chip of such oscillators would do",
        ha="center",
        va="center",
        fontsize=9,
    )
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")


def waveforms(axes: Axes) -> None:
    """Draw a neuron as designed, after one pass, and on the full chip."""
    network = NetworkSettings(layers=(32, 32), weight_scale=6.0)
    spread = {"spread": {"gamma": 0.2, "sigma": 0.2, "q": 0.2}, "power_readout": {"noise": 0.01}}
    chip = SimulatedSettings.model_validate({"kind": "simulated", "id": "idea", "chip": spread})
    inputs = torch.rand(4, TIMES, 1, generator=torch_stream("idea"), dtype=torch.float64) * 4 - 1.2
    values = {name: one[None].detach().double() for name, one in SpintronicNetwork(network, seed=2).values().items()}
    full = open_device(chip, network, INTERVAL_S, dtype=torch.float64)
    true = full.oracle(values, inputs[None]).rollout.power[0].detach()  # type: ignore[attr-defined]
    coupled = CoupledNetwork(network, weights_of(values, 2), INTERVAL_S, 1)
    nothing = torch.zeros(4, TIMES + 1, 64, dtype=torch.float64)
    designed = coupled.solve(inputs, Oscillators.nominal(coupled.nominal()), nothing).power[:, 1:]
    settings = MultiplexedSettings(kind="multiplexed", bank=chip, passes=1)
    device = open_device(settings, network, INTERVAL_S, dtype=torch.float64)
    if not isinstance(device, MultiplexedDevice):
        raise TypeError("no multiplexed device was opened")
    with device:
        found = next(device.corrector.passes(coupled, inputs, 1)).waveforms.power[:, 1:]
    time_ns, neuron = range(1, TIMES + 1), int(true[0, :, 32:].std(0).argmax()) + 32
    axes.plot(time_ns, true[0, :, neuron], color="#BBBBBB", linewidth=4, label="the full chip")
    axes.plot(time_ns, designed[0, :, neuron], color=VERMILION, linestyle="--", label="as designed, nothing measured")
    axes.plot(time_ns, found[0, :, neuron], color=BLUE, label="multiplexed, after one pass")
    axes.set(xlabel="time (ns)", ylabel="power x of one neuron of layer 2")
    axes.set_title("Oscillators spread by 20 %, read-out noise 1 %")
    axes.set_ylim(top=axes.get_ylim()[1] + 0.35 * (axes.get_ylim()[1] - axes.get_ylim()[0]))
    axes.legend(loc="upper right")


def main() -> None:
    """Draw both."""
    with page(PICTURE, 9.6, 3.8) as figure:
        left, right = figure.subplots(1, 2)
        idea(left)
        letter(left, "a")
        waveforms(right)
        letter(right, "b")


if __name__ == "__main__":
    main()
