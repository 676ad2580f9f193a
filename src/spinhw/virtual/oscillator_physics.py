"""Oscillators without synapses on the bench: their drives come from sources, sample by sample, rests included.

A whole record of many segments is cut where its drive is constant for long. There the closed form of the oscillator is
exact, so the pieces can be integrated side by side; each starts where the one before ended. That is found by repeating:
first all pieces start at rest, then those whose start was wrong are integrated again.
"""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from spinhw.chip import ChipTruth, HiddenOscillators, Identity
from spinhw.chip.fine import chunks, fine_steps, join, thermal_extras
from spinhw.chip.readout import Readout
from spinhw.chip.recorder import ChipRecorder
from spinhw.rollout import Neurons, Rollout, Steps, rollout_driven
from spinhw.virtual.highpass import HighPassed
from spinhw.virtual.lab import SourceOutput, refuse_long
from spinhw.virtual.records import lowpass, pieces
from spinhw.virtual.response import ChipResponse, Steady, Windows, relax, resting_power
from spinhw.virtual.settings import BenchSettings, OscillatorWiring, terminal

_LONGEST_NODE_S = 0.25e-9
_SMOOTH_NODE_S = 1e-9 / 16
_TOLERANCE = 1e-6  # Of full power, in the state at the start of a piece.


