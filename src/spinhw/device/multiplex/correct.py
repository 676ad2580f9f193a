"""Defect correction: play what the surrogate network does, see what the surrogate missed, solve again with that."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from spinhw.device.multiplex.assignment import Assignment
from spinhw.device.multiplex.corrections import Corrections
from spinhw.device.multiplex.coupled import CoupledNetwork, Waveforms
from spinhw.device.multiplex.outcome import TOLERANCE, Corrected, Correction, CorrectionPlan
from spinhw.device.multiplex.passes import Passage, Player
from spinhw.device.multiplex.residual import Noise, Residual, combined, earlier, told_apart
from spinhw.device.multiplex.rest import Rest, rest_needed
from spinhw.device.trace import Quality
from spinhw.errors import ConfigError, SpinhwWarning
from spinhw.sequences import inside
from spinhw.surrogate import OnlineRefit, Oscillators, Played, modelled

# A pass that leaves more than this share of the change before it gets nowhere: from then on steps are damped.
_STALLED = 0.7
# The deviation from rest at the start of a segment, as a share of the tolerance.
_REST_SHARE = 0.1
_LOW = 0.01  # A power that is low at the end of a segment, for a guess before anything was played.
# Segments that are played twice, once in a session, to see the noise.
_TWICE = 8
# Samples that a refit looks at: of all oscillators together, but of each at least and at most so many. A thousand give
# every parameter to 2e-3 at a noise of 1 %.
_REFIT_SAMPLES, _LEAST_SAMPLES, _MOST_SAMPLES = 2**17, 2**10, 2**13
_NUMBERS_PER_CHUNK = 2**20
# A pass that was predicted to this share of the tolerance teaches nothing that would be felt: no refit, which is
# half of the work.
_TEACHES = 0.25


class Corrector:
    """Corrects batches and remembers what it learned about oscillators, noise and sequences.

    Args:
        player: Plays segments on the bank.
        assignment: Who plays which neuron.
        oscillators: The surrogate at first, one for each oscillator of the bank.
        refit: Learns from every pass; None keeps the surrogate as it is.
        corrections: Where to start from.
        plan: How to correct.
    """

    def __init__(
        self,
        player: Player,
        assignment: Assignment,
        oscillators: Oscillators,
        refit: OnlineRefit | None,
        corrections: Corrections,
        plan: CorrectionPlan,
    ) -> None:
        self._player, self._assignment, self._plan = player, assignment, plan
        self._start, self.refit, self.corrections = oscillators, refit, corrections
        self.noise: Noise | None = None

    @property
    def oscillators(self) -> Oscillators:
        """Get the surrogate as it is now, one for each oscillator of the bank."""
        return self._start if self.refit is None else self.refit.oscillators

    @property
    def rows(self) -> int:
        """Segments that are played for each image."""
        return self._assignment.rows

    def usual_rest_s(self) -> float:
        """Return the rest before each segment where the powers end at a hundredth of full power, in seconds."""
        low = torch.full((1, self.oscillators.count), _LOW, dtype=torch.float64)
        return self._rest(low).duration_s

    def run(self, network: CoupledNetwork, inputs: Tensor, averages: int, lengths: Tensor | None = None) -> Corrected:
        """Measure a batch until it changes no more.

        Args:
            network: With the weights as they are now.
            inputs: u, (batch, time, input).
            averages: Shots of each pass.
            lengths: Samples of each sequence, (batch,): what is played after its end is not looked at. None where all
                end with the time axis.

        Raises:
            ConfigError: The tolerance is below the noise floor.
        """
        found = []
        for one in self.passes(network, inputs, averages, lengths):
            found.append(one)
            if one.correction.converged:
                break
        best = min(found, key=lambda one: one.correction.changes[-1])
        self.corrections.keep(inputs, best.defect)
        return replace(best, correction=found[-1].correction)

    def passes(
        self, network: CoupledNetwork, inputs: Tensor, averages: int, lengths: Tensor | None = None
    ) -> Iterator[Corrected]:
        """Measure a batch as often as the plan allows; each pass gives what came out, were it the last one."""
        times = inputs.shape[1] * network.samples + 1
        used = inside(None if lengths is None else lengths * network.samples + 1, times)  # (batch, time + 1)
        defect = self.corrections.recall(inputs, (times, len(self._assignment.oscillator)))
        now, done = network.solve(inputs, self._of_neurons(), defect), []
        changes: list[float] = []
        misfits: list[float] = []
        missed: list[Tensor] = []
        damped = False
        for _ in range(self._plan.passes):
            done.append(self._measure(now, averages, used))
            tolerance = self._tolerance(averages)
            missed.append(self._in_time(done[-1].played))
            misfits.append(self._misfit(done[-1], missed[-1] - defect, averages))
            if self.refit is not None and misfits[-1] > _TEACHES * (self._plan.tolerance or TOLERANCE):
                self._learn(self.refit, done[-1])
                missed = [self._in_time(one.played) for one in done]
            residual = self._residual(done, missed, averages)
            share = self._plan.damping if damped else 1.0
            defect = defect + share * (residual.values - defect)
            solved = network.solve(inputs, self._of_neurons(), defect)
            changed = solved.power - now.power
            changes.append(_rms(changed if used is None else changed[used]) / share)
            now = solved
            stalled = changes[-1] > tolerance and len(changes) > 1 and changes[-1] > _STALLED * changes[-2]
            if stalled and not damped:
                damped = True
                self._warn(changes)
            report = self._report(done, changes, misfits, tolerance, averages, damped)
            quality = _best_quality([self._unpacked(one.quality) for one in done])
            yield Corrected(now, quality, float(residual.variance.mean().sqrt()), defect, report)

    def state(self) -> dict[str, Any]:
        """Return what was learned of oscillators and noise as plain data for JSON; corrections are not part of it."""
        learned = {} if self.refit is None else {name: one.tolist() for name, one in self.refit.state().items()}
        noise = self.noise and {
            "variance": self.noise.variance.tolist(),
            "colour": self.noise.colour.tolist(),
            "samples": self.noise.samples,
        }
        return {"refit": learned, "noise": noise}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state` gave, with nothing remembered."""
        self.corrections.forget()
        if self.refit is not None:
            self.refit.restore({name: _tensor(one) for name, one in state["refit"].items()})
        noise = state["noise"]
        self.noise = noise and Noise(_tensor(noise["variance"]), _tensor(noise["colour"]), noise["samples"])

    def _of_neurons(self) -> Oscillators:
        return self.oscillators.picked(self._assignment.index)

    def _measure(self, now: Waveforms, averages: int, used: Tensor | None) -> Passage:
        """Play the drives of the network as predicted, some segments twice where the noise is not known yet.

        Only samples that are used, (batch, time + 1), are good.
        """
        drive = self._assignment.pack(now.drive, self._player.bias_drive)
        ends = self._assignment.pack(now.power[:, -1:], 0.5)[:, 0]
        rest = self._rest(ends)
        if rest.deviation > (self._plan.tolerance or TOLERANCE):
            warnings.warn(
                f"an oscillator is so near to its threshold under the bias that {rest.duration_s:.3g} s of rest leave "
                f"it {rest.deviation:.2g} away from rest; leave it out of the assignment",
                SpinhwWarning,
                stacklevel=4,
            )
        again = 0 if self.noise is not None else min(_TWICE, len(drive))
        passage = self._player.play(torch.cat([drive, drive[:again]]), rest, averages)
        if used is not None:
            seen = self._assignment.pack(used[..., None].expand_as(now.power), False)
            good = passage.played.good & torch.cat([seen, seen[:again]])
            passage = replace(passage, played=replace(passage.played, good=good))
        if not again:
            return passage
        kept, twice = passage.segments(slice(0, len(drive))), passage.segments(slice(len(drive), None))
        first = kept.segments(slice(0, again))
        both = first.played.good & twice.played.good
        self.noise = Noise.between(first.played.power, twice.played.power, both, averages)
        return kept

    def _rest(self, ends: Tensor) -> Rest:
        tolerance = _REST_SHARE * (self._plan.tolerance or TOLERANCE)
        return rest_needed(ends, self.oscillators, self._player.bias_drive, tolerance)

    def _tolerance(self, averages: int) -> float:
        """Return the tolerance.

        Raises:
            ConfigError: It is below the noise floor.
        """
        wanted, floor = self._plan.tolerance, self._floor(averages)
        if wanted is None:
            return max(TOLERANCE, floor)
        if wanted < floor:
            enough = math.ceil(averages * (floor / wanted) ** 2)
            raise ConfigError(
                "tolerance: below the noise floor",
                seen=f"{wanted:g}",
                allowed=f"at least {floor:.3g}, the measured noise of a sample with averages: {averages}",
                todo=f"raise the tolerance, or average over {enough} shots",
            )
        return wanted

    def _floor(self, averages: int) -> float:
        return 0.0 if self.noise is None else self.noise.rms(averages)

    def _misfit(self, passage: Passage, beyond: Tensor, averages: int) -> float:
        """Return the rms of what was measured beyond surrogate and defect, the noise taken off."""
        good = self._unpacked(passage.played.good)
        square = float((torch.where(good, beyond, torch.zeros_like(beyond)) ** 2).sum() / good.sum().clamp_min(1))
        return math.sqrt(max(0.0, square - self._floor(averages) ** 2))

    def _learn(self, refit: OnlineRefit, passage: Passage) -> None:
        """Let the surrogate learn from some of the segments, chosen evenly."""
        played, neurons = passage.played, len(self._assignment.oscillator)
        images = len(played.drive) // self._assignment.rows
        used = self._assignment.pack(torch.ones(images, 1, neurons, dtype=torch.bool), False)
        samples = min(max(_REFIT_SAMPLES // played.oscillators, _LEAST_SAMPLES), _MOST_SAMPLES)
        wanted = math.ceil(samples / played.drive.shape[1])
        chosen = torch.linspace(0, len(played.drive) - 1, min(wanted, len(played.drive))).long()
        some = Played(
            played.drive[chosen],
            played.power[chosen],
            (played.good & used)[chosen],
            played.interval_s,
            played.bias_drive,
            played.averages,
        )
        refit.update([some])

    def _residual(self, passes: Sequence[Passage], missed: Sequence[Tensor], averages: int) -> Residual:
        """Estimate what the surrogate, as it is now, misses of the powers, from what it missed in each pass."""
        variance = torch.zeros(len(self._assignment.oscillator), dtype=torch.float64)
        colour = None
        if self.noise is not None:
            variance = self.noise.variance[self._assignment.index] / averages
            colour = self.noise.colour_at(missed[-1].shape[1])
        good = [self._unpacked(one.played.good) for one in passes]
        found = combined(missed, good, variance / self._of_neurons().gain ** 2)
        return found if colour is None else told_apart(found, colour)

    def _in_time(self, played: Played) -> Tensor:
        """Return what the surrogate misses of each neuron's power, in its own time, (batch, time + 1, neuron)."""
        model = self._of_neurons()
        return earlier(self._unpacked(self._apart(played)) / model.gain, model.delay / played.interval_s)

    def _apart(self, played: Played) -> Tensor:
        """Return measured less modelled, zero where nothing good was measured."""
        size = max(1, _NUMBERS_PER_CHUNK // (played.drive.shape[1] * played.oscillators))
        parts = []
        for first in range(0, len(played.drive), size):
            part = played.batches(slice(first, first + size))
            model, _ = modelled(part, self.oscillators)
            parts.append(torch.where(part.good, part.power - model, torch.zeros_like(model)))
        return torch.cat(parts)

    def _unpacked(self, segments: Tensor) -> Tensor:
        return self._assignment.unpack(segments)

    def _warn(self, changes: Sequence[float]) -> None:
        warnings.warn(
            f"the surrogate is too far from the oscillators: a pass leaves {changes[-1] / changes[-2]:.0%} of the "
            f"change before it (now {changes[-1]:.2g} of full power); going on with damped relaxation. Calibrate the "
            "bank, or let more parameters be refitted",
            SpinhwWarning,
            stacklevel=4,
        )

    def _report(
        self,
        passes: Sequence[Passage],
        changes: Sequence[float],
        misfits: Sequence[float],
        tolerance: float,
        averages: int,
        damped: bool,
    ) -> Correction:
        energies = [one.energy_j for one in passes]
        return Correction(
            len(passes[-1].played.drive) // self._assignment.rows,
            tuple(changes),
            tuple(misfits),
            tolerance,
            self._floor(averages),
            damped,
            passes[-1].rest,
            sum(one.shots for one in passes),
            sum(one.uploads for one in passes),
            sum(one.played_s for one in passes),
            None if None in energies else sum(one for one in energies if one is not None),
        )


def _tensor(numbers: list[Any]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def _rms(values: Tensor) -> float:
    return float((values**2).mean().sqrt())


def _best_quality(passes: Sequence[Tensor]) -> Tensor:
    """Return what samples are worth: good where one pass was, else what the last pass says."""
    good = torch.stack([one == Quality.GOOD for one in passes]).any(0)
    return torch.where(good, torch.zeros_like(passes[-1]), passes[-1])
