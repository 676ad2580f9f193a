"""What one batch takes on the oscillators of a bank that stand for a network, found out without touching them."""

import time
from collections import Counter

import torch

from spinhw.device.effort import REHEARSED, Effort, spoken_s
from spinhw.device.multiplex import MultiplexedDevice
from spinhw.device.multiplex.build import played_samples
from spinhw.device.multiplex.synapses import left_out, present_of
from spinhw.device.multiplexed_settings import MultiplexedSettings
from spinhw.device.opening import open_device
from spinhw.device.rehearsal import Counted, rehearse_segments, without_stand_in
from spinhw.instruments import StationSettings
from spinhw.network import NetworkSettings, SpintronicNetwork

# Nobody knows how many passes unknown oscillators take. Simulated ones took two for the first batch and one for most
# later ones; real ones will take more.
PASSES = 2
_FEW = 8  # Images that are timed.
# What a reading of a chain and its programming take on a bench, roughly: for forecasts only.
READING_S, PROGRAMMING_S = 0.05, 0.05


def bank_effort(
    settings: MultiplexedSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    inputs_shape: tuple[int, int],
    averages: int = 1,
) -> Effort:
    """Find out what a batch takes. A bench is not connected to; on simulated oscillators a few sequences are timed.

    Args:
        settings: A profile of kind multiplexed.
        network: The network as designed.
        sample_interval_s: Time for which each input sample is held, in seconds.
        inputs_shape: Images of a batch, and samples of each.
        averages: Shots that the run asks for, at least 1; those of the profile come on top.

    Raises:
        ConfigError: The bank does not fit the network.
        LimitError: An upload is larger than an instrument holds.
    """
    images, samples = inputs_shape
    device = open_device(settings, network, sample_interval_s)
    if not isinstance(device, MultiplexedDevice):
        raise TypeError(f"not a multiplexed device: {device.name}")
    about, passes, shots = device.bank.describe(), min(PASSES, settings.passes), averages * settings.averages
    segments = images * device.corrector.rows
    bench = settings.bank if isinstance(settings.bank, StationSettings) else None
    rest_s = max(device.corrector.usual_rest_s(), about.least_rest_s)
    repeats = -(-about.neurons // (about.channels or about.neurons))
    length_s = samples * sample_interval_s + rest_s
    played_s = passes * shots * repeats * segments * length_s
    uploads = _uploads(segments, settings.segments)
    counted, basis = Counted(), "a few sequences on simulated oscillators, timed just now"
    if bench is None and settings.bank_settings.on_bench:
        time_s, basis = played_s, "the playing alone, for nothing is known of this bank"
    elif bench is None:
        time_s = _timed_s(device, inputs_shape, averages)
    elif without_stand_in(bench):
        time_s, basis = played_s, f"the playing alone, for nothing stands in for {', '.join(without_stand_in(bench))}"
    else:
        held = samples * played_samples(settings, network, sample_interval_s)
        for size, times in uploads.items():
            one = rehearse_segments(bench, network, about.sample_interval_s, (size, held), rest_s, shots)
            counted = counted.plus(one, passes * times)
        time_s, basis = played_s + spoken_s(counted), REHEARSED
    programming_s, measured_every, programmed = _measured_weights(device, settings, network)
    return Effort(
        shots=passes * uploads.total() * shots * repeats,
        uploads=passes * uploads.total(),
        sent_bytes=counted.sent_bytes,
        received_bytes=counted.received_bytes,
        played_s=played_s,
        time_s=time_s,
        programming_s=programming_s,
        measured_every=measured_every,
        programming_bytes=0,
        rest_s=0.0,
        basis=f"{passes} passes of each batch (at most {settings.passes} are made); {basis}{programmed}",
        inferences=averages,
        bank_oscillators=about.neurons,
    )


def _measured_weights(
    device: MultiplexedDevice, settings: MultiplexedSettings, network: NetworkSettings
) -> tuple[float, int, str]:
    """Return how long a programming takes that is measured, in seconds, which one is, and what is said of it."""
    synapses, asked = device.synapses, settings.synapses
    if synapses is None or asked is None:
        return 0.0, 1, ""
    kinds = device.describe().kinds
    shapes = {name: one.shape for name, one in device.describe().parameters.items() if kinds[name] == "weight"}
    present = present_of(shapes, SpintronicNetwork(network).masks())
    readings, groups = synapses.most_readings(present), synapses.groups(present)
    time_s = readings * READING_S + groups * asked.rounds * PROGRAMMING_S if asked.bank_settings.on_bench else 0.0
    told = f"; a programming that is measured takes at most {readings} readings of {groups} groups of resonators"
    told += f", in training one of {asked.measure_every} is"
    tails = left_out(synapses.known, max(shape[1] for shape in shapes.values()))
    told += f"; tails of other groups, {tails:.2g} of the largest weight rms, are left out" if tails else ""
    return time_s, asked.measure_every, told


def _uploads(segments: int, most: int | None) -> Counter[int]:
    """Count the uploads of a pass by their size."""
    size = most or segments
    found = Counter({size: segments // size})
    if segments % size:
        found[segments % size] += 1
    return +found


def _timed_s(device: MultiplexedDevice, inputs_shape: tuple[int, int], averages: int) -> float:
    """Time a few sequences on simulated oscillators and take the others to be like them, in seconds."""
    about = device.describe()
    few = torch.zeros(min(_FEW, inputs_shape[0]), inputs_shape[1], about.inputs)
    with device:
        device.program({name: torch.zeros(one.shape) for name, one in about.parameters.items()})
        device.run(few[:1], averages=averages)  # The first one compiles.
        started = time.perf_counter()
        device.run(few, averages=averages)
        elapsed_s = time.perf_counter() - started
    return elapsed_s / device.last.passes * PASSES * inputs_shape[0] / len(few)
