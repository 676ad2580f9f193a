"""Program and verify: a chain of resonators is set to weights by measuring what it does, until that is near enough.

What the read-back of a board tells is a voltage, never a weight. Where a resonance really lies is known to the errors
of its record, drifts, and scatters from one programming to the next; so the chain is programmed as the record says,
measured at the tones of its sources, and those resonators that miss are moved by what the record says of their slopes.
The others are left as they are: each programming draws its scatter anew. For the same reason a resonator is moved to
where all of its programmings together say that it belongs, and not after the scatter of the last one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.device.banks import SynapseBank
from spinhw.errors import ConfigError, DeviceError
from spinhw.surrogate import CalibratedSynapses
from spinhw.units import show_quantity

# A weight counts as right where it is within the tolerance; the noise of its measurement is kept to a quarter of that,
# so that in 16 000 weights one is called wrong by noise alone.
_SURE = 4
# A tolerance below the scatter of a programming takes many rounds: of those within one standard deviation two thirds
# are right at once.
_SCATTER = 1.0
# A move by the slope alone misses by less than this share of it: the line is no straight one.
_CURVED = 0.3
_TINY = 1e-30
_FINEST = 1e-4  # Share of the largest weight: the tolerance where neither noise nor scatter was measured.


@dataclass(frozen=True)
class VerifyPlan:
    """How a chain is programmed by measuring.

    Args:
        tolerance: By how much of the largest weight one may be off and count as right, above 0; None for the scatter of
            a programming that the record states.
        rounds: Most programmings, 1 and above.
        power: Of the tones, in units of an oscillator's at x = 1, above 0.
        most_readings: Most readings of a tone, 1 and above: as many are taken as the tolerance asks for.

    Raises:
        ConfigError: A number is out of its range.
    """

    tolerance: float | None = None
    rounds: int = 8
    power: float = 1.0
    most_readings: int = 100

    def __post_init__(self) -> None:
        tolerance = 1.0 if self.tolerance is None else self.tolerance
        for name, value, good, allowed in (
            ("tolerance", self.tolerance, 0 < tolerance < math.inf, "above 0"),
            ("rounds", self.rounds, self.rounds >= 1, "1 and above"),
            ("power", self.power, 0 < self.power < math.inf, "above 0"),
            ("most_readings", self.most_readings, self.most_readings >= 1, "1 and above"),
        ):
            if not good:
                raise ConfigError(f"{name}: out of range", seen=value, allowed=allowed, todo=f"give {name} anew")

    def tolerance_of(self, known: CalibratedSynapses) -> float:
        """Return the tolerance in units of a weight."""
        largest = float(known.chain.max_weight.abs().max())
        if self.tolerance is not None:
            return self.tolerance * largest
        noise = _SURE * known.noise / (self.power * math.sqrt(self.most_readings))
        return max(_SCATTER * float(known.repeatability.max()) * largest, noise, _FINEST * largest)

    def readings_of(self, known: CalibratedSynapses) -> int:
        """Return the readings of each tone: as many as tell a weight to a quarter of the tolerance, or the most."""
        wanted = (_SURE * known.noise / (self.power * self.tolerance_of(known))) ** 2
        return min(self.most_readings, max(1, math.ceil(wanted)))

    def most(self, known: CalibratedSynapses, sources: int | None = None) -> int:
        """Return the most readings that a programming takes, those without a tone included.

        Args:
            known: The record.
            sources: How many are measured, on one chain after another; None for all of one chain.
        """
        return self.readings_of(known) * (self.rounds * (len(known.tones_hz) if sources is None else sources) + 1)


@dataclass(frozen=True)
class Verified:
    """A chain as it was programmed, and what it does.

    Args:
        tuning: As set last, (resonator,).
        weights: As measured then, (source,).
        error: Standard error of each of these, by the noise of readings.
        right: Which are within the tolerance of what was wanted, boolean, (source,).
        reachable: Which the record says can be, within the span of their resonators, boolean, (source,).
        tolerance: Used, in units of a weight.
        rounds: Programmings that it took.
        readings: Taken in all.
        zero: Reading without a tone, in units of an output.
    """

    tuning: Tensor
    weights: Tensor
    error: float
    right: Tensor
    reachable: Tensor
    tolerance: float
    rounds: int
    readings: int
    zero: float


def program_and_verify(
    bank: SynapseBank,
    known: CalibratedSynapses,
    weights: Tensor,
    plan: VerifyPlan = VerifyPlan(),
    used: Tensor | None = None,
    zero: float | None = None,
) -> Verified:
    """Program a chain, measure it, and correct it until its weights are within a tolerance or the rounds are over.

    Resonators stay on the inner branch of their recorded lines, within one half-linewidth of the tone of their source:
    beyond it the slope turns and a correction would lead away. Those that failed in the record are not moved, and what
    they do is measured like everything else.

    Args:
        bank: Open; as many resonators as the record has.
        known: Its record.
        weights: Wanted, (source,), one source for each resonator.
        plan: Tolerance, rounds, power and readings.
        used: Which sources are there, boolean, (source,): the others are neither measured nor right or wrong. None for
            all.
        zero: Reading without a tone, in units of an output; None to read it.

    Raises:
        ConfigError: Bank, record and weights are not of one size, or a weight is no number.
        LimitError: A tone or a power is beyond a limit of the bench; nothing was sent.
        DeviceError: The bank failed and was made safe.
    """
    _refuse_misfit(bank, known, weights)
    aim = Aim.of(known, weights, plan, torch.ones_like(weights, dtype=torch.bool) if used is None else used)
    reader = _Reader(bank, known, aim.used, plan.power, aim.readings)
    zero, taken = (reader.zero(aim.tuning), aim.readings) if zero is None else (zero, 0)
    found = corrected(aim, plan.rounds, lambda tuning: (tuning, reader.weights(tuning, zero)))
    error = known.noise / (plan.power * math.sqrt(aim.readings))
    taken += int(found.readings)
    return Verified(
        found.tuning, found.weights, error, found.right, aim.reachable, aim.tolerance, found.rounds, taken, zero
    )


@dataclass(frozen=True)
class Aim:
    """What chains are to be programmed to, each tensor (..., source) with axes of chains in front.

    Args:
        known: What is known of the chains.
        wanted: Weights.
        used: Which sources are measured.
        tuning: To begin with.
        reachable: Which weights can be made, as far as is known.
        tolerance: By how much a weight may be off, in units of a weight.
        readings: Of each tone.
    """

    known: CalibratedSynapses
    wanted: Tensor
    used: Tensor
    tuning: Tensor
    reachable: Tensor
    tolerance: float
    readings: int

    @classmethod
    def of(cls, known: CalibratedSynapses, weights: Tensor, plan: VerifyPlan, used: Tensor) -> "Aim":
        """Find the tunings to begin with."""
        wanted, tolerance = weights.double(), plan.tolerance_of(known)
        tuning, most = known.tuning_for(wanted), float(known.chain.max_weight.abs().max())
        reached = known.near(known.weights(tuning), wanted, tolerance / most)
        return cls(known, wanted, used, tuning, reached & known.working, tolerance, plan.readings_of(known))


@dataclass(frozen=True)
class Settled:
    """Chains as they were programmed by measuring.

    Args:
        tuning: As set last, (..., resonator).
        weights: As measured last, (..., source).
        right: Which are within the tolerance, boolean, (..., source).
        rounds: Programmings that the chain took that took most.
        readings: Taken of each chain, (...).
    """

    tuning: Tensor
    weights: Tensor
    right: Tensor
    rounds: int
    readings: Tensor


def corrected(aim: Aim, rounds: int, read: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Settled:
    """Measure chains and move the resonators that miss, until each chain is right or the rounds are over.

    Args:
        aim: What is wanted.
        rounds: Most programmings, 1 and above.
        read: Programs tunings (..., resonator); returns them as they were set, as far as that is told, and the weights
            that they make as measured, (..., source). A chain that is done keeps its tunings, and is no more heard.
    """
    known, wanted, tuning = aim.known, aim.wanted, aim.tuning
    lowest, highest = known.inner_branch()
    found, going = torch.full_like(wanted, torch.nan), torch.ones_like(aim.used[..., 0])
    taken, places = torch.zeros_like(going, dtype=torch.int64), _Places.unknown(wanted)
    for round_number in range(1, rounds + 1):
        tuning, weights = read(tuning)
        found = torch.where(going[..., None], weights, found)
        taken += aim.readings * aim.used.sum(-1) * going
        off = found - wanted
        right = (off.abs() <= aim.tolerance) & aim.used
        moved = ~right & aim.reachable & aim.used & going[..., None]
        going = moved.any(-1)
        if not bool(going.any()) or round_number == rounds:
            break
        step = _steps(known.steepness(tuning), off, aim.used, moved)
        places = places.seen(moved, tuning + step, step, known.scatter)
        tuning = torch.where(moved, places.mean.clamp(lowest, highest), tuning)
    return Settled(tuning, found, right, round_number, taken)


def _steps(slopes: Tensor, off: Tensor, used: Tensor, moved: Tensor) -> Tensor:
    """Solve for the steps of the resonators that are moved, chain by chain; 0 of the others."""
    steps = torch.zeros_like(off)
    for place in map(tuple, moved.any(-1).nonzero().tolist()):
        which, seen = moved[place], used[place]
        one = torch.linalg.lstsq(slopes[place][seen][:, which], -off[place][seen][:, None]).solution[:, 0]
        steps[place][which] = one
    return steps


@dataclass(frozen=True)
class _Places:
    """Where resonators belong, by the programmings that have missed: a mean, weighted by how far each can be trusted.

    Args:
        mean: Of the tuning, (..., resonator); means nothing where nothing was seen.
        weight: Sum of the weights, (..., resonator).
    """

    mean: Tensor
    weight: Tensor

    @classmethod
    def unknown(cls, like: Tensor) -> "_Places":
        return cls(torch.zeros_like(like), torch.zeros_like(like))

    def seen(self, which: Tensor, place: Tensor, step: Tensor, scatter: Tensor) -> "_Places":
        """Take in where some belong, as a step from where they were says; `scatter` is that of a programming."""
        trust = which / (scatter**2 + (_CURVED * step) ** 2).clamp_min(_TINY)
        weight = self.weight + trust
        return _Places(torch.where(which, self.mean + (place - self.mean) * trust / weight, self.mean), weight)


@dataclass(frozen=True)
class _Reader:
    """Reads a chain at the tones of the sources that are there."""

    bank: SynapseBank
    known: CalibratedSynapses
    used: Tensor
    power: float
    readings: int

    def zero(self, tuning: Tensor) -> float:
        """Read without a tone, in units of an output."""
        return float(self._mean(tuning, self.known.tones_hz[:1], 0.0)[0])

    def weights(self, tuning: Tensor, zero: float) -> Tensor:
        """Measure the weights, (source,); NaN of a source that is not there."""
        found = torch.full_like(self.known.tones_hz, torch.nan)
        found[self.used] = (self._mean(tuning, self.known.tones_hz[self.used], self.power) - zero) / self.power
        return found

    def _mean(self, tuning: Tensor, tones_hz: Tensor, power: float) -> Tensor:
        rf_hz = tones_hz.repeat_interleave(self.readings)
        powers = torch.full_like(rf_hz, power)
        read = self.bank.measure(tuning.expand(len(rf_hz), -1), rf_hz, powers)
        good = read.good.view(-1, self.readings)
        if not bool(good.any(1).all()):
            lost = tones_hz[int((~good.any(1)).nonzero()[0, 0])]
            raise DeviceError(
                f"{self.bank.name}: no reading of the chain counts at one of its tones",
                seen="without a tone" if power == 0 else f"at {show_quantity(float(lost), 'Hz')}",
                allowed="readings within the range of the voltmeter",
                todo="lower the power, or give the voltmeter a larger range",
            )
        return (read.values.double().view(-1, self.readings) * good).sum(1) / good.sum(1)


def _refuse_misfit(bank: SynapseBank, known: CalibratedSynapses, weights: Tensor) -> None:
    count, wired = len(known.tones_hz), bank.describe().neurons
    if wired != count:
        raise ConfigError(
            f"{bank.name}: the record {known.device_id} is of another chain",
            seen=f"{wired} resonators on the bank, {count} in the record",
            allowed="as many",
            todo="calibrate this bank",
        )
    if weights.shape != (count,) or not bool(weights.isfinite().all()):
        raise ConfigError(
            "weights: not one number for each resonator",
            seen=f"shape {tuple(weights.shape)}" if weights.shape != (count,) else "NaN or infinity",
            allowed=f"({count},), finite",
            todo="give one weight for each",
        )
