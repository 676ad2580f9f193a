"""Small networks on simulated chips, for tests of gradients with a device in the loop."""

import signal
from dataclasses import replace

import torch
from torch import Tensor

from spinhw.device import Device, SimulatedDevice, SimulatedSettings, open_device
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.rollout import Neurons, Steps

INTERVAL_S = 1e-9
SPREAD = {"spread": {"gamma": 0.2, "sigma": 0.2, "q": 0.2}}
NOISE = {"power_readout": {"noise": 0.01}, "output_readout": {"noise": 0.01}}


def make(
    chip: dict | None = None,
    members: int = 2,
    seeds=(3, 5),
    ensemble=True,
    channels=None,
    dtype=torch.float64,
    **network,
) -> tuple[SpintronicNetwork, SimulatedDevice]:
    """Make a network of 5 + 4 + 3 neurons and a chip for it."""
    settings = NetworkSettings(
        **({"layers": (5, 4, 3), "outputs": 4, "readout_samples": 2, "weight_scale": 3.0} | network)
    )
    module = SpintronicNetwork(settings, Steps(INTERVAL_S), list(seeds) if ensemble else seeds[0]).to(dtype)
    profile = SimulatedSettings(kind="simulated", channels=channels, chip=chip or {})
    device: Device = open_device(profile, settings, INTERVAL_S, members, dtype)
    assert isinstance(device, SimulatedDevice)
    return module, device


def batch(members: int | None = 2, images: int = 6, samples: int = 12, dtype=torch.float64) -> Tensor:
    shape = (images, samples, 1) if members is None else (members, images, samples, 1)
    drawn = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return 4 * drawn - 1.2


def true_neurons(device: SimulatedDevice) -> Neurons:
    """Look behind the seam: the chip's own oscillators."""
    hidden = device.truth.hidden.neurons
    return hidden.to(device.truth.dtype)


def only_member(neurons: Neurons, member: int) -> Neurons:
    names = ("gamma", "sigma", "q", "cutoff_hz", "gain")
    return replace(neurons, **{name: getattr(neurons, name).expand(2, -1)[member : member + 1] for name in names})


def gradients(module: torch.nn.Module, logits: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
    """Differentiate a loss that weighs every logit differently."""
    weigh = torch.linspace(-1, 1, logits.numel(), dtype=logits.dtype).view_as(logits)
    found = torch.autograd.grad((logits * weigh).sum() + logits.square().sum(), list(module.parameters()))
    return dict(zip((name for name, _ in module.named_parameters()), found, strict=True))


def cosine(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    flat = [torch.cat([tensors[name].flatten() for name in one]) for tensors in (one, other)]
    return float(torch.nn.functional.cosine_similarity(*flat, dim=0))


class Stop:
    """Presses Ctrl-C after some batch, or while the device measures."""

    def __init__(self, place: tuple) -> None:
        self.place = place

    def on_batch(self, epoch, batch, total, loss, accuracy) -> None:
        if self.place == (epoch, batch):
            signal.raise_signal(signal.SIGINT)

    def on_epoch(self, row) -> None: ...

    def on_evaluation(self, what, done, total) -> None:
        if self.place == (what,):
            signal.raise_signal(signal.SIGINT)
