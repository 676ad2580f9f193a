"""Promises of banks. Each function raises `BrokenPromise` or returns what was seen."""

import torch
from torch import Tensor

from spinhw.device.banks import OscillatorBank, SynapseBank
from spinhw.device.plan import ObservationPlan
from spinhw.device.promises import (
    BATCH,
    TIMES,
    BrokenPromise,
    beyond_limit,
    check_signal,
    check_trace,
    expect,
    refused,
    same_again,
)
from spinhw.device.trace import Quality
from spinhw.errors import LimitError
from spinhw.streams import torch_stream


def probe_drive(bank: OscillatorBank) -> Tensor:
    """Make drives around the threshold of the nominal oscillator, (member, batch, time, oscillator)."""
    about, limit = bank.describe(), bank.describe().limits.get("drive")
    line = bank.conversion.drive
    low, high = (0.0, 4e8) if limit is None else (line.to_model(limit.lowest), line.to_model(limit.highest))
    generator = torch_stream("contract", "drive")
    share = torch.rand(about.members, BATCH, TIMES, about.neurons, generator=generator)
    return low + (high - low) * share


def plays(bank: OscillatorBank) -> str:
    """Play drives and look at the trace."""
    trace = bank.play(probe_drive(bank), averages=2)
    check_trace(trace, bank.describe())
    return f"shots {trace.shots}"


def plays_part(bank: OscillatorBank) -> str:
    """Observe one oscillator only."""
    about = bank.describe()
    trace = bank.play(probe_drive(bank), observe=ObservationPlan(((0,),)))
    if trace.power is None:
        raise BrokenPromise("the trace has no power")
    seen = (trace.power.quality != Quality.UNOBSERVED).any(0).any(0).any(0)
    expect(seen.tolist() == [True] + [False] * (about.neurons - 1), "other oscillators than planned were observed")
    return "one oscillator"


def refuses_drives(bank: OscillatorBank) -> str:
    """Play a drive beyond the limit."""
    drive = probe_drive(bank)
    beyond = beyond_limit(bank.describe(), "drive", bank.conversion.drive)
    wrong = torch.full_like(drive, torch.nan if beyond is None else beyond)
    return refused(lambda: bank.play(wrong), LimitError, "a drive beyond the limit")


def bank_replays(bank: OscillatorBank) -> str:
    """Play twice from the same state."""
    if "replay" not in bank.describe().capabilities:
        return "not claimed"
    drive = probe_drive(bank)
    return same_again(bank, lambda: bank.play(drive))


def describes_synapses(bank: SynapseBank) -> str:
    """Count the resonators."""
    expect(bank.describe().neurons >= 1, "there are no resonators")
    expect(bank.describe().ladder is not None, "it does not say how its resonators were designed")
    return f"{bank.describe().name}, {bank.describe().neurons} resonators"


def probe_synapses(bank: SynapseBank) -> tuple[Tensor, Tensor, Tensor]:
    """Make three points around the first resonance: tunings, tones, powers; the last one without power."""
    about, power = bank.describe(), torch.tensor([1.0, 1.0, 0.0])
    ladder = about.ladder
    if ladder is None:
        raise BrokenPromise("it does not say how its resonators were designed")
    tones = ladder.frequency_hz + ladder.half_linewidth_hz * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    return torch.zeros(len(power), about.neurons), tones, power


def measures(bank: SynapseBank) -> str:
    """Measure three points."""
    tuning, tones, power = probe_synapses(bank)
    signal = bank.measure(tuning, tones, power)
    check_signal("voltage", signal, tuple(power.shape))
    return f"{len(power)} points"


def synapses_replay(bank: SynapseBank) -> str:
    """Measure twice from the same state."""
    if "replay" not in bank.describe().capabilities:
        return "not claimed"
    points = probe_synapses(bank)
    state = bank.state()
    first = bank.measure(*points)
    bank.restore(state)
    expect(torch.equal(first.values, bank.measure(*points).values), "other voltages from the same state")
    return "same bits"


def refuses_tunings(bank: SynapseBank) -> str:
    """Set a tuning beyond the limit."""
    count = bank.describe().neurons
    beyond = beyond_limit(bank.describe(), "tuning", bank.conversion.of_parameter("tuning"))
    _, tones, power = probe_synapses(bank)
    tuning = torch.full((1, count), torch.nan if beyond is None else beyond)
    return refused(lambda: bank.measure(tuning, tones[:1], power[:1]), LimitError, "a tuning beyond it")
