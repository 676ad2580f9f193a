"""Program and verify on a whole simulated chip: all chains of a network at once, each by its own readings."""

import copy
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinhw.device.simulated import SimulatedDevice
from spinhw.device.verified import Aim, Settled, VerifyPlan, corrected
from spinhw.errors import ConfigError
from spinhw.network import SpintronicNetwork
from spinhw.network.acting import put_
from spinhw.physics import Ladder
from spinhw.surrogate import CalibratedSynapses


@dataclass(frozen=True)
class VerifiedChip:
    """Networks whose chains were programmed by measuring.

    Args:
        network: A copy, with the tunings that were set last.
        right: Share of the weights that are within the tolerance of what was wanted, (member,).
        readings: Taken of all chains, (member,).
        rounds: Programmings that the chain took that took most.
    """

    network: SpintronicNetwork
    right: Tensor
    readings: Tensor
    rounds: int


@torch.no_grad()
def program_chip_and_verify(
    device: SimulatedDevice, network: SpintronicNetwork, plan: VerifyPlan | None = None
) -> VerifiedChip:
    """Program the chains of chips until they do what a network means them to do; see `program_and_verify`.

    What is wanted are the weights that act by what the network knows of the resonators. Resonators are written one by
    one, and the chip keeps the scatter of the last programming of each until another tuning is programmed. The zero of
    the voltmeter is taken as known; scatter and noise as the record of a calibration would state them, and the rounding
    of tunings counts as scatter, so that coarse ones are not moved for nothing.

    Args:
        device: Simulated, with a chip for each network.
        network: Networks that know the resonators of the chips (`use_resonators`); not changed.
        plan: Tolerance, rounds and most readings, its power is 1 here; None for the defaults.

    Raises:
        ConfigError: The network knows no resonators.
    """
    plan = plan or VerifyPlan()
    values, masks, found = network.member_values(), network.member_masks(), copy.deepcopy(network)
    right, synapses, readings, rounds = [], [], [], 1
    for name in sorted(network.tuned()):
        present = masks.get(name, torch.ones_like(values[name], dtype=torch.bool))
        done = _programmed(device, network, name, values[name], present, plan)
        if network.chains is not None:
            tuned = (network.chains.values(done.tuning) * present).to(values[name])
            put_(found, name, tuned if network.ensemble else tuned[0])
        right.append(done.right.sum((1, 2)))
        synapses.append(present.sum((1, 2)))
        readings.append(done.readings.sum(1))
        rounds = max(rounds, done.rounds)
    share = torch.stack(right).sum(0) / torch.stack(synapses).sum(0)
    return VerifiedChip(found, share, torch.stack(readings).sum(0), rounds)


def _programmed(
    device: SimulatedDevice, network: SpintronicNetwork, name: str, wanted: Tensor, present: Tensor, plan: VerifyPlan
) -> Settled:
    """Program the chains of one matrix, (member, destination, source)."""
    aim = Aim.of(_calibrated(device, network, name, present), wanted, plan, present)

    def read(tuning: Tensor) -> tuple[Tensor, Tensor]:
        applied, weights = device.truth.write_and_read(name, tuning, present, aim.readings)
        return applied.double(), weights

    return corrected(aim, plan.rounds, read)


def _calibrated(device: SimulatedDevice, network: SpintronicNetwork, name: str, present: Tensor) -> CalibratedSynapses:
    """Put what a network knows of its chains beside what a record would say of scatter and noise."""
    known, about, chip = network.known(name), device.describe(), device.truth.settings
    if known is None or about.ladder is None:
        raise ConfigError(
            "network: it does not know the resonators that are to be programmed by measuring",
            seen="resonators as designed",
            allowed="those of chips that take tunings, as a calibration finds them",
            todo="call use_resonators first",
        )
    count, scatter = known.count, math.hypot(chip.synapses.repeatability, _rounding(chip.synapses.bits, about.ladder))
    chain = replace(known, max_weight=known.max_weight * present)
    return CalibratedSynapses(
        chain,
        torch.zeros(count, 4, 4, dtype=torch.float64),
        torch.full((count,), scatter, dtype=torch.float64),
        about.ladder.tones_hz(count),
        chain.max_weight != 0,
        device.name,
        noise=chip.output_readout.noise,
    )


def _rounding(bits: int | None, ladder: Ladder) -> float:
    """Return the scatter that rounding a tuning is like, over the largest weight: no correction gets below it."""
    if bits is None:
        return 0.0
    step_hz = ladder.tuning_span_hz / (2 ** (bits - 1) - 1)
    return 2 * step_hz / ladder.half_linewidth_hz / math.sqrt(12)
