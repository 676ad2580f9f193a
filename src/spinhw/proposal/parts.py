"""Which sequences, or samples, a proposal trains with and which it holds out, and how long series are cut."""

from dataclasses import dataclass
from typing import Any

from spinhw.proposal.asked import Inferred, Said
from spinhw.proposal.look import Contents
from spinhw.proposal.rules import washout, window_samples

# Test and validation part are a fifth of all each, since they are to tell equally well.
_TEST, _VALIDATION = 0.2, 0.25
# Of fewer sequences with an answer for each sample, each is cut in three; longer ones are cut into windows.
_FEW_SERIES, _LONG = 10, 400
_FEWEST_GROUPS = 3
# Windows of the training part that are wished for: where there would be fewer, they overlap.
_WINDOWS = 50


@dataclass(frozen=True)
class Parts:
    """How data are divided.

    Args:
        task: Keys `split` and `window` of a task of kind 'series'.
        inferred: What of it nobody had said.
    """

    task: dict[str, Any]
    inferred: tuple[Inferred, ...] = ()


def parts_of(look: Contents, asked: Said) -> Parts:
    """Divide data: by group where groups are named, one long series in time, all else sequence by sequence."""
    split: dict[str, Any] = {"validation": _VALIDATION}
    if not asked.has_test:
        split["test"] = _TEST
    if look.groups >= _FEWEST_GROUPS:
        return Parts({"split": {"kind": "group", **split}, **_whole(look)})
    said: tuple[Inferred, ...] = ()
    if look.groups:
        fewer = f"{look.groups} groups are too few to hold out whole ones: by sequence"
        said = (Inferred("held out", fewer, "--set task.split.kind=group"),)
    cut = look.per_step and (len(look.lengths) < _FEW_SERIES or int(look.lengths.max()) > _LONG)
    if not cut:
        return Parts({"split": {"kind": "fraction", **split}, **_whole(look)}, said)
    return _in_windows(look, split, said)


def _whole(look: Contents) -> dict[str, Any]:
    """Let whole sequences answer after each sample; the first samples do not count."""
    if not look.per_step:
        return {}
    window = {"washout": washout(int(look.lengths.min()))} | ({"horizon": 1} if look.ahead else {})
    return {"window": window}


def _in_windows(look: Contents, split: dict[str, Any], said: tuple[Inferred, ...]) -> Parts:
    horizon, few = 1 if look.ahead else 0, len(look.lengths) < _FEW_SERIES
    held = split.get("test", 0.0)
    shortest = int(look.lengths.min() * (1 - held) * split["validation"]) if few else int(look.lengths.min())
    if few and held:
        shortest = min(shortest, int(look.lengths.min() * held))
    samples = window_samples(shortest, horizon)
    skipped = washout(samples)
    trained = look.lengths.sum() * (1 - held) * (1 - split["validation"])
    stride = max(1, min(samples - skipped, int((trained - samples) / _WINDOWS)))
    window = {"samples": samples, "washout": skipped, "horizon": horizon, "stride": stride}
    told = f"into windows of {samples} samples, the first {skipped} of which do not count"
    said = (*said, Inferred("cut", told, "--set task.window.samples=N"))
    return Parts({"split": {"kind": "time" if few else "fraction", **split}, "window": window}, said)
