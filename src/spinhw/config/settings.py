"""The base of every settings model: frozen, closed to unknown keys; the unit of a field stands in its value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from spinhw.errors import nearest

_UNIT_SUFFIX = re.compile(r"_(s|hz|per_s|j|w|a|v|ohm)$")


def yaml_key(field_name: str) -> str:
    """Name a field as people write it: the unit stands in the value, so ``tau_s`` is ``tau`` in YAML."""
    return _UNIT_SUFFIX.sub("", field_name)


@dataclass(frozen=True)
class _Boolean:
    """True or false where neither is asked for: Python takes them for 1 and 0, and no field takes this."""

    value: bool

    def __repr__(self) -> str:
        return "true" if self.value else "false"


def _no_number(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_no_number(one) for one in value]
    return _Boolean(value) if isinstance(value, bool) else value


class Settings(BaseModel):
    """Base of every settings model: frozen, closed to unknown keys, without NaN or infinity."""

    # Most commands use few of the models: a validator is built when it is first used.
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, alias_generator=yaml_key, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys_and_booleans(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        known = {field.alias or name for name, field in cls.model_fields.items()}
        for key in data:
            if key not in known:
                raise PydanticCustomError(
                    "unknown_key",
                    "unknown key {key}; {hint}",
                    {"key": repr(key), "name": str(key), "hint": nearest(str(key), known)},
                )
        switches = {field.alias or name for name, field in cls.model_fields.items() if field.annotation is bool}
        return {key: value if key in switches else _no_number(value) for key, value in data.items()}

    def to_yaml(self) -> str:
        """Write these settings as YAML that loads back to the same settings."""
        return yaml.safe_dump(self.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True)


SettingsT = TypeVar("SettingsT", bound=Settings)
