"""Plain data or a YAML file into settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spinhw.config.mistakes import Mistake, describe, without_echoes
from spinhw.config.overrides import apply_overrides
from spinhw.config.settings import WRITTEN, SettingsT
from spinhw.config.sorts import another_sort
from spinhw.config.text import read_yaml
from spinhw.errors import together


def build(model: type[SettingsT], data: Mapping[str, Any], source: str, overrides: Sequence[str] = ()) -> SettingsT:
    """Make settings from plain data; `source` names the file in messages.

    Raises:
        ConfigError: One line for each thing that is wrong, with file (or ``--set``), key, value and what is allowed.
    """
    changed = apply_overrides(dict(data), overrides)
    try:
        return model.model_validate(changed, context=WRITTEN)
    except ValidationError as error:
        other = another_sort(data, model.sorts, source)
        if other is not None:
            raise other from error
        set_keys = [tuple(override.partition("=")[0].strip().split(".")) for override in overrides]
        mistakes = without_echoes([Mistake.of(detail, changed) for detail in error.errors()])
        raise together([describe(one, model, data, source, set_keys) for one in mistakes]) from error


def load(model: type[SettingsT], path: Path, overrides: Sequence[str] = ()) -> SettingsT:
    """Read a YAML file into settings, with overrides such as ``["training.epochs=5"]``."""
    return build(model, read_yaml(path), str(path), overrides)
