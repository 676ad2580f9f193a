"""From settings and a bank to a multiplexed device; what does not fit together is refused here."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from spinhw.device.banks import OscillatorBank
from spinhw.device.multiplex.assignment import Assignment
from spinhw.device.multiplex.correct import Corrector
from spinhw.device.multiplex.corrections import Corrections
from spinhw.device.multiplex.device import MultiplexedDevice
from spinhw.device.multiplex.outcome import TOLERANCE, CorrectionPlan
from spinhw.device.multiplex.passes import Player
from spinhw.device.multiplex.synapses import MultiplexedSynapses
from spinhw.device.multiplexed_settings import MultiplexedSettings, MultiplexedSynapsesSettings
from spinhw.device.verified import VerifyPlan
from spinhw.errors import CalibrationError, ConfigError
from spinhw.network import Answer, NetworkSettings
from spinhw.records import find_record, load_record, load_synapses
from spinhw.rollout import Neurons
from spinhw.surrogate import PARAMETERS, Calibrated, CalibratedSynapses, OnlineRefit, Oscillators, information

# How far a drive held for h = share * tau moves the powers from those of the smooth one, rms, over share squared:
# measured on trained networks, 1.2e-3 at a fifth of tau and 1.5e-5 at a fortieth.
_HOLD = 0.031
# What oscillators may be off by where no record says: relative for gamma, sigma and gain, in units of full power for
# the offset; times in units of a played interval.
_SPREADS = {"gamma": 0.3, "sigma": 0.3, "q": 0.3, "gain": 0.1, "offset": 0.05, "delay": 1.0, "lag": 0.3}
_REMEMBERED = 2000  # Sequences, where nothing is to be repeated to the bit.
_SAME = 1e-6  # Relative difference that is rounding.


def played_samples(settings: MultiplexedSettings, network: NetworkSettings, interval_s: float) -> int:
    """Return the samples of the played drive for each input.

    By default so many that holding them moves no power by more than the tolerance, rms. The surrogate is played the
    held drives too, so what is left of that in the result is smaller still.
    """
    if settings.samples_per_interval is not None:
        return settings.samples_per_interval
    wanted = settings.tolerance or TOLERANCE
    return max(1, math.ceil(interval_s / network.tau_s * math.sqrt(_HOLD / wanted)))


def open_multiplexed(
    settings: MultiplexedSettings,
    network: NetworkSettings,
    interval_s: float,
    members: int | Sequence[int],
    dtype: torch.dtype,
    answer: Answer,
) -> MultiplexedDevice:
    """Make the bank and the device on it; see `open_device`."""
    under = settings.bank_settings
    played_s = interval_s / played_samples(settings, network, interval_s)
    # Of a bench every oscillator is opened that is wired, and those that are not used are left at their bias.
    wanted = None if under.on_bench else settings.oscillators
    bank = under.open_bank(network, played_s, wanted, members, dtype)
    return multiplexed(settings, bank, network, interval_s, answer)


def multiplexed(
    settings: MultiplexedSettings,
    bank: OscillatorBank,
    network: NetworkSettings,
    interval_s: float,
    answer: Answer | None = None,
) -> MultiplexedDevice:
    """Make the device.

    Args:
        settings: Of the device; its bank is not looked at again.
        bank: Not open.
        network: As designed.
        interval_s: Time for which each input sample is held, in seconds.
        answer: Which samples of a sequence a hardware read-out answers with; None as the network says.

    Raises:
        ConfigError: Bank, network and settings do not fit together.
        CalibrationError: The record is another device's, or of other oscillators or units.
    """
    about = bank.describe()
    _refuse_misfit(bank, network, interval_s)
    usual = 0 if "replay" in about.capabilities else _REMEMBERED
    remember = usual if settings.remember is None else settings.remember
    assignment = _assignment(settings, about.neurons, network)
    nominal = network.neurons(torch.float64)
    start, prior = _surrogate(settings, bank, nominal)
    refit = OnlineRefit(start, settings.refit, prior=information(prior, settings.refit)) if settings.refit else None
    corrector = Corrector(
        Player(bank, float(nominal.bias_drive[0, 0]), settings.segments),
        assignment,
        start,
        refit,
        Corrections(remember),
        CorrectionPlan(settings.tolerance, settings.passes),
    )
    synapses = None if settings.synapses is None else _synapses(settings.synapses)
    replays = "replay" in about.capabilities and remember == 0
    if synapses is not None:
        replays = replays and "replay" in synapses.bank.describe().capabilities
    return MultiplexedDevice(bank, network, interval_s, corrector, settings.averages, replays, answer, synapses)


def _synapses(settings: MultiplexedSynapsesSettings) -> MultiplexedSynapses:
    under = settings.bank_settings
    file = find_record(Path(settings.record), under.id)
    record = load_synapses(file)
    bank = under.open_synapses(record.device.resonators, 0)
    record = load_synapses(file, bank.describe().device_ids[0], settings.anyway)
    known = CalibratedSynapses.of(record)
    wired = bank.describe().neurons
    if wired != record.device.resonators or not bool(known.working.any()):
        raise CalibrationError(
            f"{settings.record}: this record is of another chain, or none of its resonators can be tuned",
            seen=f"{record.device.resonators} resonators, {int(known.working.sum())} of which can be tuned",
            allowed=f"{wired}, as the bank {bank.name} has",
            todo="calibrate this bank",
        )
    plan = VerifyPlan(settings.tolerance, settings.rounds, settings.power, settings.readings)
    return MultiplexedSynapses(bank, known, settings.measure_every, plan)


def _refuse_misfit(bank: OscillatorBank, network: NetworkSettings, interval_s: float) -> None:
    about = bank.describe()
    if network.kind != "spintronic" or network.initial_state != "rest" or network.rate.kind != "logistic":
        raise ConfigError(
            f"{bank.name}: oscillators cannot play this network",
            seen=f"kind {network.kind}, initial_state {network.initial_state}, rate {network.rate.kind}",
            allowed="kind spintronic, initial_state rest, rate logistic",
            todo="change these keys under 'network' of the run",
        )
    if about.members != 1:
        raise ConfigError(
            f"{bank.name}: one network is played at a time",
            seen=f"{about.members} members",
            allowed="1",
            todo="name one seed: training.seeds: [0] in a run, --seed 0 where a run is evaluated",
        )
    share = interval_s / about.sample_interval_s
    if share < 1 - _SAME or abs(share - round(share)) > _SAME * share:
        raise ConfigError(
            f"{bank.name}: the time step of the bank does not fit the network",
            seen=f"{about.sample_interval_s:g} s",
            allowed=f"a whole part of {interval_s:g} s",
        )


def _assignment(settings: MultiplexedSettings, wired: int, network: NetworkSettings) -> Assignment:
    neurons, used = network.topology().neurons, settings.oscillators or wired
    if used > wired:
        raise ConfigError(
            f"{settings.id}: oscillators: the bank has fewer", seen=used, allowed=f"1 to {wired}", todo="wire more"
        )
    given = settings.assignment or tuple(number % used for number in range(neurons))
    return Assignment.of(neurons, wired, given)


def _surrogate(settings: MultiplexedSettings, bank: OscillatorBank, nominal: Neurons) -> tuple[Oscillators, Tensor]:
    """Return the oscillators at first and their covariance: from the record, or as designed."""
    about = bank.describe()
    scales = torch.tensor([_SPREADS[name] for name in PARAMETERS], dtype=torch.float64)
    for name in ("delay", "lag"):
        scales[PARAMETERS.index(name)] *= about.sample_interval_s
    scales[PARAMETERS.index("lag")] **= 2  # The coordinate of a fit is the square of the lag.
    loose = torch.diag(scales**2).expand(about.neurons, -1, -1)
    if settings.record is None:
        return Oscillators.nominal(nominal, about.neurons), loose
    found = _recorded(settings.record, bank, settings.anyway)
    known = found.covariance.diagonal(dim1=1, dim2=2) > 0
    return found.oscillators, found.covariance + torch.diag_embed(torch.where(known, 0.0, scales**2))


def _recorded(path: str, bank: OscillatorBank, anyway: bool) -> Calibrated:
    about = bank.describe()
    record = load_record(find_record(Path(path), about.device_ids[0]), about.device_ids[0], anyway)
    units, seen = bank.conversion.drive_per_ampere, record.nominal.drive_per_ampere
    if record.device.oscillators != about.neurons:
        raise CalibrationError(
            f"{path}: this record is of another number of oscillators",
            seen=record.device.oscillators,
            allowed=f"{about.neurons}, as the bank {bank.name} has",
            todo="calibrate this bank",
        )
    if abs(seen / units - 1) > _SAME:
        raise CalibrationError(
            f"{path}: this record was made with other units of the drive",
            seen=f"{seen:.6g} 1/s for an ampere",
            allowed=f"{units:.6g}",
            todo="set the conversion and the network's tau as they were, or calibrate again",
        )
    return Calibrated.of(record)
