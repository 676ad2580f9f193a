"""From readings to what is known of every chain of a chip; what failed is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from spinhw.calibration.chains.sweep import windows_of_chain
from spinhw.calibration.synapses.analyse import nothing_works, without_failed
from spinhw.calibration.synapses.fit import Fitted, fit_sweeps, side_by_side
from spinhw.calibration.synapses.joint import Swept
from spinhw.calibration.synapses.judge import GOOD_ENOUGH, faults
from spinhw.calibration.synapses.readings import Read
from spinhw.calibration.synapses.scatter import ReadingNoise
from spinhw.physics import Chain, Ladder

# Numbers of the derivatives of one batch of chains: what needs more is fitted in several.
_LARGEST_BATCH = 1 << 22


@dataclass(frozen=True)
class MeasuredChain:
    """What was found of one chain.

    Args:
        destination: Its row.
        sources: Of its resonators.
        chain: As found, (resonator,); a resonator of which nothing is known has no weight, one that is stuck or
            held no span.
        covariance: Of resonance, G, K and span, (resonator, 4, 4).
        reduced_chi2: (resonator,).
        failed: By place in the chain, why.
    """

    destination: int
    sources: tuple[int, ...]
    chain: Chain
    covariance: Tensor
    reduced_chi2: Tensor
    failed: dict[int, str]


@dataclass(frozen=True)
class ChainsAnalysis:
    """What was found.

    Args:
        matrices: Chains by the name of each weight matrix.
        noise: Of one reading, in units of an output, and the scatter of a programming, of all chains together.
    """

    matrices: Mapping[str, Sequence[MeasuredChain]]
    noise: ReadingNoise


def analyse_chains(reads: Sequence[Read], ladder: Ladder) -> ChainsAnalysis:
    """Fit all chains.

    Args:
        reads: Of each chain.
        ladder: As designed.

    Raises:
        CalibrationError: Not one resonator works.
    """
    said = reads[0].experiment
    readings, reach, power = int(str(said["readings"])), float(str(said["reach"])), float(str(said["power"]))
    cut = [windows_of_chain(one, ladder) for one in reads]
    batches = _batches([one[0].weight.numel() * len(one[0].tones_hz) * 4 for one in cut])
    sweeps: list[Swept] = [side_by_side([cut[place][0] for place in batch], reach) for batch in batches]
    quiet = _quiet(reads, power)
    fitted = fit_sweeps(sweeps, ladder, None if quiet is None else quiet / readings**0.5)
    noise = ReadingNoise(fitted[0].noise.reading * readings**0.5 * power, fitted[0].noise.scatter)
    expected = fitted[0].noise.reading ** 2 if quiet is None else quiet**2 / readings
    found: dict[str, list[MeasuredChain]] = {}
    for batch, one in zip(batches, fitted, strict=True):
        chi2 = one.chi2 * one.noise.reading**2 / (expected + (GOOD_ENOUGH * ladder.max_weight) ** 2)
        for row, place in enumerate(batch):
            measured = _measured(one, row, reads[place], cut[place][1], chi2[row], ladder)
            found.setdefault(str(reads[place].experiment["matrix"]), []).append(measured)
    _refuse_nothing(found, noise)
    return ChainsAnalysis(
        {name: sorted(chains, key=lambda one: one.destination) for name, chains in found.items()}, noise
    )


def _batches(sizes: Sequence[int]) -> list[list[int]]:
    """Put chains of like length together, as many as memory allows; numbers of the chains."""
    batches: list[list[int]] = []
    longest = 0
    for place in sorted(range(len(sizes)), key=lambda one: -sizes[one]):
        # The first of a batch is the longest; one of half its size would be padded to twice its work.
        if batches and (len(batches[-1]) + 1) * longest <= _LARGEST_BATCH and sizes[place] * 3 >= longest:
            batches[-1].append(place)
        else:
            batches.append([place])
            longest = max(1, sizes[place])
    return batches


def _quiet(reads: Sequence[Read], power: float) -> float | None:
    """Return the noise of one reading without a tone, in units of a weight; None where none was taken."""
    squares, freedom = 0.0, 0
    for one in reads:
        dark = one.voltage[: int(str(one.experiment["dark"]))][one.good[: int(str(one.experiment["dark"]))]]
        if len(dark) > 1:
            squares, freedom = squares + float(dark.var()) * (len(dark) - 1), freedom + len(dark) - 1
    return (squares / freedom) ** 0.5 / power if squares > 0 else None


def _measured(fitted: Fitted, row: int, read: Read, quality: Tensor, chi2: Tensor, ladder: Ladder) -> MeasuredChain:
    sources = tuple(int(str(one)) for one in _list(read.experiment["sources"]))
    count = len(sources)
    failed = faults(fitted, row, quality, chi2, ladder, sources)
    chain = without_failed(fitted.chain.mapped(lambda one: one[row, :count]), failed)
    return MeasuredChain(
        int(str(read.experiment["destination"])), sources, chain, fitted.covariance[row, :count], chi2[:count], failed
    )


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _refuse_nothing(found: Mapping[str, Sequence[MeasuredChain]], noise: ReadingNoise) -> None:
    named = {
        f"{name}[{one.destination}, {one.sources[place]}]": why
        for name, chains in found.items()
        for one in chains
        for place, why in one.failed.items()
    }
    if len(named) == sum(len(one.sources) for chains in found.values() for one in chains):
        raise nothing_works(named, noise.reading)
