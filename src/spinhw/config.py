"""YAML files into frozen settings: loading, overrides, messages that name the file and the key, shipped profiles."""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from spinhw.errors import ConfigError, nearest

_UNIT_SUFFIX = re.compile(r"_(s|hz|per_s|j|w|a|v)$")


def yaml_key(field_name: str) -> str:
    """Name a field as people write it: the unit stands in the value, so ``tau_s`` is ``tau`` in YAML."""
    return _UNIT_SUFFIX.sub("", field_name)


class Settings(BaseModel):
    """Base of every settings model: frozen, closed to unknown keys, without NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, alias_generator=yaml_key)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        known = {field.alias or name for name, field in cls.model_fields.items()}
        for key in data:
            if key not in known:
                raise PydanticCustomError(
                    "unknown_key", "unknown key {key}; {hint}", {"key": repr(key), "hint": nearest(str(key), known)}
                )
        return data

    def to_yaml(self) -> str:
        """Write these settings as YAML that loads back to the same settings."""
        return yaml.safe_dump(self.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True)


SettingsT = TypeVar("SettingsT", bound=Settings)


class _StrictLoader(yaml.SafeLoader):
    """Safe loader that refuses a key written twice instead of dropping the first."""


def _construct_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r} stands twice", node.value[index][0].start_mark
            )
    return dict(zip(keys, (loader.construct_object(value, deep=True) for _, value in node.value), strict=True))


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping with the safe loader.

    Raises:
        ConfigError: For a missing or unreadable file, broken YAML (with line and column), or anything but a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file", todo="check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: this file cannot be read", seen=error, allowed="a YAML text file in UTF-8"
        ) from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str) -> dict[str, Any]:
    """Parse one YAML mapping; `source` names it in messages."""
    try:
        data = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{source}: broken YAML at {place}", seen=problem, todo="mend that line") from error
    if not isinstance(data, dict):
        raise ConfigError(
            f"{source}: not a YAML mapping", seen=type(data).__name__, allowed="lines of the form 'key: value'"
        )
    return data


def apply_overrides(data: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return the data with ``path.to.key=value`` overrides applied; values are read as YAML."""
    result = dict(data)
    for override in overrides:
        path, equals, text = override.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            raise ConfigError(
                f"--set {override}: not an override", seen=override, allowed="KEY=VALUE, such as training.epochs=5"
            )
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(
                f"--set {override}: the value is not YAML", seen=text, allowed="such as 5, true, 14 ns or [1, 2]"
            ) from error
        result = _with_value(result, keys, value)
    return result


def _with_value(data: Any, keys: list[str], value: Any) -> dict[str, Any]:
    inner = dict(data) if isinstance(data, Mapping) else {}
    inner[keys[0]] = value if len(keys) == 1 else _with_value(inner.get(keys[0]), keys[1:], value)
    return inner


def build(model: type[SettingsT], data: Mapping[str, Any], source: str, overrides: Sequence[str] = ()) -> SettingsT:
    """Make settings from plain data; `source` names the file in messages.

    Raises:
        ConfigError: One line for each thing that is wrong, with file (or ``--set``), key, value and what is allowed.
    """
    try:
        return model.model_validate(apply_overrides(dict(data), overrides))
    except ValidationError as error:
        set_keys = {override.partition("=")[0].strip() for override in overrides}
        lines = [_describe(detail, source, set_keys) for detail in error.errors()]
        raise _join(lines) from error


def _join(errors: list[ConfigError]) -> ConfigError:
    if len(errors) == 1:
        return errors[0]
    joined = ConfigError(f"{len(errors)} things are wrong")
    joined.args = ("\n".join(str(error) for error in errors),)
    return joined


def _describe(detail: ErrorDetails, source: str, set_keys: set[str]) -> ConfigError:
    key = ".".join(str(part) for part in detail["loc"])
    from_command_line = any(
        key == name or key.startswith(name + ".") or name.startswith(key + ".") for name in set_keys
    )
    place = f"--set {key}" if from_command_line else f"{source}: {key}" if key else source
    if detail["type"] == "missing":
        return ConfigError(f"{place}: this key is missing", todo="add it")
    seen = None if detail["type"] == "unknown_key" else _short(detail["input"])
    return ConfigError(f"{place}: {detail['msg'].removeprefix('Value error, ')}", seen=seen)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def load(model: type[SettingsT], path: Path, overrides: Sequence[str] = ()) -> SettingsT:
    """Read a YAML file into settings, with overrides such as ``["training.epochs=5"]``."""
    return build(model, read_yaml(path), str(path), overrides)


def shipped(folder: str) -> Path:
    """Find a folder of shipped data (``devices``, ``examples``): in the installed package, or in a checkout."""
    installed = Path(str(files("spinhw"))) / folder
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / folder


def profile_names() -> list[str]:
    """List the shipped device profiles."""
    return sorted(path.stem for path in shipped("devices").glob("*.yaml"))


def find_profile(name: str) -> Path:
    """Find a device profile: a path to a YAML file, or the name of a shipped one.

    Raises:
        ConfigError: Neither exists; the message lists the shipped ones.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        if path.is_file():
            return path
        raise ConfigError(
            f"{name}: there is no such device file",
            todo="check the path, or use a shipped profile: " + ", ".join(profile_names()),
        )
    candidate = shipped("devices") / f"{name}.yaml"
    if candidate.is_file() and path.name == name:
        return candidate
    raise ConfigError(
        f"device profile {name!r} was not found",
        allowed=", ".join(profile_names()),
        todo=nearest(name, profile_names()),
    )
