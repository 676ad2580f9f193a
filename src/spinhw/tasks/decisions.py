"""The other tasks that Jarne (2024) names, drawn by ourselves with the timings that neurogym publishes.

Perceptual decision making, context-dependent decision making, delayed match to sample, parametric working memory. The
channels are a fixation cue, then the stimuli; the one target is 0 while the cue lasts, and then +1 or -1 to the end of
the sequence: which of two answers is right. A trial that ends before the sequence goes on showing nothing.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from spinhw.tasks.decision_settings import DecisionSettings
from spinhw.tasks.trials import Trials

# Contrast of evidence in percent, and pairs of vibration frequencies in Hz.
_PERCEPTUAL_COHERENCE = (6.4, 12.8, 25.6, 51.2)
_CONTEXT_COHERENCE = (5.0, 15.0, 50.0)
_FREQUENCY_PAIRS = ((18, 10), (22, 14), (26, 18), (30, 22), (34, 26))

# Of a delay that is drawn.
_DELAY_MEAN_MS, _DELAY_LEAST_MS, _DELAY_MOST_MS = 600.0, 300.0, 3000.0


def draw_decisions(settings: DecisionSettings, count: int, generator: torch.Generator) -> Trials:
    """Draw trials; fixation and answer weigh the same in the loss, however long they last.

    Args:
        settings: The task.
        count: How many.
        generator: Where the numbers come from.
    """
    draw: dict[str, Callable[[DecisionSettings, int, torch.Generator], tuple[Tensor, Tensor, Tensor]]] = {
        "perceptual": _perceptual,
        "context": _context,
        "match": _match,
        "parametric": _parametric,
    }
    stimuli, answer, cue_ends = draw[settings.kind](settings, count, generator)
    time = torch.arange(settings.steps)
    waits = (time < cue_ends[:, None]).float()[..., None]  # (trial, time, 1)
    noise = torch.randn(stimuli.shape, generator=generator) * (settings.noise / settings.step_ms**0.5)
    seen = (stimuli != 0).any(-1, keepdim=True)
    inputs = torch.cat([waits, stimuli + noise * seen], -1)
    targets = (1 - waits) * answer[:, None, None]
    share = waits.mean(1, keepdim=True)
    return Trials(inputs, targets, waits / share + (1 - waits) / (1 - share))


def _signs(count: int, generator: torch.Generator) -> Tensor:
    return 2.0 * torch.randint(0, 2, (count,), generator=generator) - 1.0


def _choice(values: tuple[float, ...], count: int, generator: torch.Generator) -> Tensor:
    return torch.tensor(values)[torch.randint(0, len(values), (count,), generator=generator)]


def _window(settings: DecisionSettings, period: int) -> Tensor:
    """Mark the steps of a period, (time,)."""
    ends = torch.tensor(settings.periods).cumsum(0)
    time = torch.arange(settings.steps)
    return ((time >= ends[period] - settings.periods[period]) & (time < ends[period])).float()


def _ends(settings: DecisionSettings, count: int) -> Tensor:
    """Give the end of the fixation cue where no delay is drawn: the answer is the last period."""
    return torch.full((count,), settings.steps - settings.periods[-1])


def _evidence(coherence: Tensor) -> Tensor:
    """Give the two stimuli of a contrast between -1 and 1, (trial, 2)."""
    return torch.stack([0.5 * (1 + coherence), 0.5 * (1 - coherence)], -1)


def _perceptual(settings: DecisionSettings, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    answer = _signs(count, generator)
    strength = _evidence(answer * _choice(_PERCEPTUAL_COHERENCE, count, generator) / 100)
    return strength[:, None] * _window(settings, 1)[:, None], answer, _ends(settings, count)


def _context(settings: DecisionSettings, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    signs = torch.stack([_signs(count, generator), _signs(count, generator)], -1)  # (trial, modality)
    coherence = torch.stack([_choice(_CONTEXT_COHERENCE, count, generator) for _ in range(2)], -1) / 100
    context = torch.randint(0, 2, (count,), generator=generator)
    shown = _window(settings, 1)[:, None]  # (time, 1)
    evidence = [_evidence(signs[:, one] * coherence[:, one])[:, None] * shown for one in range(2)]
    delay = _delays(count, generator) / settings.step_ms
    ends = settings.periods[0] + settings.periods[1] + delay.round().long().clamp_min(1)
    told = torch.nn.functional.one_hot(context, 2)[:, None].float()  # (trial, 1, 2)
    lasts = (torch.arange(settings.steps) < ends[:, None]).float()[..., None]
    answer = signs.gather(1, context[:, None])[:, 0]
    return torch.cat([*evidence, told * lasts], -1), answer, ends


def _delays(count: int, generator: torch.Generator) -> Tensor:
    """Draw delays in ms from an exponential, cut to its bounds by inverting the distribution between them."""
    low, high = (1 - torch.exp(torch.tensor(-at / _DELAY_MEAN_MS)) for at in (_DELAY_LEAST_MS, _DELAY_MOST_MS))
    return -_DELAY_MEAN_MS * torch.log1p(-(low + (high - low) * torch.rand(count, generator=generator)))


def _match(settings: DecisionSettings, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    sample, test = (torch.randint(0, 2, (count,), generator=generator) for _ in range(2))
    hot = [torch.nn.functional.one_hot(one, 2)[:, None].float() for one in (sample, test)]  # (trial, 1, 2)
    stimuli = hot[0] * _window(settings, 1)[:, None] + hot[1] * _window(settings, 3)[:, None]
    return stimuli, torch.where(sample == test, 1.0, -1.0), _ends(settings, count)


def _parametric(settings: DecisionSettings, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    pair = torch.tensor(_FREQUENCY_PAIRS)[torch.randint(0, len(_FREQUENCY_PAIRS), (count,), generator=generator)]
    answer = _signs(count, generator)
    ordered = torch.where(answer[:, None] > 0, pair, pair.flip(1)) / 34.0  # (trial, 2): first above second is +1
    shown = torch.stack([_window(settings, 1), _window(settings, 3)], -1)  # (time, 2)
    return (shown @ ordered.T.float()).T[..., None], answer, _ends(settings, count)
