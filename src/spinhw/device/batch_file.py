"""A batch as a NetCDF file: any program that reads NetCDF can look at a recording, long after this one is gone."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from spinhw.device.batch import Batch, digest
from spinhw.device.description import Description
from spinhw.device.plan import ObservationPlan
from spinhw.device.trace import SIGNALS, Signal, Trace
from spinhw.errors import ConfigError

if TYPE_CHECKING:
    import xarray

FORMAT = "spinhw recording 1"

_UNITS = {"power": "1", "power0": "1", "filtered": "1", "outputs": "1", "drive_applied": "1/s"}
# Smaller variables are not worth the effort.
_LEAST_COMPRESSED = 1024


def to_netcdf(batch: Batch, facts: dict[str, str]) -> bytes:
    """Write a batch as NetCDF, compressed, every bit kept.

    Args:
        batch: The batch.
        facts: Of the recording as a whole; they become attributes of the file.
    """
    data = _variables(batch)
    encoding = {
        name: {"_FillValue": None} | ({"zlib": True, "complevel": 1, "shuffle": True} if _is_large(one) else {})
        for name, one in data.items()
    }
    about = _attributes(batch) | {"contents_sha256": _contents(data)} | facts
    written = _xarray().Dataset(data, attrs=about).to_netcdf(engine="h5netcdf", encoding=encoding)
    return bytes(written)


def read_batch(path: Path) -> Batch:
    """Read a batch back, every bit as it was.

    Raises:
        ConfigError: There is no such file, or it is no recording, or it is damaged.
    """
    _refuse_missing(path)
    try:
        data = _xarray().load_dataset(path, engine="h5netcdf", mask_and_scale=False, decode_times=False)
        if (
            _contents({name: (None, one.values) for name, one in data.variables.items()})
            != data.attrs["contents_sha256"]
        ):
            raise ValueError("contents that do not match their checksum")
        return _batch(data)
    except (OSError, KeyError, ValueError) as error:
        raise _damaged(path, error) from error


def read_attributes(path: Path) -> dict[str, Any]:
    """Read what a file says about its batch, without the samples.

    Raises:
        ConfigError: As for `read_batch`.
    """
    _refuse_missing(path)
    import h5py  # Reads attributes in a tenth of the time that xarray takes.

    try:
        with h5py.File(path, "r") as file:
            found = {
                name: value.item() if getattr(value, "size", 0) == 1 else value for name, value in file.attrs.items()
            }
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']!r}")
    except (OSError, KeyError, ValueError) as error:
        raise _damaged(path, error) from error
    # A number alone comes as an array of one.
    return {name: one.item() if getattr(one, "size", 0) == 1 else one for name, one in found.items()}


def device_of(attributes: Mapping[str, Any]) -> Description:
    """Read which device measured a batch."""
    data = json.loads(attributes["device"])
    for name in ("observables", "capabilities", "software_parameters"):
        data[name] = frozenset(data[name])
    shapes = {name: tuple(shape) for name, shape in data.pop("parameter_shapes").items()}
    return Description(**data | {"device_ids": tuple(data["device_ids"]), "parameter_shapes": shapes})


def plan_of(attributes: Mapping[str, Any]) -> ObservationPlan:
    """Read what was observed in which repeat."""
    return ObservationPlan(tuple(tuple(repeat) for repeat in json.loads(attributes["plan"])))


def _xarray() -> Any:
    import xarray  # Here, because it takes a second and most runs record nothing.

    return xarray


def _is_large(variable: tuple[tuple[str, ...], Any, Any]) -> bool:
    return bool(variable[1].nbytes >= _LEAST_COMPRESSED)


def _variables(batch: Batch) -> dict[str, Any]:
    """Name dimensions, values and attributes of every variable."""
    settings = np.frombuffer(json.dumps(batch.settings).encode(), np.uint8)
    found: dict[str, Any] = {
        "inputs": (("member", "batch", "time", "input"), batch.inputs.numpy(), {"units": "1"}),
        "requested": (("member", "parameter"), _flat(batch.requested), {}),
        "applied": (("member", "parameter"), _flat({name: batch.trace.applied[name] for name in batch.requested}), {}),
        # No attribute: those of HDF5 end at 64 kB.
        "settings_json": (("settings_byte",), settings, {"content": "JSON in UTF-8"}),
    }
    for name, signal in batch.trace.signals().items():
        channel, time, is_series = "output" if name == "outputs" else "neuron", f"{name}_time", signal.values.dim() == 4
        over = ("member", "batch", *((time,) if is_series else ()), channel)
        noise = {} if signal.noise is None else {"noise": signal.noise}
        found[name] = (over, signal.values.numpy(), {"units": _UNITS[name]} | noise)
        found[f"{name}_quality"] = (over, signal.quality.numpy(), {})
        found[f"{name}_time_s"] = (
            (time if signal.values.dim() == 4 else f"{name}_instant",),
            signal.time_s.numpy(),
            {},
        )
    return found


def _attributes(batch: Batch) -> dict[str, Any]:
    trace = batch.trace
    found = {
        "format": FORMAT,
        "device": json.dumps(_plain(batch.device)),
        "plan": json.dumps(batch.plan.repeats),
        "parameters": json.dumps({name: list(value.shape[1:]) for name, value in batch.requested.items()}),
        "requested_sha256": digest(batch.requested),
        "inputs_sha256": digest({"inputs": batch.inputs}),
        "averages": trace.averages,
        "shots": list(trace.shots),
        "started_unix_s": trace.started_unix_s,
        "duration_s": trace.duration_s,
        "repeats_after_faults": trace.repeats_after_faults,
    }
    return found if trace.energy_j is None else found | {"energy_j": trace.energy_j}


def _plain(device: Description) -> dict[str, Any]:
    data = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(device).items()}
    return data | {"limits": {}}


def _contents(variables: Mapping[str, tuple[Any, ...]]) -> str:
    return digest({name: torch.from_numpy(np.array(one[1])) for name, one in variables.items()})


def _flat(values: Mapping[str, Tensor]) -> Any:
    return torch.cat([value.flatten(1) for value in values.values()], dim=1).numpy()


def _batch(data: "xarray.Dataset") -> Batch:
    about = data.attrs
    if about["format"] != FORMAT:
        raise ValueError(f"format {about['format']!r}")
    device, shapes = device_of(about), json.loads(about["parameters"])
    first, end = about["shots"].tolist()
    trace = Trace(
        device_ids=device.device_ids,
        averages=int(about["averages"]),
        shots=(first, end),
        applied=_by_name(_tensor(data, "applied"), shapes),
        energy_j=float(about["energy_j"]) if "energy_j" in about else None,
        started_unix_s=float(about["started_unix_s"]),
        duration_s=float(about["duration_s"]),
        repeats_after_faults=int(about["repeats_after_faults"]),
        seed=device.seed,
        **{name: _signal(data, name) for name in SIGNALS if name in data},
    )
    settings = json.loads(data["settings_json"].values.tobytes())
    requested = _by_name(_tensor(data, "requested"), shapes)
    return Batch(device, requested, _tensor(data, "inputs"), plan_of(about), trace, settings)


def _signal(data: "xarray.Dataset", name: str) -> Any:
    noise = data[name].attrs.get("noise")
    values, quality, time_s = (_tensor(data, one) for one in (name, f"{name}_quality", f"{name}_time_s"))
    return Signal(values, quality, time_s, None if noise is None else float(noise))


def _tensor(data: "xarray.Dataset", name: str) -> Tensor:
    return torch.from_numpy(np.array(data[name].values))


def _by_name(flat: Tensor, shapes: Mapping[str, list[int]]) -> dict[str, Tensor]:
    parts = flat.split([int(np.prod(shape)) for shape in shapes.values()], dim=1)
    return {name: part.reshape(-1, *shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def _refuse_missing(path: Path) -> None:
    if not path.is_file():
        raise ConfigError(
            f"{path}: this batch of the recording is not there", todo="restore it from a copy, or measure again"
        )


def _damaged(path: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"{path}: this is no batch of a recording, or it is damaged",
        seen=error,
        allowed=f"a complete {FORMAT!r}",
        todo="restore it from a copy, or measure again",
    )
