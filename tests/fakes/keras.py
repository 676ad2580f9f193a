"""Files of weights as Keras writes them."""

import json
from pathlib import Path

import h5py
import numpy as np


def keras_file(
    path: Path,
    *,
    units: int = 6,
    recurrent: str = "SimpleRNN",
    kernel: tuple[int, int] = (3, 6),
    activation: str = "tanh",
    **options: object,
) -> Path:
    """Write what Keras writes, with random weights."""
    generator = np.random.default_rng(0)
    config = {
        "config": {
            "layers": [
                {"class_name": recurrent, "config": {"name": "rnn", "activation": activation} | options},
                {"class_name": "Dense", "config": {"name": "dense", "activation": "linear"}},
            ]
        }
    }
    arrays = {
        "rnn/rnn/kernel:0": kernel,
        "rnn/rnn/recurrent_kernel:0": (units, units),
        "dense/dense/kernel:0": (units, 3),
        "dense/dense/bias:0": (3,),
    }
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        for name, shape in arrays.items():
            file["model_weights/" + name] = generator.normal(size=shape).astype(np.float32)
    return path
