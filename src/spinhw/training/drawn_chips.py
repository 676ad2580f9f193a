"""Chips that are drawn for robust training: a network that works on all of them works on one it has never seen."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from spinhw.device import SimulatedDevice, open_device
from spinhw.gradients import logits_of, true_end
from spinhw.network import SpintronicNetwork
from spinhw.rollout import Engine, Steps
from spinhw.tasks import Batch
from spinhw.training.model_settings import DrawnChipsSettings
from spinhw.training.settings import RunSettings


class DrawnChips:
    """Simulated chips, others for each step, each network on its own; the gradient through them is exact.

    Everything of a chip acts: its oscillators, what becomes of a weight, thermal noise, the noise of its read-out.
    Roundings pass the gradient straight through.

    Args:
        settings: A run.
        asked: The distribution.
    """

    def __init__(self, settings: RunSettings, asked: DrawnChipsSettings) -> None:
        self._network, self._interval_s, self._answer = (
            settings.network,
            settings.task.sample_interval_s,
            settings.answer,
        )
        self._asked, self._seeds = asked, settings.training.seeds
        self._chips = lru_cache(maxsize=1)(self._draw)

    def logits(
        self, network: SpintronicNetwork, batch: Batch, number: int, steps: Steps, engine: Engine = "auto"
    ) -> Tensor:
        """Return the answers (member, batch, answer, output) of networks on their chips.

        Args:
            network: The networks.
            batch: Sequences of all members; dealt out to the chips of each network.
            number: Number of the step of the optimiser: says which chips, and keys their noise.
            steps: Time grid.
            engine: Engine of the rollout.
        """
        each, images, inputs = self._asked.per_batch, batch.size, batch.inputs
        chips = self._chips(number // self._asked.redraw_every)
        values = {name: value.repeat_interleave(each, 0) for name, value in network.member_programmed().items()}
        masks = {name: mask.repeat_interleave(each, 0) for name, mask in network.member_masks().items()}
        ends = None if batch.lengths is None else _dealt(batch.lengths, each)
        truth = chips.oracle(values, _dealt(inputs, each), steps, number, engine, ends, masks)
        end = true_end(truth, network, ends)  # (member * chip, image, ...)
        return logits_of(network, end.reshape(len(inputs), -1, *end.shape[2:])[:, :images])

    def _draw(self, draw: int) -> SimulatedDevice:
        """Make the chips of a draw; their names are those of no chip that a profile has."""
        profile = self._asked.profile
        profile = profile.model_copy(update={"id": f"{profile.id}.drawn-{draw}"})
        device = open_device(profile, self._network, self._interval_s, self._numbers(), answer=self._answer)
        if not isinstance(device, SimulatedDevice):
            raise TypeError(f"a simulated chip was expected, not {type(device).__name__}")
        return device

    def _numbers(self) -> Sequence[int]:
        """Give the numbers of the chips of all seeds: a seed draws the same whoever stands beside it."""
        each = self._asked.per_batch
        return [seed * each + place for seed in self._seeds for place in range(each)]


def _dealt(inputs: Tensor, each: int) -> Tensor:
    """Deal the images of a batch out to so many chips, (member * chip, image, ...); the first ones fill the gaps."""
    lacking = -inputs.shape[1] % each
    filled = torch.cat([inputs, inputs[:, :lacking]], dim=1)
    return filled.reshape(len(inputs) * each, -1, *inputs.shape[2:])
