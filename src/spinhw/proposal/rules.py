"""Rules for the numbers of a recipe, from Plouet et al. 2024, section IV, and from how much data there are.

Where the paper gives a rule it decides. What it leaves open (corner of the high-pass, scale of the initial weights, how
far above a hundredth the learning rate of a short training lies) was chosen on parts of the training files of four
published sets, and on generated series.
"""

from dataclasses import dataclass
from math import ceil, pi

# The gain between layers is 1/2, and half of the synapses exist: as in the paper.
GAIN, DENSITY = 0.5, 0.5
# Drives that a device survives, in units of gamma; at the bias it is 2.
HIGHEST_OVER_GAMMA = 4.0
# I dt of the initial weights: training lets them grow from there towards 1 and above.
FIRST_DRIVE = 0.5
# The paper's rule is about a hundredth of the optimal weight for each step. A training of a few hundred steps has to go
# faster: so many hundredths, of networks that answer with classes and with values.
_HUNDREDTHS_OF_CLASSES, _HUNDREDTHS_OF_VALUES = 4.0, 16.0
# What an answer at the end remembers at most, in samples: a slower filter was no better, even of longer sequences.
_MOST_REMEMBERED = 50.0


def relaxation_time_s(interval_s: float) -> float:
    """Return tau, in seconds: as long as a bounded drive allows.

    dt < tau, or nothing is remembered. And I dt = 1 with I up to 4 / tau, or no sample can move a neuron: tau is at
    most 4 dt.

    Args:
        interval_s: dt, time for which a sample is held, in seconds.
    """
    return HIGHEST_OVER_GAMMA * interval_s


def corner_hz(samples: float, interval_s: float) -> float:
    """Return the corner of the high-pass, in Hz: its time constant is as long as what is to be remembered.

    Args:
        samples: For so many, above 0.
        interval_s: dt, in seconds.
    """
    return _two_digits(1 / (2 * pi * samples * interval_s))


def remembered(mean_samples: float, per_step: bool) -> float:
    """Return for how many samples outputs are to remember inputs.

    An answer at the end is about the whole sequence, one after each sample about the last ones: a relaxation time.

    Args:
        mean_samples: Of a sequence.
        per_step: Whether there is an answer after each sample.
    """
    return HIGHEST_OVER_GAMMA if per_step else min(mean_samples, _MOST_REMEMBERED)


def _two_digits(number: float) -> float:
    return float(f"{number:.2g}")


def optimal_weight(drive_per_weight: float) -> float:
    """Return the size of a weight at which I dt is 1: 1 / (drive_rate dt S sqrt(N)).

    Args:
        drive_per_weight: I dt of a weight of size 1, above 0.
    """
    return 1 / drive_per_weight


def learning_rate(drive_per_weight: float, of_classes: bool) -> float:
    """Return Adam's learning rate for a training of a few hundred steps: some hundredths of the optimal weight.

    Args:
        drive_per_weight: I dt of a weight of size 1, above 0.
        of_classes: Whether answers are classes.
    """
    hundredths = _HUNDREDTHS_OF_CLASSES if of_classes else _HUNDREDTHS_OF_VALUES
    return _two_digits(hundredths / 100 * optimal_weight(drive_per_weight))


def drive_rate_per_s(interval_s: float) -> float:
    """Return the drive of a unit weight, in 1/s: 1 / dt, which is the paper's 1 / ns at its dt of 1 ns.

    Args:
        interval_s: dt, in seconds.
    """
    return 1 / interval_s


def weight_scale() -> float:
    """Return the scale of the initial weights, with which their I dt is `FIRST_DRIVE`.

    Uniform within +- scale / sqrt(N) they have the mean size scale / (2 sqrt(N)): I dt = drive_rate S scale dt / 2.
    """
    return 2 * FIRST_DRIVE / GAIN


def readout_samples(shortest: int, per_step: bool) -> int:
    """Return over how many samples at the end an answer is averaged: at most 4, and no more than a quarter of any."""
    return 1 if per_step else max(1, min(4, shortest // 4))


@dataclass(frozen=True)
class TrainingAmount:
    """How much is trained, counted in work and not in time: the same on every machine.

    Args:
        layers: Neurons of each layer.
        members: Networks side by side.
        batch: Sequences in a batch.
        epochs: Passes through the training part.
        work: Updates of synapses in all, forward and backward.
    """

    layers: tuple[int, ...]
    members: int
    batch: int
    epochs: int
    work: float

    @property
    def is_short(self) -> bool:
        """Whether the data are so many that networks see them less often than is good for them."""
        return self.epochs < FEWEST_EPOCHS


# Steps of the optimiser that a first answer takes, and the work that is spent on it: half a minute of one core.
STEPS, MOST_WORK = 400, 6.6e10
FEWEST_EPOCHS, MOST_EPOCHS = 8, 100
# What a step in time costs beside its synapses: as much as so many of them.
_STEP_SYNAPSES = 20_000
# Evaluations of the drive for each sample, in the mean: midpoint steps, one for each sample in the first two thirds.
COARSE_SHARE, SUBSTEPS = 0.67, 2
_EVALUATIONS = 2 * (COARSE_SHARE + SUBSTEPS * (1 - COARSE_SHARE))
_SIZES = (((32, 32), 5), ((32, 32), 3), ((16, 16), 3))


def effort(sequences: int, samples: int, inputs: int, outputs: int) -> TrainingAmount:
    """Return what a first training takes: the largest networks, and the most of them, that the work allows.

    Args:
        sequences: Of the training part.
        samples: Of the longest of them.
        inputs: Channels.
        outputs: Classes, or values.
    """
    batch = batch_size(sequences)
    batches = ceil(sequences / batch)
    wanted = max(FEWEST_EPOCHS, min(MOST_EPOCHS, ceil(STEPS / batches)))
    for layers, members in _SIZES:
        epoch = work_of_epoch(layers, members, (sequences, batch, samples), (inputs, outputs))
        if wanted * epoch <= MOST_WORK:
            return TrainingAmount(layers, members, batch, wanted, wanted * epoch)
    layers, members = _SIZES[-1]
    epochs = max(1, min(wanted, int(MOST_WORK / epoch)))
    return TrainingAmount(layers, members, batch, epochs, epochs * epoch)


def batch_size(sequences: int) -> int:
    """Return the sequences of a batch: an eighth of the training part, 8 to 64."""
    return max(1, min(64, max(8, ceil(sequences / 8)), sequences))


def work_of_epoch(
    layers: tuple[int, ...], members: int, shown: tuple[int, int, int], channels: tuple[int, int]
) -> float:
    """Count the updates of synapses of an epoch, forward and backward.

    Args:
        layers: Neurons of each layer.
        members: Networks.
        shown: Sequences, those in a batch, and samples of the longest.
        channels: Inputs and outputs.
    """
    sequences, batch, samples = shown
    inputs, outputs = channels
    sources = (inputs, *layers[:-1])
    synapses = DENSITY * sum(size * (size + source) for size, source in zip(layers, sources, strict=True))
    each = sequences * (synapses + outputs * layers[-1]) + ceil(sequences / batch) * _STEP_SYNAPSES
    return members * samples * _EVALUATIONS * each


def washout(samples: int) -> int:
    """Return how many samples at a window's beginning do not count: five relaxation times, at most a third of it."""
    return min(round(5 * HIGHEST_OVER_GAMMA), samples // 3)


def window_samples(shortest_part: int, horizon: int) -> int:
    """Return the samples of a window of a long series: up to 100, and two windows and more in the shortest part."""
    return max(2, min(100, (shortest_part - horizon) // 2))
