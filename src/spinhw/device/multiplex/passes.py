"""One pass: all segments of a batch played on a bank, and what came back."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinhw.device.banks import OscillatorBank
from spinhw.device.multiplex.rest import Rest
from spinhw.device.trace import Trace
from spinhw.errors import DeviceError
from spinhw.surrogate import Played


@dataclass(frozen=True)
class Passage:
    """What a pass gave.

    Args:
        played: Drives as played and powers as measured, (segment, time, oscillator).
        quality: Of each power, (segment, time + 1, oscillator).
        rest: Before each segment.
        shots: Of the bank.
        uploads: To the bank.
        played_s: What was played in all, rests and averages included, in seconds.
        energy_j: What the bank measured for all that, in joules; None where it measures none.
    """

    played: Played
    quality: Tensor
    rest: Rest
    shots: int
    uploads: int
    played_s: float
    energy_j: float | None

    def segments(self, chosen: slice) -> "Passage":
        """Return the part of some segments; what was spent stays that of all."""
        return replace(self, played=self.played.batches(chosen), quality=self.quality[chosen])


@dataclass(frozen=True)
class Player:
    """Plays segments on a bank.

    Args:
        bank: Open while something is played.
        bias_drive: Drive between segments in 1/s.
        most_segments: Segments of one upload; None for all at once.
    """

    bank: OscillatorBank
    bias_drive: float
    most_segments: int | None = None

    def play(self, drive: Tensor, rest: Rest, averages: int) -> Passage:
        """Play segments.

        Args:
            drive: I in 1/s, (segment, time, oscillator).
            rest: Before each segment.
            averages: Shots of each upload.
        """
        size = self.most_segments or len(drive)
        traces = [self.bank.play(part, averages=averages, rest_s=rest.duration_s) for part in drive.split(size)]
        about = self.bank.describe()
        drives, powers, qualities = zip(*map(_signals, traces), strict=True)
        quality = torch.cat(qualities)
        good = quality == 0
        powers_seen = torch.where(good, torch.cat(powers).double(), torch.zeros(1, dtype=torch.float64))
        played = Played(
            torch.cat(drives).double(), powers_seen, good, about.sample_interval_s, self.bias_drive, averages
        )
        repeats = -(-about.neurons // (about.channels or about.neurons))
        length_s = max(rest.duration_s, about.least_rest_s) + drive.shape[1] * about.sample_interval_s
        # A bench gives the energy of the segments alone; the oscillators are on while they rest too.
        whole = averages * repeats * length_s / (drive.shape[1] * about.sample_interval_s)
        energies = [trace.energy_j for trace in traces]
        return Passage(
            played,
            quality,
            rest,
            sum(trace.shots[1] - trace.shots[0] for trace in traces),
            len(traces),
            length_s * len(drive) * averages * repeats,
            None if None in energies else whole * sum(one for one in energies if one is not None),
        )


def _signals(trace: Trace) -> tuple[Tensor, Tensor, Tensor]:
    """Return drive, power from before the first sample on, and its quality."""
    if trace.power is None or trace.power0 is None or trace.drive_applied is None:
        raise DeviceError(
            f"{trace.device_ids[0]}: the bank did not give what a network needs",
            seen=", ".join(trace.signals()),
            allowed="power, power0 and drive_applied",
        )
    power = torch.cat([trace.power0.values[:, None], trace.power.values], dim=1)
    quality = torch.cat([trace.power0.quality[:, None], trace.power.quality], dim=1)
    return trace.drive_applied.values, power, quality
