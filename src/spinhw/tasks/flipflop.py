"""The flip-flop task (Jarne 2023, 2024, section 3): pulses set and reset bits, and the outputs hold them.

Each channel is one bit. A positive pulse sets it to +1, a negative one resets it to -1, and the target follows a fixed
delay after the pulse has ended; until the first pulse it is 0. Time is counted in steps, which the papers call 1 ms.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.tasks.flipflop_settings import FlipFlopSettings
from spinhw.tasks.trials import Trials


@dataclass(frozen=True)
class Pulses:
    """When the pulses of some trials start, and what they say.

    Args:
        onsets: Step of the start, (trial, bit, pulse), rising.
        signs: +1, -1, or 0 for a pulse that is left out, of the same shape.
    """

    onsets: Tensor
    signs: Tensor


def draw_trials(settings: FlipFlopSettings, count: int, generator: torch.Generator) -> Trials:
    """Draw trials; the same generator state gives the same trials.

    Args:
        settings: The task.
        count: How many.
        generator: Where the numbers come from.

    Returns:
        float32 trials of shape (count, steps, bits).
    """
    trials = render(draw_pulses(settings, count, generator), settings)
    if settings.noise:
        trials.inputs.add_(torch.randn(trials.inputs.shape, generator=generator), alpha=settings.noise)
    return trials


def draw_pulses(settings: FlipFlopSettings, count: int, generator: torch.Generator) -> Pulses:
    """Draw when pulses start and what they say, without rendering them."""
    shape = (count, settings.bits)
    gaps = [torch.randint(low, high + 1, shape, generator=generator) for low, high in settings.onsets]
    signs = 2.0 * torch.randint(0, 2, (*shape, len(gaps)), generator=generator) - 1.0
    present = torch.rand((*shape, len(gaps)), generator=generator) >= torch.tensor(settings.absent)
    return Pulses(torch.stack(gaps, -1).cumsum(-1), signs * present)


def render(pulses: Pulses, settings: FlipFlopSettings) -> Trials:
    """Turn pulses into noise-free inputs and their targets, (trial, time, bit)."""
    count, bits, _ = pulses.onsets.shape
    time = torch.arange(settings.steps)[:, None]  # (time, 1)
    inputs = torch.zeros(count, settings.steps, bits)
    targets = torch.zeros(count, settings.steps, bits)
    for onset, sign in zip(pulses.onsets.unbind(-1), pulses.signs.unbind(-1), strict=True):
        since, sign = time - onset[:, None], sign[:, None]  # (trial, time, bit), (trial, 1, bit)
        inputs += settings.amplitude * sign * ((since >= 0) & (since < settings.pulse_steps))
        answered = (since >= settings.pulse_steps + settings.delay_steps) & (sign != 0)
        targets = torch.where(answered, sign, targets)
    if settings.last_target_zero:
        targets[:, -1] = 0.0
    return Trials(inputs, targets)


def holding(task: FlipFlopSettings, steps: int) -> FlipFlopSettings:
    """Return a task with whole pulses whose sequences go on for so many steps after the last answer."""
    whole = task.last_onset + task.pulse_steps + task.delay_steps + steps
    return task.model_copy(update={"steps": whole, "cut_pulses": False, "last_target_zero": False})
