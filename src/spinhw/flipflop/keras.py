"""Networks saved by Keras: one SimpleRNN and one Dense layer, as the published code makes them, in HDF5."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spinhw.errors import ConfigError
from spinhw.network.recurrent import RecurrentNetwork, from_weights
from spinhw.network.recurrent_settings import RecurrentSettings

_WANTED = "one SimpleRNN (tanh) and one Dense (linear) layer"


def read_keras(path: Path) -> RecurrentNetwork:
    """Read a Keras model.

    Keras's kernels are (input, unit) and are turned; a bias of the recurrent layer is kept where there is one.

    Args:
        path: What ``model.save("NAME.hdf5")`` or a ModelCheckpoint wrote.

    Raises:
        ConfigError: It is no HDF5 file, holds other layers, or shapes that do not fit each other.
    """
    import h5py  # Slow to import, and only this needs it.

    try:
        with h5py.File(path, "r") as file:
            arrays = _arrays(file)
            layers = _layers(file)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file", todo="check the path") from error
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path}: this is no HDF5 file, or it is cut short",
            seen=str(error).splitlines()[0],
            allowed="a model that Keras saved as .hdf5 or .h5",
            todo="save it with model.save('NAME.h5') and import that",
        ) from error
    _refuse_layers(path, layers, arrays)
    return _network(path, arrays)


def _arrays(file: Any) -> dict[str, Tensor]:
    """Read every array of the weights by its last name, such as ``recurrent_kernel``, with its layer in front."""
    found: dict[str, Tensor] = {}
    group = file["model_weights"] if "model_weights" in file else file

    def visit(name: str, item: Any) -> None:
        if hasattr(item, "shape") and not name.startswith("optimizer"):
            layer, last = name.split("/")[0], name.split("/")[-1].split(":")[0]
            found[f"{layer}/{last}"] = torch.from_numpy(np.asarray(item[()], dtype=np.float32))

    group.visititems(visit)
    return found


def _layers(file: Any) -> list[dict[str, Any]]:
    config = file.attrs.get("model_config")
    if config is None:
        return []
    text = config.decode() if isinstance(config, bytes) else str(config)
    layers = json.loads(text)["config"]
    return list(layers["layers"] if isinstance(layers, dict) else layers)


def _refuse_layers(path: Path, layers: list[dict[str, Any]], arrays: dict[str, Tensor]) -> None:
    kinds = [layer["class_name"] for layer in layers if layer["class_name"] not in {"InputLayer", "Dropout"}]
    if layers and kinds != ["SimpleRNN", "Dense"]:
        raise ConfigError(f"{path}: this network has other layers", seen=", ".join(kinds), allowed=_WANTED)
    for layer in layers:
        config, wanted = layer["config"], {"SimpleRNN": "tanh", "Dense": "linear"}.get(layer["class_name"])
        if wanted and config.get("activation") != wanted:
            raise ConfigError(
                f"{path}: layer {config.get('name')} has another activation",
                seen=config.get("activation"),
                allowed=_WANTED,
            )
    recurrent = [name for name in arrays if name.endswith("/recurrent_kernel")]
    if len(recurrent) != 1:
        raise ConfigError(
            f"{path}: this file holds no such network",
            seen=", ".join(sorted(arrays)) or "no weights",
            allowed=_WANTED,
            todo="save the whole model with model.save, or its weights with model.save_weights",
        )


def _network(path: Path, arrays: dict[str, Tensor]) -> RecurrentNetwork:
    first = next(name for name in arrays if name.endswith("/recurrent_kernel")).split("/")[0]
    others = {name.split("/")[0] for name in arrays} - {first}
    second = next(iter(others), "")
    try:
        w_in, w_rec = arrays[f"{first}/kernel"], arrays[f"{first}/recurrent_kernel"]
        w_out, b_out = arrays[f"{second}/kernel"], arrays[f"{second}/bias"]
    except KeyError as error:
        raise ConfigError(f"{path}: an array is missing", seen=f"no {error.args[0]}", allowed=_WANTED) from error
    units, bias = w_rec.shape[-1], arrays.get(f"{first}/bias")
    wrong = list(_misfits(units, w_in, w_rec, w_out, b_out, bias))
    if wrong:
        raise ConfigError(
            f"{path}: the shapes of this network's layers do not fit each other",
            seen=", ".join(wrong),
            allowed=f"arrays of one layer type, SimpleRNN, with {units} units",
            todo="GRU and LSTM layers cannot be imported; train such a network here with network.kind",
        )
    settings = RecurrentSettings(inputs=len(w_in), units=units, outputs=w_out.shape[1], bias=bias is not None)
    values = {"w_in": w_in.T, "w_rec": w_rec.T, "w_out": w_out.T, "b_out": b_out}
    return from_weights(settings, values if bias is None else values | {"bias": bias})


def _misfits(
    units: int, w_in: Tensor, w_rec: Tensor, w_out: Tensor, b_out: Tensor, bias: Tensor | None
) -> Iterator[str]:
    """Say which arrays have another shape than units, inputs and outputs ask for."""
    outputs = w_out.shape[-1]
    wanted = {
        "kernel": (w_in, (w_in.shape[0], units)),
        "recurrent_kernel": (w_rec, (units, units)),
        "dense kernel": (w_out, (units, outputs)),
        "dense bias": (b_out, (outputs,)),
    }
    if bias is not None:
        wanted["bias"] = (bias, (units,))
    for name, (array, shape) in wanted.items():
        if tuple(array.shape) != shape:
            yield f"{name} {tuple(array.shape)} instead of {shape}"
