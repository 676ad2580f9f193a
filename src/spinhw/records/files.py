"""Records as files: written whole, read with the version looked at first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from spinhw.atomic import write_atomically
from spinhw.config import Settings, read_yaml
from spinhw.errors import CalibrationError, ConfigError

SCHEMA_VERSION = 1
_DIGITS = 7
# What a file of each kind is about, for messages.
KINDS = {"calibration": "oscillators", "synapses": "synapses", "chains": "chains of a whole chip"}


def write_record(record: Settings, path: Path) -> None:
    """Write a record of any kind.

    Raises:
        ConfigError: The file cannot be written.
    """
    text = yaml.dump(
        _rounded(record.model_dump(mode="json", by_alias=True)),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=120,
    )
    write_atomically(path, text.encode("utf-8"))


def read_record(path: Path, kind: str | None) -> dict[str, Any]:
    """Read a file and refuse one from a newer version, or of another kind; what is in it is not looked at yet.

    Args:
        path: The file.
        kind: "calibration", "synapses" or "chains"; None for any.

    Raises:
        ConfigError: It cannot be read, or is from a newer version, or of another kind.
    """
    data = read_yaml(path)
    version = data.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ConfigError(
            f"{path}: schema_version: this record was made by a newer spinhw",
            seen=version,
            allowed=f"at most {SCHEMA_VERSION}",
            todo="update spinhw, or calibrate again",
        )
    seen = data.get("kind")
    if kind is not None and isinstance(seen, str) and seen in KINDS and seen != kind:
        raise ConfigError(f"{path}: kind: this record is of {KINDS[seen]}", seen=seen, allowed=kind)
    return data


def refuse_other(path: Path, seen: str, wanted: str | None, anyway: bool) -> None:
    """Refuse the record of another device.

    Raises:
        CalibrationError: It is another device's.
    """
    if wanted is not None and seen != wanted and not anyway:
        raise CalibrationError(
            f"{path}: this record is another device's",
            seen=seen,
            allowed=wanted,
            todo="calibrate this device, or say that another's record will do",
        )


def find_record(path: Path, device_id: str) -> Path:
    """Find a device's record: the file itself, or DEVICE_ID.yaml in a folder.

    Raises:
        ConfigError: There is none.
    """
    found = path / f"{device_id}.yaml" if path.is_dir() else path
    if not found.is_file():
        raise ConfigError(
            f"{found}: there is no such record", todo="make one: spinhw calibrate --device FILE --out RECORD"
        )
    return found


class _Dumper(yaml.SafeDumper):
    """Writes lists of numbers on few lines."""


def _list(dumper: yaml.SafeDumper, data: Sequence[Any]) -> yaml.Node:
    plain = all(one is None or isinstance(one, int | float | str) for one in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=plain)


_Dumper.add_representer(list, _list)
_Dumper.add_representer(tuple, _list)


def _rounded(data: Any) -> Any:
    if isinstance(data, float):
        return float(f"{data:.{_DIGITS}g}")
    if isinstance(data, Mapping):
        return {key: _rounded(value) for key, value in data.items()}
    return [_rounded(one) for one in data] if isinstance(data, list) else data
