"""Oscillators on the flip-flop as version 0.1 trained them, with settings and checkpoints of their own, made new."""

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

# Version 0.1 trained networks of oscillators by the settings of recurrent ones, whose defaults these were.
_BATCH_SIZE, _SEQUENCES, _EVALUATE_EVERY = 128, 30_050, 50


def is_old_bridge(data: Mapping[str, Any]) -> bool:
    """Tell whether a file holds such a run: its time step stood at the top, its sequences under ``training``."""
    network, training = data.get("network"), data.get("training")
    return (
        isinstance(network, Mapping)
        and network.get("kind") in ("spintronic", "ctrnn")
        and ("sample_interval" in data or (isinstance(training, Mapping) and "sequences" in training))
    )


def migrate_bridge(data: MutableMapping[str, Any], is_run: bool) -> None:
    """Rewrite such a file in place so that today's keys of a run say the same, as far as they can.

    Epochs in the loop are the last of all epochs now; they came after them. Their learning rate halves after half of
    them now; it fell to zero by a cosine.

    Args:
        data: What the file holds.
        is_run: Whether it is the config of a run folder, whose epochs were those that it was trained for.
    """
    training: Any = data.setdefault("training", type(data)())
    task: Any = data.setdefault("task", type(data)())
    for key in ("sequences", "fresh", "long_steps", "held_out"):
        if key in training:
            task[key] = training.pop(key)
    if "sample_interval" in data:
        task["sample_interval"] = data.pop("sample_interval")
    size = training.setdefault("batch_size", _BATCH_SIZE)
    batches = -(-task.setdefault("sequences", _SEQUENCES) // size)
    training["evaluate_every"] = max(1, round(training.get("evaluate_every", _EVALUATE_EVERY) / batches))
    optimiser: Any = type(data)()
    for key in ("learning_rate", "warm_up", "gradient_norm"):
        if key in training:
            optimiser[key] = training.pop(key)
    optimiser["schedule"] = "cosine" if training.pop("schedule", "decay") == "cosine" else "paper"
    optimiser["schedule_per"] = "step"
    optimiser["decay"] = 1 / max(float(training.pop("decay", 1e-4)), 1e-12)
    optimiser["gradient_clip"] = None
    training["optimiser"] = optimiser
    training["keep"] = "best"
    epochs, rate = training.pop("loop_epochs", 0), training.pop("loop_learning_rate", 0.01)
    if epochs and not (is_run and data.get("device") is None):
        training["epochs"] = training.get("epochs", 20) + epochs
        training["loop"] = type(data)()
        training["loop"].update({"epochs": epochs, "learning_rate": rate, "decay": max(epochs * batches / 2, 1)})


def migrate_checkpoint(
    tensors: Mapping[str, "Tensor"], facts: Mapping[str, Any], batches: int, batch_size: int
) -> tuple[dict[str, "Tensor"], dict[str, Any]]:
    """Return the checkpoint of such a run as the common learner has it: the networks side by side.

    What a device in the loop was at is not kept: its shots count from the beginning.

    Args:
        tensors: ``SEED/PART/oscillators.NAME``, each of one network.
        facts: Plain numbers.
        batches: Steps of the optimiser in an epoch.
        batch_size: Sequences of a step.
    """
    import torch

    by_name: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        seed, part = name.split("/", 1)
        by_name.setdefault(part.replace("oscillators.", ""), {})[seed] = value
    order = list(dict.fromkeys(name.split("/", 1)[0] for name in tensors))
    stacked = {
        name: torch.stack([each[seed] for seed in order]) if "/step/" not in name else each[order[0]]
        for name, each in by_name.items()
    }
    scores, shown = [one["best_score"] for one in facts["members"]], facts["batch"] * batch_size
    return stacked, {
        "epoch": facts["epoch"],
        "batch": facts["batch"],
        "steps": facts["epoch"] * batches + facts["batch"],
        "sums": {"loss": [batch_size * total for total in facts["losses"]], "correct": None, "images": shown},
        "best_losses": [None if one is None else one["mse"] for one in scores],
        "wall_s": facts["wall_s"],
        "train_wall_s": facts["wall_s"],
        "loop": None,
        "threads": 1,
        "versions": facts["versions"],
    }
