"""A batch as a NetCDF file: any program that reads NetCDF can look at a recording, long after this one is gone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spinhw.device.batch import MeasuredBatch, digest, played_of
from spinhw.device.description import Description, Parameter
from spinhw.device.plan import ObservationPlan
from spinhw.device.trace import SIGNALS, Signal, Trace
from spinhw.errors import ConfigError
from spinhw.hdf5 import UNREADABLE, attributes_of, digest_of, opened_hdf5
from spinhw.network import Answer
from spinhw.physics import Ladder

FORMAT = "spinhw recording 2"
# Its outputs had no axis for answers, for there was one, and nobody said which samples answered.
OLDER = "spinhw recording 1"

_CHECKSUM = "attributes_sha256"  # Of all others.
_UNITS = {"power": "1", "power0": "1", "filtered": "1", "outputs": "1", "drive_applied": "1/s"}
# Smaller variables are not worth the effort.
_LEAST_COMPRESSED = 1024


def to_netcdf(batch: MeasuredBatch, facts: dict[str, str]) -> bytes:
    """Write a batch as NetCDF, compressed, every bit kept.

    Args:
        batch: The batch.
        facts: Of the recording as a whole; they become attributes of the file.
    """
    import xarray  # Here, because it takes a second and most runs record nothing.

    data = _variables(batch)
    encoding = {
        name: {"_FillValue": None} | ({"zlib": True, "complevel": 1, "shuffle": True} if _is_large(one) else {})
        for name, one in data.items()
    }
    contents = {name: torch.from_numpy(np.array(one[1])) for name, one in data.items()}
    about = _attributes(batch) | {"contents_sha256": digest(contents)} | facts
    about |= {_CHECKSUM: digest_of(about | _noises(batch.trace))}
    written = xarray.Dataset(data, attrs=about).to_netcdf(engine="h5netcdf", encoding=encoding)
    return bytes(written)


def read_batch(path: Path) -> MeasuredBatch:
    """Read a batch back, every bit as it was.

    Raises:
        ConfigError: There is no such file, or it is no recording, or it is damaged.
    """
    with _opened(path) as file:
        about = _attributes_of(file)
        data = {name: torch.from_numpy(np.array(file[name])) for name in file if not _is_mere_dimension(file[name])}
        if digest(data) != about["contents_sha256"]:
            raise ValueError("contents that do not match their checksum")
        return _batch(about, data, _noises_of(file))


def read_attributes(path: Path) -> dict[str, Any]:
    """Read what a file says about its batch, without the samples.

    Raises:
        ConfigError: As for `read_batch`.
    """
    with _opened(path) as file:
        found = _attributes_of(file)
        device_of(found), plan_of(found)  # What is said of these is asked for when the file is closed.
        return found


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file and say what is wrong with it."""
    if not path.is_file():
        raise ConfigError(
            f"{path}: this batch of the recording is not there", todo="restore it from a copy, or measure again"
        )
    try:
        with opened_hdf5(path) as file:
            yield file
    except UNREADABLE as error:
        raise ConfigError(
            f"{path}: this is no batch of a recording, or it is damaged",
            seen=error,
            allowed=f"a complete {FORMAT!r}",
            todo="restore it from a copy, or measure again",
        ) from error


def _attributes_of(file: Any) -> dict[str, Any]:
    found = attributes_of(file)
    checksum = found.pop(_CHECKSUM, None)  # Files before 2026-11-29 lack it.
    if checksum is not None and checksum != digest_of(found | _known(_noises_of(file))):
        raise ValueError("attributes that do not match their checksum")
    if found["format"] not in (FORMAT, OLDER):
        raise ValueError(f"format {found['format']!r}")
    return found


def _noises_of(file: Any) -> dict[str, float | None]:
    """Read the noise of each signal that there is; None where nobody knew it."""
    noises = {name: file[name].attrs.get("noise") for name in SIGNALS if name in file}
    return {name: None if one is None else float(one[0]) for name, one in noises.items()}


def _noises(trace: Trace) -> dict[str, float]:
    return _known({name: signal.noise for name, signal in trace.signals().items()})


def _known(noises: Mapping[str, float | None]) -> dict[str, float]:
    """Name the noises that are known as no attribute is named."""
    return {f"noise of {name}": float(one) for name, one in noises.items() if one is not None}


def _is_mere_dimension(dataset: Any) -> bool:
    return bytes(dataset.attrs.get("NAME", b"")).startswith(b"This is a netCDF dimension but not")


