"""Between what was found of a chip's chains and the record that people read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import torch

from spinhw import __version__
from spinhw.calibration.chains.analyse import ChainsAnalysis, MeasuredChain
from spinhw.calibration.chains.settings import ChainPlanSettings
from spinhw.calibration.record import numbers
from spinhw.calibration.synapses.joint import PRIOR
from spinhw.calibration.synapses.judge import keeps_values
from spinhw.calibration.synapses.readings import Read, ladder_of
from spinhw.calibration.synapses.record import correlation_rows, ladder_facts
from spinhw.device import NetworkChain
from spinhw.records import SCHEMA_VERSION, ChainsRecord, ChainTable, ChipFacts, MadeFacts, SweepFacts
from spinhw.records.synapses import MAP


@dataclass(frozen=True)
class ChainsCircumstances:
    """What a record tells beside the numbers.

    Args:
        plan: The plan.
        device_id: Whose chains.
        masks_seed: Seed of the network whose masks say which resonators there are.
        shapes: Destinations and sources of each weight matrix, by name.
        wall_s: How long all of it took, in seconds.
        note: What the experimenter wrote.
        folder: Name of the folder with what was read.
    """

    plan: ChainPlanSettings
    device_id: str
    masks_seed: int
    shapes: Mapping[str, tuple[int, int]]
    wall_s: float
    note: str
    folder: str


def make_chains_record(
    chains: Sequence[NetworkChain], reads: Sequence[Read], found: ChainsAnalysis, around: ChainsCircumstances
) -> ChainsRecord:
    """Write down what was found of the chains of a chip."""
    bank, plan = chains[0].bank, around.plan
    about, ladder = bank.describe(), ladder_of(bank)
    readings = sum(one.voltage.numel() for one in reads)
    return ChainsRecord(
        kind="chains",
        schema_version=SCHEMA_VERSION,
        device=ChipFacts(
            id=around.device_id,
            kind=about.kind,
            seed=about.seed,
            masks_seed=around.masks_seed,
            chains=len(chains),
            resonators=sum(len(one.sources) for one in chains),
        ),
        made=MadeFacts(
            time=datetime.fromtimestamp(min(one.started_unix_s for one in reads), UTC).replace(microsecond=0),
            spinhw=__version__,
            plan=plan.name,
            shots=readings,
            wall=f"{around.wall_s} s",
            note=around.note,
        ),
        nominal=ladder_facts(ladder, bank.conversion),
        sweep=SweepFacts(
            levels=plan.levels,
            readings=readings,
            reach=f"{plan.reach * ladder.half_linewidth_hz!r} Hz",
            traces=around.folder,
        ),
        priors=dict(zip(MAP, PRIOR, strict=True)),
        repeatability=found.noise.scatter,
        noise=found.noise.reading,
        matrices={name: _table(found.matrices.get(name, ()), shape) for name, shape in around.shapes.items()},
    )


# Of a chain's tensors, as a record names them.
_KEYS = dict(zip(MAP, ("resonance_hz", "half_linewidth_hz", "max_weight", "tuning_span_hz"), strict=True))


def _table(chains: Sequence[MeasuredChain], shape: tuple[int, int]) -> ChainTable:
    if not chains:  # A matrix without any synapse.
        nothing = dict.fromkeys(MAP, ())
        return ChainTable(
            shape=shape,
            destinations=(),
            sources=(),
            values=nothing,
            errors=nothing,
            correlations=(),
            reduced_chi2=(),
        )
    failed, lost, before = dict[int, str](), dict[int, str](), 0
    for one in chains:
        failed |= {before + place: why for place, why in one.failed.items()}
        lost |= {before + place: why for place, why in one.failed.items() if not keeps_values(why)}
        before += len(one.sources)
    values = {name: torch.cat([one.chain.tensors()[key] for one in chains]) for name, key in _KEYS.items()}
    spread = torch.cat([one.covariance for one in chains])
    errors = spread.diagonal(dim1=1, dim2=2).clamp_min(0.0).sqrt()
    return ChainTable(
        shape=shape,
        destinations=tuple(one.destination for one in chains for _ in one.sources),
        sources=tuple(source for one in chains for source in one.sources),
        values={name: numbers(value, lost) for name, value in values.items()},
        errors={name: numbers(errors[:, place], lost) for place, name in enumerate(MAP)},
        correlations=tuple(one for row in correlation_rows(spread, failed) for one in row),
        reduced_chi2=numbers(torch.cat([one.reduced_chi2 for one in chains])),
        failed=failed,
    )
