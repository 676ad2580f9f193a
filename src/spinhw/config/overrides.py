"""Overrides from the command line, such as ``--set training.epochs=5``."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from spinhw.config.text import OtherBaseError, as_written, read_value
from spinhw.errors import ConfigError

# No settings are nested nearly as deeply.
_DEEPEST = 50
_SHOWN = 40


def apply_overrides(data: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return the data with ``path.to.key=value`` overrides applied; values are read as YAML."""
    result = dict(data)
    for override in overrides:
        path, equals, text = override.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            raise ConfigError(
                f"--set {override}: not an override",
                seen=override,
                allowed="KEY=VALUE as one word, such as --set training.epochs=5",
            )
        if len(keys) > _DEEPEST:
            raise ConfigError(
                f"--set {path[:_SHOWN]}...: so deep no key lies",
                seen=f"{len(keys)} levels",
                allowed=f"at most {_DEEPEST}",
                todo="check the key",
            )
        try:
            value = read_value(text)
        except OtherBaseError as error:
            raise error.described(f"--set {path.strip()}.") from error
        except yaml.YAMLError as error:
            raise ConfigError(
                f"--set {path}: the value is not YAML",
                seen=as_written(text),
                allowed="such as 5, null, 14 ns or [1, 2]",
            ) from error
        result = _with_value(result, keys, value)
    return result


def _with_value(data: Any, keys: list[str], value: Any) -> dict[str, Any]:
    inner = dict(data) if isinstance(data, Mapping) else {}
    inner[keys[0]] = value if len(keys) == 1 else _with_value(inner.get(keys[0]), keys[1:], value)
    return inner
