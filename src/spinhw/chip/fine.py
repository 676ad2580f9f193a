"""What all integrations of chips share: the fine grid, keyed thermal noise, chunks that bound the memory."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from spinhw.chip.draw import Identity
from spinhw.physics import diffusion
from spinhw.rollout import Extras, Neurons, Rollout, Steps

# Per member: states of a chunk stay in the cache, its normals below 64 MB (float32). Both are independent of the number
# of members, so that a chip alone is integrated exactly as beside others.
_STATES_PER_CHUNK = 2**14
NORMALS_PER_CHUNK = 2**24


def chunks(batch: int, neurons: int, steps: int, thermal: bool) -> Iterator[slice]:
    """Cut a batch into slices.

    Args:
        batch: Images.
        neurons: Neurons of one chip.
        steps: Integration steps of the whole trace.
        thermal: Whether thermal noise needs its normals.
    """
    size = NORMALS_PER_CHUNK // (steps * neurons * 2) if thermal else _STATES_PER_CHUNK // neurons
    size = max(1, size)
    for first in range(0, batch, size):
        yield slice(first, min(first + size, batch))


def thermal_extras(
    identities: Sequence[Identity], neurons: Neurons, thermal_power: float, shot: int, images: slice, steps: int
) -> Extras:
    """Give the thermal noise of some images of a shot; nothing at thermal power 0.

    Args:
        identities: Who the chips are.
        neurons: Oscillators as they are now.
        thermal_power: p_T.
        shot: Number of the shot.
        images: Which images of the batch; each has its own stream, so chunks change nothing.
        steps: Integration steps.
    """
    if thermal_power == 0:
        return Extras()
    shape, dtype = (steps, neurons.gamma.shape[1], 2), neurons.gamma.dtype
    numbers = range(images.start, images.stop)
    noise = torch.stack(
        [
            torch.stack([one.normals(shape, "thermal", shot, image, dtype=dtype) for image in numbers])
            for one in identities
        ]
    )  # (member, batch, steps, neuron, 2)
    return Extras(noise=noise, diffusion_per_s=diffusion(neurons.gamma, thermal_power))


def fine_steps(sample_interval_s: float, steps_per_ns: int) -> Steps:
    """Give the grid of a chip: second order, at least this many steps per nanosecond."""
    return Steps(sample_interval_s, substeps=1, order=2).at_least_per_ns(steps_per_ns)


def join(parts: Sequence[Rollout]) -> Rollout:
    """Put the chunks of a batch together."""
    if len(parts) == 1:
        return parts[0]

    def cat(tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(tensors), dim=1)

    return Rollout(
        cat([part.power0 for part in parts]),
        cat([part.power for part in parts]),
        cat([part.filtered for part in parts]),
    )
