"""Networks saved by Keras: one SimpleRNN and one Dense layer, as the published code makes them, in HDF5."""

import io
import json
import logging
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spinhw.errors import ConfigError
from spinhw.hdf5 import UNREADABLE, opened_hdf5
from spinhw.network.recurrent import RecurrentNetwork, from_weights
from spinhw.network.recurrent_settings import RecurrentSettings

_log = logging.getLogger(__name__)

_WANTED = "one SimpleRNN (tanh) and one Dense (linear) layer"
# What changes the numbers that a layer computes from its weights, with the one value that is computed here too. What
# concerns training alone, speed (unroll) or which times are put out (return_sequences) may be anything.
_OPTIONS: dict[str, dict[str, object]] = {
    "SimpleRNN": {"activation": "tanh", "go_backwards": False, "stateful": False, "time_major": False},
    "Dense": {"activation": "linear"},
}
# Layers that do nothing once a network is trained.
_IDLE = {"InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "ActivityRegularization"}
# Where Keras 3 (and 2.12 and later, as .keras) keeps weights, and what it calls them by number alone.
_KERAS_3 = re.compile(r"(?:layers|_layer_checkpoint_dependencies)/(?P<layer>[^/]+)/(?P<inner>.*)")
_NUMBERED = {
    "cell/vars/0": "kernel",
    "cell/vars/1": "recurrent_kernel",
    "cell/vars/2": "bias",
    "vars/0": "kernel",
    "vars/1": "bias",
}
_RECURRENT, _DENSE = ("kernel", "recurrent_kernel", "bias"), ("kernel", "bias")


def read_keras(path: Path) -> RecurrentNetwork:
    """Read a Keras model.

    Keras's kernels are (input, unit) and are turned; a bias is kept where there is one, and is zero in the Dense layer
    without. A file of weights alone says nothing of its layers' options: they are taken for Keras's defaults.

    Args:
        path: What ``model.save("NAME.hdf5")``, ``model.save("NAME.keras")``, ``model.save_weights("NAME.weights.h5")``
            or a ModelCheckpoint wrote, of Keras 2 or 3.

    Raises:
        ConfigError: It is no such file, holds other layers, options that change what they compute, shapes that do
            not fit each other, or numbers that are not finite.
    """
    try:
        arrays, layers = _zipped(path) if zipfile.is_zipfile(path) else _plain(path)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file", todo="check the path") from error
    except (*UNREADABLE, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigError(
            f"{path}: this is no HDF5 file, or it is damaged",
            seen=error,
            allowed="a model that Keras saved as .hdf5, .h5 or .keras, or weights that it saved",
            todo="save it with model.save('NAME.h5') and import that",
        ) from error
    _refuse_layers(path, layers, arrays)
    network = _network(path, arrays)
    if not layers:
        _log.warning("%s: weights alone: the layers are taken for a SimpleRNN with tanh, forwards, and a Dense", path)
    return network


def _plain(path: Path) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    with opened_hdf5(path) as file:
        config = file.attrs.get("model_config")
        return _arrays(file), [] if config is None else _layers(config)


def _zipped(path: Path) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    import h5py

    with zipfile.ZipFile(path) as file, h5py.File(io.BytesIO(file.read("model.weights.h5")), "r") as weights:
        return _arrays(weights), _layers(file.read("config.json"))


def _arrays(file: Any) -> dict[str, Tensor]:
    """Read every array of the weights by its last name, such as ``recurrent_kernel``, with its layer in front."""
    found: dict[str, Tensor] = {}
    group = file["model_weights"] if "model_weights" in file else file

    def visit(name: str, item: Any) -> None:
        name = name.replace("\\", "/")  # As some versions wrote it on Windows.
        place = _place(name)
        if hasattr(item, "shape") and place:
            found[place] = torch.from_numpy(np.atleast_1d(np.asarray(item[()], dtype=np.float32)))

    group.visititems(visit)
    return found


def _place(name: str) -> str:
    """Name an array by its layer and what it is; nothing for what is no weight of a layer."""
    if name.startswith(("optimizer", "metrics/", "vars/")) or "/seed_generator" in name:
        return ""
    numbered = _KERAS_3.fullmatch(name)
    if numbered is None:
        return f"{name.split('/')[0]}/{name.split('/')[-1].split(':')[0]}"
    return f"{numbered['layer']}/{_NUMBERED.get(numbered['inner'], numbered['inner'])}"


def _layers(config: str | bytes) -> list[dict[str, Any]]:
    layers = json.loads(config)["config"]
    named = layers["layers"] if isinstance(layers, dict) else layers
    return [{"class_name": str(one["class_name"]), "config": dict(one["config"])} for one in named]


def _refuse_layers(path: Path, layers: list[dict[str, Any]], arrays: dict[str, Tensor]) -> None:
    kinds = [layer["class_name"] for layer in layers if layer["class_name"] not in _IDLE]
    if layers and kinds != ["SimpleRNN", "Dense"]:
        raise ConfigError(f"{path}: this network has other layers", seen=", ".join(kinds), allowed=_WANTED)
    for layer in layers:
        config = layer["config"]
        for option, wanted in _OPTIONS.get(layer["class_name"], {}).items():
            if config.get(option, wanted) != wanted:
                raise ConfigError(
                    f"{path}: layer {config.get('name')} has another {option}",
                    seen=config[option],
                    allowed=f"{wanted}; {_WANTED}",
                    todo=f"train a network without {option}={config[option]!r}, here or in Keras",
                )
    recurrent = [name for name in arrays if name.endswith("/recurrent_kernel")]
    if len(recurrent) != 1:
        raise ConfigError(
            f"{path}: this file holds no such network",
            seen=", ".join(sorted(arrays)) or "no weights",
            allowed=_WANTED,
            todo="save the whole model with model.save, or its weights with model.save_weights",
        )
    names = list(dict.fromkeys(name.split("/")[0] for name in arrays))
    if len(names) != 2:
        raise ConfigError(f"{path}: this network has other layers", seen=", ".join(names), allowed=_WANTED)


def _network(path: Path, arrays: dict[str, Tensor]) -> RecurrentNetwork:
    first = next(name for name in arrays if name.endswith("/recurrent_kernel")).split("/")[0]
    (second,) = {name.split("/")[0] for name in arrays} - {first}
    try:
        w_in, w_rec = arrays[f"{first}/kernel"], arrays[f"{first}/recurrent_kernel"]
        w_out = arrays[f"{second}/kernel"]
    except KeyError as error:
        raise ConfigError(f"{path}: an array is missing", seen=f"no {error.args[0]}", allowed=_WANTED) from error
    b_out = arrays.get(f"{second}/bias", torch.zeros(w_out.shape[-1]))
    units, bias = w_rec.shape[-1], arrays.get(f"{first}/bias")
    wrong = list(_misfits(units, w_in, w_rec, w_out, b_out, bias))
    if wrong:
        raise ConfigError(
            f"{path}: the shapes of this network's layers do not fit each other",
            seen=", ".join(wrong),
            allowed=f"arrays of one layer type, SimpleRNN, with {units} units",
            todo="GRU and LSTM layers cannot be imported; train such a network here with network.kind",
        )
    unknown = arrays.keys() - {f"{first}/{one}" for one in _RECURRENT} - {f"{second}/{one}" for one in _DENSE}
    if unknown:
        raise ConfigError(f"{path}: these layers hold arrays besides", seen=", ".join(sorted(unknown)), allowed=_WANTED)
    for name, array in arrays.items():
        if not array.isfinite().all():
            raise ConfigError(
                f"{path}: layer {name.partition('/')[0]} holds numbers that are not finite",
                seen=f"{int((~array.isfinite()).sum())} of {array.numel()} in {name}",
                allowed="finite weights",
                todo="look for a training in Keras that diverged, and import an earlier model",
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
