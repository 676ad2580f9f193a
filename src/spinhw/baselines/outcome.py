"""What a comparison says: each model over seeds, and how far it is from the network, seed by seed."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from spinhw.baselines.source import Source
from spinhw.training.measures import Measure
from spinhw.training.statistics import over_seeds
from spinhw.training.summary import told_of

_COLUMNS = (
    "model",
    "mean",
    "std",
    "low95",
    "high95",
    "difference",
    "difference_low95",
    "difference_high95",
    "weights",
    "energy_per_inference_j",
    "trials",
    "seeds",
)


def summed_up(entries: Mapping[str, Mapping[str, Any]], source: Source, measure: Measure) -> dict[str, Any]:
    """Sum up what was measured.

    Args:
        entries: By model; the first is what the others are compared with.
        source: What was compared.
        measure: Of the values.

    Returns:
        ``measure``, ``part``, ``seeds``, and ``models``: for each mean, std, interval95 and per_seed, as `over_seeds`
        has them, and ``difference``: the same of its values less those of the first model, seed by seed.
    """
    network = next(iter(entries.values()))["values"]
    models = {
        name: {
            **over_seeds(entry["values"]),
            "difference": None if entry["values"] is network else paired(entry["values"], network),
            "trials": len(entry["tried"]),
            **{key: value for key, value in entry.items() if key not in ("model", "part", "seeds", "values")},
        }
        for name, entry in entries.items()
    }
    settings = source.settings
    return {
        "name": source.name,
        "task": settings.task.kind,
        **told_of(settings.task),
        "part": source.part,
        "seeds": list(source.seeds),
        "models": models,
    }


def paired(one: Sequence[float], other: Sequence[float]) -> dict[str, Any]:
    """Sum up the differences one - other of the same seeds, with the bootstrap interval of their mean."""
    return over_seeds([first - second for first, second in zip(one, other, strict=True)])


def as_csv(found: Mapping[str, Any]) -> str:
    """Write a line for each model; what a single seed does not have is left empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for name, model in found["models"].items():
        numbers = [*_numbers(model), *_numbers(model["difference"], spread=False)]
        seeds = " ".join(map(str, found["seeds"]))
        writer.writerow([name, *numbers, model["weights"], repr(model["energy_j"]), model["trials"], seeds])
    return text.getvalue()


def _numbers(figure: Mapping[str, Any] | None, spread: bool = True) -> list[str]:
    if figure is None:
        return ["", "", ""]
    numbers = [figure["mean"], *([figure["std"]] if spread else []), *(figure["interval95"] or (None, None))]
    return ["" if one is None else repr(one) for one in numbers]