def device_of(attributes: Mapping[str, Any]) -> Description:
    """Read which device measured a batch."""
    data = json.loads(attributes["device"])
    for name in ("observables", "computed", "capabilities", "software_parameters"):
        data[name] = frozenset(data.get(name, ()))
    shapes = data.pop("parameter_shapes", None)
    held = _by_first_letter(shapes) if shapes is not None else _parameters(data["parameters"])
    ladder = None if data.get("ladder") is None else Ladder(**data["ladder"])
    plain = {"device_ids": tuple(data["device_ids"]), "parameters": held, "power_ranges": (), "ladder": ladder}
    answer = {"answer": Answer(**data["answer"])} if "answer" in data else {}
    return Description(**data | plain | answer)


def _parameters(written: Mapping[str, Any]) -> dict[str, Parameter]:
    return {name: Parameter(tuple(one["shape"]), one["kind"], one["unit"]) for name, one in written.items()}


def _by_first_letter(shapes: Mapping[str, Sequence[int]]) -> dict[str, Parameter]:
    """Read what older files say: nothing of kinds, but weights were called w_ and all were sent in volts."""
    return {
        name: Parameter(tuple(shape), "weight" if name.startswith("w") else "bias", "V")
        for name, shape in shapes.items()
    }


def plan_of(attributes: Mapping[str, Any]) -> ObservationPlan:
    """Read what was observed in which repeat."""
    return ObservationPlan(tuple(tuple(repeat) for repeat in json.loads(attributes["plan"])))


def _is_large(variable: tuple[tuple[str, ...], Any, Any]) -> bool:
    return bool(variable[1].nbytes >= _LEAST_COMPRESSED)


def _variables(batch: MeasuredBatch) -> dict[str, Any]:
    """Name dimensions, values and attributes of every variable."""
    settings = np.frombuffer(json.dumps(batch.settings).encode(), np.uint8)
    found: dict[str, Any] = {
        "inputs": (("member", "batch", "time", "input"), batch.inputs.numpy(), {"units": "1"}),
        "requested": (("member", "parameter"), _flat(batch.requested), {}),
        "applied": (("member", "parameter"), _flat({name: batch.trace.applied[name] for name in batch.requested}), {}),
        # No attribute: those of HDF5 end at 64 kB.
        "settings_json": (("settings_byte",), settings, {"content": "JSON in UTF-8"}),
    }
    if batch.lengths is not None:
        found["lengths"] = (("member", "batch"), batch.lengths.numpy(), {"units": "samples"})
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


def _attributes(batch: MeasuredBatch) -> dict[str, Any]:
    trace = batch.trace
    found = {
        "format": FORMAT,
        "device": json.dumps(_plain(batch.device)),
        "plan": json.dumps(batch.plan.repeats),
        "parameters": json.dumps({name: list(value.shape[1:]) for name, value in batch.requested.items()}),
        "requested_sha256": digest(batch.requested),
        "inputs_sha256": digest(played_of(batch.inputs, batch.lengths)),
        "averages": trace.averages,
        "shots": list(trace.shots),
        "started_unix_s": trace.started_unix_s,
        "duration_s": trace.duration_s,
        "repeats_after_faults": trace.repeats_after_faults,
    }
    return found if trace.energy_j is None else found | {"energy_j": trace.energy_j}


def _plain(device: Description) -> dict[str, Any]:
    data = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(device).items()}
    return data | {"limits": {}, "power_ranges": []}


def _flat(values: Mapping[str, Tensor]) -> Any:
    return torch.cat([value.flatten(1) for value in values.values()], dim=1).numpy()


def _batch(about: Mapping[str, Any], data: Mapping[str, Tensor], noises: Mapping[str, float | None]) -> MeasuredBatch:
    device, shapes = device_of(about), json.loads(about["parameters"])
    first, end = about["shots"].tolist()
    signals: dict[str, Any] = {
        name: Signal(data[name], data[f"{name}_quality"], data[f"{name}_time_s"], noise)
        for name, noise in noises.items()
    }
    if about["format"] == OLDER and "outputs" in signals:
        one = signals["outputs"]
        signals["outputs"] = replace(one, values=one.values[:, :, None], quality=one.quality[:, :, None])
    trace = Trace(
        device_ids=device.device_ids,
        averages=about["averages"],
        shots=(first, end),
        applied=_by_name(data["applied"], shapes),
        energy_j=about.get("energy_j"),
        started_unix_s=about["started_unix_s"],
        duration_s=about["duration_s"],
        repeats_after_faults=about["repeats_after_faults"],
        seed=device.seed,
        **signals,
    )
    settings = json.loads(data["settings_json"].numpy().tobytes())
    return MeasuredBatch(
        device,
        _by_name(data["requested"], shapes),
        data["inputs"],
        plan_of(about),
        trace,
        settings,
        data.get("lengths"),
    )


def _by_name(flat: Tensor, shapes: Mapping[str, list[int]]) -> dict[str, Tensor]:
    parts = flat.split([int(np.prod(shape)) for shape in shapes.values()], dim=1)
    return {name: part.reshape(-1, *shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
