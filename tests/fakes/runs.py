"""Small runs with a simulated chip in the loop, and what of them must be equal."""

import dataclasses
from typing import Any

import numpy as np
import torch

from fakes.merging import merged
from spinhw.config import build
from spinhw.training import RunSettings
from spinhw.training.checkpoint import load_checkpoint

CHIP = {
    "kind": "simulated",
    "id": "spread",
    "chip": {
        "spread": {"gamma": 0.2, "sigma": 0.2, "q": 0.2},
        "output_readout": {"noise": 0.02},
        "thermal_power": 1e-4,
        "drift": {"individual_per_1000_shots": 0.2},
    },
}


def tiny(device: Any = CHIP, **training) -> RunSettings:
    """A run of four batches for each of three epochs, the last two in the loop."""
    data = {
        "task": {"train_fraction": 0.05, "held_out": "validation"},
        "network": {"layers": [3, 3]},
        "training": merged(
            {
                "seeds": [3, 5],
                "epochs": 3,
                "batch_size": 20,
                "loop": {"epochs": 2, "learning_rate": 0.05},
                "substeps": 1,
                "fine_steps_per_ns": 16,
                "evaluate_every": 2,
                "threads": 1,
            },
            training,
        ),
        "device": device,
    }
    return build(RunSettings, data, "run.yaml")


def bits(folder) -> dict[str, torch.Tensor]:
    return load_checkpoint(folder / "checkpoint.safetensors")[0]


def without_times(row: Any) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("wall_s", "train_wall_s")}


def plain(value: Any) -> Any:
    """Write anything that was read so that it can be compared."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return str(value.dtype), tuple(value.shape), np.asarray(value).tobytes()
    if dataclasses.is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value
