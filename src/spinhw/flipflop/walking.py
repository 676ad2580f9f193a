"""A noise-free sequence that takes the network through all memory states, with correct labels.

The published test sequence swaps the targets of two channels and marks a state that is not there. Here the labels come
from the same pulses as the inputs, and a state is read at the end of its hold, when it has settled.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.tasks.flipflop import Pulses, render
from spinhw.tasks.flipflop_settings import FlipFlopSettings
from spinhw.tasks.trials import Trials

# As in the published code: a pulse on every channel each 70 steps, the first at step 30.
FIRST_ONSET = 30
HOLD_STEPS = 70


@dataclass(frozen=True)
class Walk:
    """The sequence and where to look.

    Args:
        trials: One trial, (1, time, bit).
        ends: Last step of each hold, (state,).
        codes: Bits of the state that is held then, +-1, (state, bit).
    """

    trials: Trials
    ends: Tensor
    codes: Tensor


def counted_codes(bits: int) -> Tensor:
    """List all states as +-1, (2^bits, bit), in the published order: from all +1, the second bit fastest."""
    order = [1, 0, *range(2, bits)][:bits] if bits > 1 else [0]
    places = torch.empty(bits, dtype=torch.long)
    places[torch.tensor(order)] = torch.arange(bits)
    return 1.0 - 2.0 * ((torch.arange(2**bits)[:, None] >> places) & 1)


def walk(settings: FlipFlopSettings, hold_steps: int = HOLD_STEPS, rounds: int = 1) -> Walk:
    """Make the sequence: every `hold_steps` all channels get the pulses of the next state.

    Args:
        settings: The task; its width, amplitude and delay count.
        hold_steps: Steps from one state's pulses to the next one's.
        rounds: How often each state is visited.
    """
    codes = counted_codes(settings.bits).repeat(rounds, 1)  # (state, bit)
    onsets = FIRST_ONSET + hold_steps * torch.arange(len(codes))
    steps = FIRST_ONSET + hold_steps * len(codes)
    long = settings.model_copy(update={"steps": steps, "last_target_zero": False})
    pulses = Pulses(onsets.expand(1, settings.bits, -1), codes.T[None])
    return Walk(render(pulses, long), onsets + hold_steps - 1, codes)
