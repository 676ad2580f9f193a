"""What one batch takes on a device, found out without touching it."""

import time
from dataclasses import dataclass

import torch

from spinhw.device.kinds import DeviceSettings
from spinhw.device.opening import open_device
from spinhw.device.plan import ObservationPlan
from spinhw.device.recorded_settings import RecordedSettings
from spinhw.device.rehearsal import Counted, rehearse_batch, without_stand_in
from spinhw.device.segments import Segments, samples_per_input
from spinhw.errors import ConfigError
from spinhw.instruments import StationSettings
from spinhw.instruments.wiring import ResonatorWiring
from spinhw.network import NetworkSettings

# Nobody knows these of a bench before its first batch. Both are those of an ordinary instrument on a local network.
ANSWER_S = 5e-3
LINK_BYTES_PER_S = 10e6
REHEARSED = (
    f"a rehearsal on virtual instruments, taking {1e3 * ANSWER_S:g} ms for each answer and "
    f"{LINK_BYTES_PER_S / 1e6:g} MB/s"
)


@dataclass(frozen=True)
class Effort:
    """What one batch takes.

    Args:
        shots: Times that the whole batch is played, or the segments of an upload.
        uploads: Times that it is loaded into the sources.
        sent_bytes: Bytes to the instruments.
        received_bytes: Bytes from them.
        played_s: For how long the bench plays, in seconds.
        time_s: How long it takes in all, in seconds.
        programming_s: How long it takes to program parameters, in seconds.
        programming_bytes: Bytes to and fro for that.
        rest_s: Rest before each image, through which the chip stays on, in seconds.
        basis: What the times rest on.
        inferences: How often the network sees each image; on a bank that stands for a network, how often a chip would.
        bank_oscillators: Oscillators of such a bank; 0 elsewhere.
        measured_every: Of so many programmings in training one takes that long, for its weights are measured.
    """

    shots: int
    uploads: int
    sent_bytes: int
    received_bytes: int
    played_s: float
    time_s: float
    programming_s: float
    programming_bytes: int
    rest_s: float
    basis: str
    inferences: int
    bank_oscillators: int = 0
    measured_every: int = 1


def batch_effort(
    settings: DeviceSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    inputs_shape: tuple[int, int],
    plan: ObservationPlan,
    averages: int = 1,
) -> Effort:
    """Find out what a batch would take. A bench is not connected to; of anything else one batch is timed.

    Args:
        settings: A device profile.
        network: The network as designed.
        sample_interval_s: Time for which each input sample is held, in seconds.
        inputs_shape: Images of a batch, and samples of each.
        plan: What is observed in which repeat.
        averages: Shots to average over in each repeat, at least 1.

    Raises:
        ConfigError: The bench does not fit the network, or nothing stands in for one of its instruments.
    """
    if isinstance(settings, StationSettings):
        return _of_bench(settings, network, sample_interval_s, inputs_shape, plan, averages)
    if isinstance(settings, RecordedSettings):
        return Effort(0, 0, 0, 0, 0.0, 0.0, 0.0, 0, 0.0, "a recording is read, nothing is measured", 0)
    if settings.on_bench:
        return _of_other_bench(settings, sample_interval_s, inputs_shape, len(plan.repeats) * averages)
    with open_device(settings, network, sample_interval_s) as device:
        about = device.describe()
        device.program({name: torch.zeros(one.shape) for name, one in about.parameters.items()})
        inputs = torch.zeros(*inputs_shape, about.inputs)
        device.run(inputs, plan, averages)  # The first one compiles.
        started = time.perf_counter()
        trace = device.run(inputs, plan, averages)
        elapsed_s = time.perf_counter() - started
    shots = trace.shots[1] - trace.shots[0]
    basis = "one batch on a simulated chip, timed just now"
    return Effort(shots, 0, 0, 0, 0.0, elapsed_s, 0.0, 0, 0.0, basis, shots)


def _of_other_bench(
    settings: DeviceSettings, sample_interval_s: float, inputs_shape: tuple[int, int], shots: int
) -> Effort:
    """Count what a bench of another package plays; how long anything else takes there nobody knows."""
    played_s = shots * inputs_shape[0] * inputs_shape[1] * sample_interval_s
    basis = f"the time that it plays alone, for nothing is known of devices of kind {settings.kind}"
    return Effort(shots, 1, 0, 0, played_s, played_s, 0.0, 0, 0.0, basis, shots)


def _of_bench(
    settings: StationSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    inputs_shape: tuple[int, int],
    plan: ObservationPlan,
    averages: int,
) -> Effort:
    programming, running, basis = Counted(), Counted(shots=len(plan.repeats) * averages), "the time that it plays alone"
    strange = without_stand_in(settings)
    if strange:
        basis += f", for nothing stands in for {', '.join(strange)}"
    else:
        found = rehearse_batch(settings, network, sample_interval_s, inputs_shape, plan, averages)
        programming, running = found.programming, found.running
        basis = REHEARSED
    if settings.wiring is None or isinstance(settings.wiring, ResonatorWiring):
        raise ConfigError(f"{settings.id}: wiring: no network is wired", todo="say what hangs on which channel")
    timing = settings.wiring.timing
    held = samples_per_input(sample_interval_s, timing.source_rate_hz) or 1
    played_s = running.shots * Segments(*inputs_shape, held, timing.rest_s, timing.source_rate_hz).duration_s
    return Effort(
        shots=running.shots,
        uploads=1,
        sent_bytes=running.sent_bytes,
        received_bytes=running.received_bytes,
        played_s=played_s,
        time_s=played_s + spoken_s(running),
        programming_s=spoken_s(programming),
        programming_bytes=programming.sent_bytes + programming.received_bytes,
        rest_s=timing.rest_s,
        basis=basis,
        inferences=running.shots,
    )


def spoken_s(counted: Counted) -> float:
    """Return the time that messages take, in seconds."""
    return counted.answers * ANSWER_S + (counted.sent_bytes + counted.received_bytes) / LINK_BYTES_PER_S
