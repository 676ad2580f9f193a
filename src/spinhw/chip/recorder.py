"""Takes shots of chips: counts them, lets the chips drift, measures, averages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from spinhw.chip.draw import Identity
from spinhw.chip.drift import Drift
from spinhw.chip.readout import Mean, MeasuredSamples, Readout
from spinhw.chip.settings import ChipSettings
from spinhw.rollout import Rollout


@dataclass(frozen=True)
class ChipTruth:
    """What chips really did at one shot.

    Args:
        rollout: States and outputs of the oscillators.
        outputs: Answers of a hardware read-out, (member, batch, answer, output); None without one.
    """

    rollout: Rollout
    outputs: Tensor | None = None


@dataclass(frozen=True)
class Measurement:
    """What was measured of the observed oscillators in one repeat, averaged over its shots, in model units.

    Args:
        power: x, (member, batch, time + 1, observed): the first sample is before the first input.
        filtered: y at the ends of the input intervals, (member, batch, time, observed).
        outputs: (member, batch, answer, output); None without a hardware read-out.
        shots: First shot and the one after the last.
    """

    power: MeasuredSamples
    filtered: MeasuredSamples
    outputs: MeasuredSamples | None
    shots: tuple[int, int]


class ChipRecorder:
    """The measuring side of chips.

    Args:
        settings: Read-outs and drift.
        identities: Who the chips are.
        oscillators: Oscillators of each.
        outputs: Outputs of a hardware read-out; 0 without.
    """

    def __init__(
        self, settings: ChipSettings, identities: Sequence[Identity], oscillators: int, outputs: int = 0
    ) -> None:
        self._fluctuates, self._outputs = settings.thermal_power > 0, outputs
        self._drift = Drift(settings.drift, identities, oscillators) if settings.drift.active else None
        self._power = Readout(settings.power_readout, identities, oscillators, "power")
        self._filtered = Readout(settings.power_readout, identities, oscillators, "filtered", coupled=False)
        self._output = Readout(settings.output_readout, identities, outputs, "outputs")
        self.shots = 0

    @property
    def walk(self) -> Tensor | None:
        """Get the logarithms of the drift of gamma, sigma, gain, (member, 3, oscillator); None without drift."""
        return None if self._drift is None else self._drift.walk

    @torch.no_grad()
    def record(
        self, respond: Callable[[int], ChipTruth], repeats: Sequence[Sequence[int]], averages: int
    ) -> list[Measurement]:
        """Take `averages` shots for each repeat. The chips stay as they are meanwhile and drift afterwards.

        Args:
            respond: Gives what the chips do at a shot.
            repeats: Oscillators observed in each repeat.
            averages: Shots of each repeat, at least 1.
        """
        truth: ChipTruth | None = None
        measurements, start = [], self.shots
        for observed in repeats:
            means, first = (Mean(), Mean(), Mean()), self.shots
            for _ in range(averages):
                shot = self.shots
                self.shots += 1
                if truth is None or self._fluctuates:
                    truth = respond(shot)
                self._take(truth, observed, shot, means)
            power, filtered, outputs = (mean.result() for mean in means)
            if power is None or filtered is None:
                raise ValueError(f"averages must be at least 1, not {averages}")
            measurements.append(Measurement(power, filtered, outputs, (first, self.shots)))
        if self._drift is not None:
            self._drift.advance(range(start, self.shots))
        return measurements

    def read(self, truth: ChipTruth, shot: int) -> ChipTruth:
        """Give a truth as the electronics of a shot make it, differentiable: the outputs, or y without them."""
        if truth.outputs is not None:
            seen = self._output.read(truth.outputs, range(self._outputs), shot, None).values
            return replace(truth, outputs=seen)
        filtered = truth.rollout.filtered
        seen = self._filtered.read(filtered, range(filtered.shape[-1]), shot, self._gain_walk).values
        return replace(truth, rollout=replace(truth.rollout, filtered=seen))

    @property
    def _gain_walk(self) -> Tensor | None:
        return None if self.walk is None else self.walk[:, 2]

    def _take(self, truth: ChipTruth, observed: Sequence[int], shot: int, means: tuple[Mean, Mean, Mean]) -> None:
        gain_walk, picked, rollout = self._gain_walk, list(observed), truth.rollout
        power = torch.cat([rollout.power0[:, :, None, picked], rollout.power[..., picked]], dim=2)
        means[0].add(self._power.read(power, picked, shot, gain_walk))
        means[1].add(self._filtered.read(rollout.filtered[..., picked], picked, shot, gain_walk))
        if truth.outputs is not None:
            means[2].add(self._output.read(truth.outputs, range(self._outputs), shot, None))

    def state(self) -> dict[str, Any]:
        """Give shots and drift as plain data for JSON, exact to the bit."""
        return {"shots": self.shots, "walk": None if self.walk is None else self.walk.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state that `state` gave."""
        self.shots = int(state["shots"])
        if self._drift is not None:
            self._drift.walk = torch.tensor(state["walk"], dtype=torch.float64)