class OscillatorPhysics:
    """The bank.

    Args:
        settings: The bench; its wiring is of kind "oscillators".
        wiring: That wiring.
    """

    def __init__(self, settings: BenchSettings, wiring: OscillatorWiring) -> None:
        self._settings, self._wiring = settings, wiring
        count = len(wiring.drives)
        nominal = settings.network.model_copy(update={"layers": (count,)}).neurons(torch.float64)
        self.identity = Identity(f"{settings.id}-0", settings.seed)
        self.hidden = HiddenOscillators.draw(settings.chip, nominal, [self.identity])
        self.recorder = ChipRecorder(settings.chip, [self.identity], count)
        self._readout = Readout(settings.chip.power_readout, [self.identity], count, "power")
        self._behind = Readout(settings.chip.power_readout, [self.identity], count, "filtered", coupled=False)
        threshold = 1 / (settings.network.tau_s * settings.network.sigma)
        self.drive_per_ampere = threshold / settings.conversion.threshold_a
        self.passes = 0  # Of the last shot, for tests and for the curious.

    def warm_up(self) -> None:
        """Integrate something small and forget it: compiling, or loading what was compiled, takes seconds."""
        neurons = self.hidden.at(self.recorder.walk, torch.float32)
        drive = torch.zeros(1, 1, 2, neurons.gamma.shape[1])
        steps = fine_steps(_LONGEST_NODE_S, self._settings.chip.steps_per_ns)
        self._pass(drive, neurons, steps, torch.full_like(drive[:, :, 0], 0.5), 0)

    def fire(self, played: dict[tuple[str, int], SourceOutput], bias_a: float) -> ChipResponse:
        """Play what sources put out after a trigger, by instrument and channel, with a steady current added."""
        walk = self.recorder.walk
        neurons = self.hidden.at(walk, torch.float64)
        record = self._drives(played, bias_a)
        if record is None:
            resting = replace(neurons, bias_drive=torch.full_like(neurons.bias_drive, bias_a * self.drive_per_ampere))
            return Steady(self._measured(resting_power(resting)))
        drives, interval_s, start_s = record
        starts, length = pieces(drives)
        reach = np.minimum(starts[:, None] + np.arange(length), len(drives) - 1)
        cell = max(2, math.ceil(interval_s / _LONGEST_NODE_S - 1e-9))
        refuse_long(len(drives), reach.size * cell * drives.shape[1], length * cell)
        steps = fine_steps(interval_s / cell, self._settings.chip.steps_per_ns)
        held = torch.from_numpy(np.repeat(drives[reach], cell, axis=1)).float()[None]  # (1, piece, node, oscillator)
        before = self._before(drives[0], neurons)
        shot = self.recorder.shots
        truth = self._integrate(held, neurons, steps, starts, drives, interval_s, before, shot)
        [measured] = self.recorder.record(lambda shot: ChipTruth(truth), [range(len(self._wiring.drives))], 1)
        power = measured.power.values[0].numpy()
        final = truth.power[0, :, -1].double().numpy()
        after = drives[np.minimum(starts + length - 1, len(drives) - 1)]

        def rest(number: int, window: np.ndarray, elapsed_s: np.ndarray) -> np.ndarray:
            relaxed = relax(final[window, number], elapsed_s, after[window, number], neurons, number)
            return self._measured(relaxed, number)

        windows = Windows(
            starts_s=start_s + starts * interval_s,
            step_s=interval_s / cell,
            cell=cell,
            power=power,
            filtered=None,
            outputs=None,
            rest=rest,
            before=self._measured(before),
        )
        gain = (self._behind.gain / self._readout.gain)[0].numpy()
        return HighPassed(windows, start_s, neurons.cutoff_hz[0].numpy(), gain)

    def _drives(
        self, played: dict[tuple[str, int], SourceOutput], bias_a: float
    ) -> tuple[np.ndarray, float, float] | None:
        """Give the drives I in 1/s, (time, oscillator), their sample interval, and the time of the first one."""
        wiring, path = self._wiring, self._wiring.drive_path
        sources = [terminal(text) for text in wiring.drives]
        present = [played[source] for source in sources if source in played]
        if not present:
            return None
        rate = max(one.rate_hz for one in present)
        points = max(one.points_at(rate) for one in present)
        refuse_long(points)
        silent = SourceOutput(np.zeros(1), rate)
        arriving = [played.get(source, silent) for source in sources]
        volts = np.stack([one.at(rate, points) for one in arriving], axis=1)
        interval_s = 1 / rate
        if path.bandwidth_hz is not None:
            finer = max(1, math.ceil(interval_s / _SMOOTH_NODE_S))
            refuse_long(points * finer)
            interval_s /= finer
            volts = lowpass(np.repeat(volts, finer, axis=0), interval_s, path.bandwidth_hz)
            volts = np.round(volts, 9)  # A settled value is a constant one.
        amperes = (volts * path.gain + path.offset_v) * wiring.amperes_per_volt + bias_a
        return amperes * self.drive_per_ampere, interval_s, path.latency_s

    def _before(self, drive: np.ndarray, neurons: Neurons) -> np.ndarray:
        """Give the power before the trigger: each at rest under the first sample of its drive."""
        resting = resting_power(replace(neurons, bias_drive=torch.from_numpy(drive)[None]))
        start = self.hidden.start(neurons, "rest")[0, 0].numpy()
        broken = (self.hidden.dead | self.hidden.stuck)[0].numpy()
        return np.where(broken, start, resting)

    def _measured(self, power: np.ndarray, number: int | None = None) -> np.ndarray:
        walk, gain, offset = self.recorder.walk, self._readout.gain, self._readout.offset[0].numpy()
        gains = (gain if walk is None else gain * torch.exp(walk[:, 2]))[0].numpy()
        return power * gains + offset if number is None else power * gains[number] + offset[number]

    def _integrate(
        self,
        held: Tensor,
        neurons: Neurons,
        steps: Steps,
        starts: np.ndarray,
        drives: np.ndarray,
        interval_s: float,
        before: np.ndarray,
        shot: int,
    ) -> Rollout:
        """Integrate all pieces, again and again until each starts where the one before ended."""
        single = neurons.to(torch.float32)
        state = torch.from_numpy(np.tile(before, (len(starts), 1))).float()[None]  # (1, piece, oscillator)
        result = self._pass(held, single, steps, state, shot)
        length = held.shape[2] * steps.substeps * steps.step_s
        for self.passes in range(1, len(starts) + 2):
            wanted = self._starts(result, neurons, steps, starts, drives, interval_s, before, length)
            wrong = (wanted - state[0]).abs().amax(1) > _TOLERANCE
            if not bool(wrong.any()):
                break
            state = wanted[None]
            again = self._pass(held[:, wrong], single, steps, state[:, wrong], shot)
            for old, new in ((result.power0, again.power0), (result.power, again.power)):
                old[:, wrong] = new
        return result

    def _starts(
        self,
        result: Rollout,
        neurons: Neurons,
        steps: Steps,
        starts: np.ndarray,
        drives: np.ndarray,
        interval_s: float,
        before: np.ndarray,
        length_s: float,
    ) -> Tensor:
        """Give the state with which each piece must start, (piece, oscillator)."""
        power = torch.cat([result.power0[0, :, None], result.power[0]], dim=1).double().numpy()
        nodes = power.shape[1] - 1
        distance_s = np.diff(starts) * interval_s
        node = np.rint(distance_s / (length_s / nodes)).astype(np.int64)
        index = np.arange(len(distance_s))
        wanted = [before]
        ends = power[index, np.minimum(node, nodes)]  # (piece - 1, oscillator)
        beyond_s = np.maximum(0.0, distance_s - length_s)
        last = drives[np.minimum(starts[:-1] + round(length_s / interval_s) - 1, len(drives) - 1)]
        relaxed = relax(ends, beyond_s[:, None], last, neurons, slice(None))
        return torch.from_numpy(np.concatenate([wanted, np.where(beyond_s[:, None] > 0, relaxed, ends)])).float()

    def _pass(self, held: Tensor, neurons: Neurons, steps: Steps, state: Tensor, shot: int) -> Rollout:
        thermal, length, parts = self._settings.chip.thermal_power, held.shape[2] * steps.substeps, []
        for images in chunks(held.shape[1], held.shape[3], length, thermal > 0):
            extras = thermal_extras([self.identity], neurons, thermal, shot, images, length)
            parts.append(rollout_driven(held[:, images], neurons, steps, initial=state[:, images], extras=extras))
        return join(parts)
