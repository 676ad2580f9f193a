"""Measures the chains of a chip, one after another; what was read before is not read again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from spinhw.atomic import make_folder
from spinhw.calibration.chains.settings import ChainPlanSettings
from spinhw.calibration.synapses.fit import SweptWindows
from spinhw.calibration.synapses.points import Points
from spinhw.calibration.synapses.readings import Read, ladder_of, read_once
from spinhw.device import NetworkChain, NetworkChains
from spinhw.physics import Ladder

Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ChainEffort:
    """What a plan takes.

    Args:
        chains: How many.
        resonators: In all of them.
        readings: In all.
        programmings: In all.
        one_meter_s: Time with one meter, which goes from chain to chain, in seconds.
        meter_each_s: Time with a meter at each chain, all at once: that of the longest chain.
    """

    chains: int
    resonators: int
    readings: int
    programmings: int
    one_meter_s: float
    meter_each_s: float


def effort_of(plan: ChainPlanSettings, chains: Sequence[NetworkChain]) -> ChainEffort:
    """Count what a plan takes; time by what the plan says of a reading and a programming."""
    counts = [len(one.sources) for one in chains]
    readings = [(plan.dark + count * plan.levels * plan.tones) * plan.readings for count in counts]
    times = [count * plan.reading_s + plan.levels * plan.programming_s for count in readings]
    return ChainEffort(
        len(chains), sum(counts), sum(readings), plan.levels * len(chains), sum(times), max(times, default=0.0)
    )


def windows_hz(plan: ChainPlanSettings, ladder: Ladder, tones_hz: Tensor) -> tuple[Tensor, Tensor]:
    """Return tunings (level,) and tones (level, resonator, tone), for resonators at these tones as designed."""
    levels = torch.linspace(-plan.range, plan.range, plan.levels, dtype=torch.float64)
    step = 2 * plan.reach / plan.tones
    around = (torch.arange(plan.tones, dtype=torch.float64) - (plan.tones - 1) / 2) * step
    shift = ((torch.arange(plan.levels, dtype=torch.float64) + 0.5) / plan.levels - 0.5) * step
    offsets = ladder.half_linewidth_hz * (around + shift[:, None])  # (level, tone)
    centres = tones_hz + ladder.tuning_span_hz * levels[:, None]  # (level, resonator)
    return levels, centres[..., None] + offsets[:, None]


def points_of_chain(plan: ChainPlanSettings, ladder: Ladder, tones_hz: Tensor) -> Points:
    """Return the points of a chain: without a tone, then the windows of all resonators at each level."""
    levels, windows = windows_hz(plan, ladder, tones_hz)
    swept = windows.flatten(1)  # (level, point)
    tuning = torch.cat([levels[:1].expand(plan.dark), levels[:, None].expand_as(swept).flatten()])
    rf_hz = torch.cat([tones_hz[:1].expand(plan.dark), swept.flatten()])
    power = torch.full_like(rf_hz, plan.power)
    power[: plan.dark] = 0.0
    return Points(tuning[:, None].expand(-1, len(tones_hz)), rf_hz, power)


def tones_of(chain: NetworkChain, ladder: Ladder) -> Tensor:
    """Return the tones of the sources of a chain, (resonator,)."""
    return ladder.tones_hz(1 + max(chain.sources))[list(chain.sources)]


def read_chains(
    plan: ChainPlanSettings,
    chains: NetworkChains,
    folder: Path,
    told: Told = lambda matrix, place, count: None,
) -> list[Read]:
    """Measure every chain that is not in the folder yet.

    Args:
        plan: What to measure.
        chains: None open; each is opened, measured and left safe in turn.
        folder: For a file of each.
        told: Told after each.

    Raises:
        LimitError: A tuning, tone or power is beyond a limit of the device; nothing was sent.
        DeviceError: The device failed; what was read before is kept.
        CalibrationError: The folder belongs to another device, network or plan.
        ConfigError: What was measured before is damaged.
    """
    make_folder(folder)
    found = []
    with chains:
        for place, chain in enumerate(chains):
            with chain.bank as bank:
                ladder = ladder_of(bank)
                points = points_of_chain(plan, ladder, tones_of(chain, ladder))
                said = plan.model_dump(mode="json", by_alias=True) | {
                    "matrix": chain.name,
                    "destination": chain.destination,
                    "sources": list(chain.sources),
                }
                found.append(read_once(bank, said, points, plan.readings, folder / f"{chain.place}.nc"))
            told(chain.name, place + 1, len(chains))
    return found


def windows_of_chain(read: Read, ladder: Ladder) -> tuple[SweptWindows, Tensor]:
    """Cut what was read of a chain into windows.

    Returns:
        The windows, and the quality of each reading, (level, resonator, tone, reading).
    """
    said = read.experiment
    count, tones, levels, dark = (
        read.points.tuning.shape[1],
        *(int(str(said[name])) for name in ("tones", "levels", "dark")),
    )
    shape, power = (levels, count, tones), float(str(said["power"]))
    quiet = read.voltage[:dark][read.good[:dark]] / power
    known = (float(quiet.mean()), float(quiet.var()) / len(quiet)) if len(quiet) > 1 else (0.0, float("inf"))
    chosen = torch.tensor([int(one) for one in cast("list[int]", said["sources"])])
    return (
        SweptWindows(
            ladder.tones_hz(int(chosen.max()) + 1)[chosen],
            read.points.tuning[dark :: count * tones][:levels],
            read.points.rf_hz[dark:].view(shape),
            (read.mean()[dark:] / power).view(shape),
            known if known[1] > 0 else (known[0], float("inf")),
        ),
        read.quality[dark:].view(*shape, -1),
    )
