"""What a network begins with: masks and initial values, drawn from its seed."""

import math

import torch
from torch import Tensor

from spinhw.network.resonators import chains_of
from spinhw.network.settings import NetworkSettings, tuned_shapes
from spinhw.streams import torch_stream
from spinhw.topology import draw_masks


def mask_name(name: str) -> str:
    """Return the name of the buffer that holds the mask of a weight."""
    return "mask_" + name.replace(".", "_")


def draw(settings: NetworkSettings, seed: int) -> dict[str, Tensor]:
    """Draw masks and initial values of one network: uniform within +-scale / sqrt(fan-in), biases zero.

    A layer whose recurrent weights are antisymmetric has modes that turn and neither grow nor fade but by the damping
    of its neurons (Chang et al., AntisymmetricRNN, ICLR 2019, section 3).
    """
    topology = settings.topology()
    masks = draw_masks(topology, torch_stream("masks", seed))
    generator = torch_stream("initial weights", seed)
    shapes = topology.masked_shapes() | {"w_out": (settings.outputs, settings.layers[-1])}
    intra = settings.weight_scale if settings.weight_scale_intra is None else settings.weight_scale_intra
    scales = {name: intra if name.startswith("w_int") else settings.weight_scale for name in shapes}
    drawn = {name: _uniform(shape, scales[name], generator) for name, shape in shapes.items()}
    if settings.initial_intra == "antisymmetric":
        drawn |= {name: one.triu(1) - one.triu(1).T for name, one in drawn.items() if name.startswith("w_int")}
    drawn |= {f"bias.{layer}": torch.zeros(size) for layer, size in enumerate(settings.layers)}
    drawn["b_out"] = torch.zeros(settings.outputs)
    chains = chains_of(settings)
    if chains is not None:
        for name, shape in tuned_shapes(settings).items():
            present = masks.get(name, torch.ones(shape, dtype=torch.bool))
            drawn[name] = chains.values(chains.alone(drawn[name], present))
    return {name: tensor * masks.get(name, 1.0) for name, tensor in drawn.items()} | {
        mask_name(name): mask for name, mask in masks.items()
    }


def _uniform(shape: tuple[int, int], scale: float, generator: torch.Generator) -> Tensor:
    bound = scale / math.sqrt(shape[1])
    return (torch.rand(shape, generator=generator) * 2 - 1) * bound
