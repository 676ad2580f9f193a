"""Notices that a device has changed: a short probe now and then, and a control chart with limits of its own.

A probe is a short batch of pseudo-random drives. What the calibrated model misses by is projected on what a change of
parameters would do, g = J^T (measured - model): without a change g has the covariance A s^2 + A C A, with A = J^T J, s
the noise that the calibration left, C its own covariance. So

    T^2 = g^T (A s^2 + A C A)^-1 g

is chi-square distributed, whatever the device. Its limit follows from how many false alarms are allowed.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from scipy.stats import chi2
from torch import Tensor

from spinhw.calibration.analysis import single_threaded
from spinhw.calibration.measure import play
from spinhw.calibration.settings import PlanSettings, PseudoRandom
from spinhw.config import Settings
from spinhw.device import OscillatorBank
from spinhw.errors import CalibrationError, some_of
from spinhw.estimate import NormalEquations
from spinhw.surrogate import PARAMETERS, Calibrated, OnlineRefit, Oscillators, Played, columns, misfit

_log = logging.getLogger(__name__)

# Least residual noise, in units of full power: rounding, and what no model gets right.
_LEAST_NOISE = 1e-4
_NAMED = 5  # Oscillators named in a message.


class InspectionSettings(Settings):
    """How a device is inspected now and then."""

    every: int = Field(default=100, ge=1, description="Batches between probes, at least 1.")
    segments: int = Field(default=4, ge=1, le=1000, description="Segments of a probe, 1 to 1000.")
    samples: int = Field(default=64, ge=8, le=10_000, description="Samples of each segment, 8 to 10 000.")
    false_alarms_per_1000: float = Field(
        default=0.5, gt=0.0, le=100.0, description="False alarms of a whole chip in 1000 probes, above 0 to 100."
    )
    parameters: tuple[Literal["gamma", "sigma", "q", "gain", "offset", "delay"], ...] = Field(
        default=("gamma", "sigma", "q", "gain", "offset"), min_length=1, description="Parameters that are looked at."
    )
    action: Literal["log", "refit", "stop"] = Field(
        default="refit", description="On alarm: 'log' it, 'refit' what moved, or 'stop' and leave the device safe."
    )


@dataclass(frozen=True)
class DriftVerdict:
    """What a probe told.

    Args:
        score: T^2 of each oscillator, (oscillator,).
        limit: Above it an oscillator has changed.
        moved: Of those that changed, the parameters that explain it, by number.
        shifts: By how much, in the unit of each parameter (relative for gamma, sigma, gain), by number.
    """

    score: Tensor
    limit: float
    moved: dict[int, tuple[str, ...]]
    shifts: dict[int, tuple[float, ...]]

    @property
    def alarm(self) -> bool:
        """Whether anything has changed."""
        return bool(self.moved)

    def __str__(self) -> str:
        if not self.alarm:
            return f"no change: largest score {float(self.score.max()):.1f}, limit {self.limit:.1f}"
        parts = [
            f"oscillator {number}: "
            + ", ".join(f"{name} {shift:+.3g}" for name, shift in zip(names, self.shifts[number], strict=True))
            for number, names in self.moved.items()
        ]
        return f"{len(self.moved)} oscillators have changed: {some_of(parts, _NAMED, '; ')}"


class DriftChart:
    """A control chart around a calibration.

    Args:
        calibrated: The record's.
        noise: Rms of one shot's sample around the fit, (oscillator,): the record's residual.
        settings: What is watched, and how many false alarms are allowed.
    """

    def __init__(self, calibrated: Calibrated, noise: Tensor, settings: InspectionSettings) -> None:
        self.calibrated, self.settings = calibrated, settings
        self.oscillators, self.covariance = calibrated.oscillators, calibrated.covariance
        self._noise = torch.where(noise.isfinite(), noise, calibrated.noise).clamp_min(_LEAST_NOISE)
        self._columns = columns([name for name in PARAMETERS if name in settings.parameters])
        working = max(1, int(calibrated.working.sum()))
        share = settings.false_alarms_per_1000 / 1000 / working
        self.limit = float(chi2.isf(share, len(self._columns)))
        self.history: list[DriftVerdict] = []

    def look(self, probe: Sequence[Played]) -> DriftVerdict:
        """Judge a probe against the calibration.

        Args:
            probe: What was played and measured; oscillators without good samples are passed over.
        """
        with single_threaded():
            found = misfit(probe, self.oscillators, timed="delay" in self.settings.parameters)
        scores = self._scores(found)
        changed = (scores > self.limit) & self.calibrated.working & (found.samples > 0)
        moved, shifts = {}, {}
        for number in changed.nonzero()[:, 0].tolist():
            moved[number], shifts[number] = self._explain(found, number)
        verdict = DriftVerdict(scores, self.limit, moved, shifts)
        self.history.append(verdict)
        return verdict

    def refit(self, probe: Sequence[Played], verdict: DriftVerdict) -> Oscillators:
        """Fit again what moved, and only that, and watch around it from now on."""
        table = self.oscillators.table()
        for number, names in verdict.moved.items():
            one = torch.tensor([number])
            learner = OnlineRefit(self.oscillators.picked(one), names, self._noise[one], forgetting=1.0)
            with single_threaded():
                table[:, one] = learner.update([part.of(one) for part in probe]).table()
            self.covariance = self.covariance.clone()
            self.covariance[number] = _largest(self.covariance[number], learner.covariance()[0])
        self.oscillators = Oscillators.of(table)
        return self.oscillators

    def _scores(self, found: NormalEquations) -> Tensor:
        wanted = self._columns
        gradient, normal = found.gradient[:, wanted], found.normal[:, wanted][:, :, wanted]
        known = self.covariance[:, wanted][:, :, wanted]
        spread = normal * (self._noise**2)[:, None, None] + normal @ known @ normal
        scale = spread.diagonal(dim1=1, dim2=2).clamp_min(1e-300).sqrt()
        unit = spread / scale[:, :, None] / scale[:, None, :] + 1e-9 * torch.eye(len(wanted), dtype=torch.float64)
        unit_gradient = gradient / scale
        return (unit_gradient * torch.linalg.solve(unit, unit_gradient[..., None])[..., 0]).sum(1)

    def _explain(self, found: NormalEquations, number: int) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """Name the fewest parameters whose change leaves a score within the limit, the most telling first."""
        wanted, chosen = self._columns, list[int]()
        gradient, normal = found.gradient[number, wanted], found.normal[number][wanted][:, wanted]
        variance = self._noise[number] ** 2
        shift = torch.zeros(0, dtype=torch.float64)
        left = gradient
        while len(chosen) < len(wanted):
            gains = left**2 / (normal.diagonal() * variance).clamp_min(1e-300)
            gains[chosen] = -1.0
            chosen.append(int(gains.argmax()))
            block = normal[chosen][:, chosen]
            shift = torch.linalg.lstsq(block, gradient[chosen][:, None]).solution[:, 0]
            left = gradient - normal[:, chosen] @ shift
            rest = [place for place in range(len(wanted)) if place not in chosen]
            if not rest or float((left[rest] ** 2 / (normal.diagonal()[rest] * variance)).max()) < self.limit:
                break
        return tuple(PARAMETERS[int(wanted[place])] for place in chosen), tuple(shift.tolist())


class BankWatch:
    """Probes a bank every so many batches, as a training loop goes on.

    Args:
        bank: Open.
        chart: Around its calibration.
        gamma_per_s: Nominal damping rate, the unit of drives.
    """

    def __init__(self, bank: OscillatorBank, chart: DriftChart, gamma_per_s: float) -> None:
        self._bank, self.chart, self._gamma = bank, chart, gamma_per_s
        self._probes = 0

    def after_batch(self, batch: int) -> DriftVerdict | None:
        """Probe where it is time, and do what is to be done on alarm; None where it is not time.

        Args:
            batch: Batches done so far, counted from 1.

        Raises:
            CalibrationError: The device has changed and the settings say to stop.
        """
        settings = self.chart.settings
        return self.probe() if batch % settings.every == 0 else None

    def probe(self) -> DriftVerdict:
        """Probe now."""
        played = self.play()
        verdict = self.chart.look([played])
        if verdict.alarm:
            self._act(played, verdict)
        return verdict

    def play(self) -> Played:
        """Play a probe; each has drives of its own."""
        settings, about = self.chart.settings, self._bank.describe()
        experiment = PseudoRandom(kind="pseudo_random", segments=settings.segments, samples=settings.samples)
        plan = PlanSettings(name="probe", experiments=(experiment,), free=("gamma", "sigma"))
        limit, line = about.limits.get("drive"), self._bank.conversion.drive
        if limit is not None:
            low, high = (max(0.0, line.to_model(end) / self._gamma) for end in (limit.lowest, limit.highest))
            plan = plan.model_copy(
                update={"lowest_over_gamma": low, "highest_over_gamma": min(plan.highest_over_gamma, high)}
            )
        self._probes += 1
        return play(self._bank, experiment, plan, self._gamma, 1000 + self._probes).played

    def _act(self, played: Played, verdict: DriftVerdict) -> None:
        action = self.chart.settings.action
        _log.warning("%s: %s", self._bank.name, verdict)
        if action == "stop":
            raise CalibrationError(
                f"{self._bank.name}: {verdict}",
                allowed="the device as it was calibrated",
                todo="calibrate again, or set drift.action to refit",
            )
        if action == "refit":
            self.chart.refit([played], verdict)


def _largest(before: Tensor, after: Tensor) -> Tensor:
    """Take the new variance of what was fitted again; what was not keeps its own, correlations are dropped."""
    new = torch.where(after.diagonal() > 0, after.diagonal(), before.diagonal())
    return torch.diag(new)
