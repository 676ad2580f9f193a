"""How sure a figure is that was measured by few networks on few held-out sequences: both count."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinhw.streams import numpy_stream
from spinhw.training.predictions import Predictions

_RESAMPLES = 2000
_NORMAL = 1.959964  # Of 95 %, both sides.


def interval_of_share(per_seed: Sequence[float], draws: float) -> list[float]:
    """Return the 95 % interval of a share of right answers, [low, high]: of such networks on new sequences.

    Wilson's interval (J. Am. Stat. Assoc. 22, 209, 1927) for a mean share that was counted in so many independent
    answers, widened on both sides by Student's interval of the mean over seeds, in quadrature. All seeds answer the
    same sequences, so that more of them make the first part no smaller.

    Args:
        per_seed: Share of each seed, 0 to 1.
        draws: Independent answers of each, above 0.
    """
    share, z = float(np.mean(per_seed)), _NORMAL
    middle = (share + z**2 / (2 * draws)) / (1 + z**2 / draws)
    half = z / (1 + z**2 / draws) * np.sqrt(share * (1 - share) / draws + z**2 / (4 * draws**2))
    seeds = _student_half(per_seed)
    below, above = np.hypot(share - (middle - half), seeds), np.hypot(middle + half - share, seeds)
    return [max(0.0, float(share - below)), min(1.0, float(share + above))]


def interval_of_error(per_seed: Sequence[float], spread: float) -> list[float]:
    """Return the 95 % interval of an error, [low, high]: of such networks on new sequences.

    Args:
        per_seed: Error of each seed, 0 and above.
        spread: Its standard deviation over choices of the held-out sequences.
    """
    mean, half = float(np.mean(per_seed)), float(np.hypot(_student_half(per_seed), _NORMAL * spread))
    return [max(0.0, mean - half), mean + half]


def _student_half(per_seed: Sequence[float]) -> float:
    """Return half the 95 % interval of a mean over seeds; 0 of a single one, which says nothing of others."""
    count = len(per_seed)
    if count < 2:
        return 0.0
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, 0.975) * np.std(per_seed, ddof=1) / np.sqrt(count))


def spread_over_sequences(found: Predictions) -> float:
    """Return the standard deviation of share or NRMSE where other sequences are held out, by bootstrap over them.

    Args:
        found: Answers of one network.
    """
    return float(np.std(_over_choices(found)))


def spread_of_difference(one: Predictions, other: Predictions) -> float:
    """Return the standard deviation of the difference of two models' shares or NRMSEs, by bootstrap over sequences.

    Both answer the same sequences, so that what makes one choice of them harder than another cancels.

    Args:
        one: Answers of one model.
        other: Answers of the other to the same sequences.
    """
    return float(np.std(_over_choices(one) - _over_choices(other)))


def interval_of_difference(differences: Sequence[float], spread: float) -> list[float]:
    """Return the 95 % interval of a mean difference, [low, high]: of such networks on new sequences.

    Args:
        differences: Of each seed.
        spread: Standard deviation of one over choices of the held-out sequences.
    """
    mean, half = float(np.mean(differences)), float(np.hypot(_student_half(differences), _NORMAL * spread))
    return [mean - half, mean + half]


def _over_choices(found: Predictions) -> NDArray[np.float64]:
    """Return share or NRMSE of each resample of the sequences; the same ones whenever there are as many."""
    count = len(found.answered)
    stream = numpy_stream("bootstrap of sequences")
    times = stream.multinomial(count, np.full(count, 1 / count), _RESAMPLES)  # (resample, sequence)
    if found.classes:
        right = (found.answered == found.right)[..., 0] & found.counted
        rights, every = times @ right.sum(1), times @ found.counted.sum(1)
        share: NDArray[np.float64] = rights / np.maximum(every, 1)
        return share
    counted, right = found.counted[..., None], found.right
    errors = (np.square(found.answered - right) * counted).sum(axis=(1, 2))
    moments = [(right**power * counted).sum(1) for power in (1, 2)]  # (sequence, output)
    parts = np.concatenate([errors[:, None], found.counted.sum(1)[:, None], *moments], axis=1)
    sums, outputs = times @ parts, right.shape[-1]
    means, squares = (part / sums[:, 1:2] for part in (sums[:, 2 : 2 + outputs], sums[:, 2 + outputs :]))
    variance = np.maximum((squares - means**2).sum(1), 1e-30)
    nrmse: NDArray[np.float64] = np.sqrt(sums[:, 0] / sums[:, 1] / variance)
    return nrmse


def independent_answers(found: Predictions, share: float, sequences: int) -> float:
    """Return how many independent answers carry a share that is counted in answers after each sample.

    Those within a sequence are alike: at least one of each sequence counts, and at most all.

    Args:
        found: Answers of one network.
        share: Of right ones, 0 to 1.
        sequences: That are held out.
    """
    spread = spread_over_sequences(found)
    if spread == 0:
        return float(sequences)
    return float(np.clip(share * (1 - share) / spread**2, sequences, max(sequences, int(found.counted.sum()))))
