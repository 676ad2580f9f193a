"""Plain data or a YAML file into settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spinhw.config.mistakes import Keys, Mistake, describe, without_echoes
from spinhw.config.overrides import apply_overrides
from spinhw.config.settings import WRITTEN, Settings, SettingsT
from spinhw.config.sorts import another_sort
from spinhw.config.text import read_yaml
from spinhw.errors import ConfigError, together


def build(model: type[SettingsT], data: Mapping[str, Any], source: str, overrides: Sequence[str] = ()) -> SettingsT:
    """Make settings from plain data; `source` names the file in messages.

    Raises:
        ConfigError: One line for each thing that is wrong, with file (or ``--set``), key, value and what is allowed.
    """
    changed = apply_overrides(dict(data), overrides)
    try:
        return model.validated(changed, WRITTEN)
    except ValidationError as error:
        other = another_sort(data, model.sorts, source)
        if other is not None:
            raise other from error
        set_keys = [tuple(override.partition("=")[0].strip().split(".")) for override in overrides]
        raise told(error, model, changed, source, data, set_keys) from error


def told(
    error: ValidationError,
    model: type[Settings],
    tried: Mapping[str, Any],
    source: str,
    data: Mapping[str, Any] | None = None,
    set_keys: Sequence[Keys] = (),
) -> ConfigError:
    """Say what pydantic found wrong in people's words, a line for each thing.

    Args:
        error: What it found.
        model: The settings that were to be made.
        tried: What they were to be made from.
        source: Names the file, or the settings, in messages.
        data: What the file says, without overrides; None where there are none.
        set_keys: What was set on the command line.
    """
    mistakes = without_echoes([Mistake.of(detail, tried) for detail in error.errors()])
    written = tried if data is None else data
    return together([describe(one, model, written, source, list(set_keys)) for one in mistakes])


def load(model: type[SettingsT], path: Path, overrides: Sequence[str] = ()) -> SettingsT:
    """Read a YAML file into settings, with overrides such as ``["training.epochs=5"]``."""
    return build(model, read_yaml(path), str(path), overrides)
