"""YAML files into frozen settings: loading, overrides, messages that name the file and the key, shipped profiles."""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from spinhw.errors import ConfigError, did_you_mean, nearest

# Above this a number is not written out in a message.
_MOST_DIGITS = 1e15
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

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, alias_generator=yaml_key)

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


_MERGE = "tag:yaml.org,2002:merge"


class _StrictLoader(yaml.SafeLoader):
    """Safe loader that refuses a key written twice instead of dropping the first, and every error names its place."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Make an object; yaml lets what Python says of a bad date or number through as it is."""
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise yaml.constructor.ConstructorError(
                None, None, f"this value cannot be read ({error})", node.start_mark
            ) from error


def _construct_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        key = None if key_node.tag == _MERGE else loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a plain word", key_node.start_mark)
        name = (key_node.tag == _MERGE, key)
        if name in seen:
            what = "<<" if key_node.tag == _MERGE else key
            raise yaml.constructor.ConstructorError(None, None, f"key {what!r} stands twice", key_node.start_mark)
        seen.add(name)
    loader.flatten_mapping(node)
    return {
        loader.construct_object(key, deep=True): loader.construct_object(value, deep=True) for key, value in node.value
    }


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


def _read(text: str) -> Any:
    """Parse YAML; whatever is wrong is a `yaml.YAMLError`."""
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a subclass of SafeLoader
    except RecursionError as error:
        raise yaml.YAMLError("it is nested too deeply") from error


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
        data = _read(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{source}: broken YAML at {place}", seen=problem, todo="mend that line") from error
    if data is None:
        raise ConfigError(f"{source}: the file is empty", allowed="lines of the form 'key: value'")
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
            value = _read(text)
        except yaml.YAMLError as error:
            raise ConfigError(
                f"--set {path}: the value is not YAML", seen=_short(text), allowed="such as 5, null, 14 ns or [1, 2]"
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
    changed = apply_overrides(dict(data), overrides)
    try:
        return model.model_validate(changed)
    except ValidationError as error:
        set_keys = [tuple(override.partition("=")[0].strip().split(".")) for override in overrides]
        mistakes = _without_echoes([_Mistake.of(detail, changed) for detail in error.errors()])
        raise _join([_describe(one, model, data, source, set_keys) for one in mistakes]) from error


def _join(errors: list[ConfigError]) -> ConfigError:
    if len(errors) == 1:
        return errors[0]
    joined = ConfigError(f"{len(errors)} things are wrong")
    joined.args = ("\n".join(str(error) for error in errors),)
    return joined


Keys = tuple[str, ...]


@dataclass(frozen=True)
class _Mistake:
    """What pydantic found: where by the user's own keys, and whether it tried several readings of the value."""

    keys: Keys
    one_of_many: bool
    detail: ErrorDetails

    @classmethod
    def of(cls, detail: ErrorDetails, data: Any) -> "_Mistake":
        """Leave out the parts of a place that are no keys of the data but readings that pydantic tried."""
        keys, readings, missing = [], 0, detail["type"] == "missing"
        for index, part in enumerate(detail["loc"]):
            if isinstance(part, int) and isinstance(data, list | tuple):
                data = data[part] if part < len(data) else None
            elif isinstance(data, Mapping) and part in data:
                data = data[part]
            elif not (missing and index == len(detail["loc"]) - 1):
                readings += 1
                continue
            keys.append(str(part))
        return cls(tuple(keys), readings > 0, detail)


def _without_echoes(mistakes: list[_Mistake]) -> list[_Mistake]:
    """Drop what only follows from a mistake further in: a list cut short by it, a reading that fits even less."""

    def further_in(one: _Mistake) -> bool:
        size = len(one.keys)
        return any(len(other.keys) > size and other.keys[:size] == one.keys for other in mistakes)

    return [one for one in mistakes if not ((one.detail["type"] == "too_short" or one.one_of_many) and further_in(one))]


# What pydantic calls its errors, in people's words.
_WORDS = {
    "int_type": "a whole number is needed",
    "int_parsing": "a whole number is needed",
    "int_from_float": "a whole number is needed",
    "float_type": "a number is needed",
    "float_parsing": "a number is needed",
    "finite_number": "a finite number is needed",
    "string_type": "a text is needed",
    "bool_type": "true or false is needed",
    "bool_parsing": "true or false is needed",
    "tuple_type": "a list is needed, such as [32, 32]",
    "list_type": "a list is needed, such as [32, 32]",
    "dict_type": "a mapping of keys is needed here",
    "mapping_type": "a mapping of keys is needed here",
    "model_type": "a mapping of keys is needed here",
    "model_attributes_type": "a mapping of keys is needed here",
}


def _describe(mistake: _Mistake, model: type[Settings], data: Any, source: str, set_keys: list[Keys]) -> ConfigError:
    detail, context, keys = mistake.detail, mistake.detail.get("ctx", {}), mistake.keys
    kind = detail["type"]
    if kind == "unknown_key":
        place = _place((*keys, context["name"]), keys, data, source, set_keys)
        return ConfigError(f"{place}: {detail['msg']}")
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        name = str(context["discriminator"]).strip("'")
        tag, known = (*keys, name), _tags(model, keys, name)
        place, allowed = _place(tag, tag, data, source, set_keys), ", ".join(known)
        if kind == "union_tag_not_found":
            return ConfigError(f"{place}: this key is missing", allowed=allowed, todo="add it")
        seen = str(context.get("tag"))
        return ConfigError(
            f"{place}: this {name} is not known", seen=seen, allowed=allowed, todo=did_you_mean(seen, known)
        )
    place = _place(keys, keys, data, source, set_keys, whole=kind == "value_error")
    if kind == "missing":
        return ConfigError(f"{place}: this key is missing", todo="add it")
    value = detail["input"]
    message = _WORDS.get(kind) or re.sub(
        r"^(Input|String|List|Tuple) should ", "must ", detail["msg"].removeprefix("Value error, ")
    )
    return ConfigError(
        f"{place}: {message}",
        seen=None if isinstance(value, Mapping) else _short(value),
        todo=_whole_number(value) if kind == "int_parsing" else "",
    )


def _place(at: Keys, shown: Keys, data: Any, source: str, set_keys: list[Keys], whole: bool = False) -> str:
    """Name file and key, or ``--set`` where that is where the failing value comes from.

    Args:
        at: Where the failing value stands.
        shown: The key to name in a file.
        data: What the file says.
        source: The file.
        set_keys: What was set on the command line.
        whole: Whether several keys together are wrong, of which some may have been set.
    """
    replaced = _inner(data, at)
    for name in set_keys:
        if name == at[: len(name)] or (at and at == name[: len(at)] and not isinstance(replaced, Mapping)):
            return f"--set {'.'.join(name if len(name) > len(at) else at)}"
    inside = [".".join(name) for name in set_keys if whole and name[: len(at)] == at]
    file = f"{source} with --set {', '.join(inside)}" if inside else source
    return f"{file}: {'.'.join(shown)}" if shown else file


def _inner(data: Any, keys: Keys) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _tags(model: type[Settings], keys: Keys, name: str) -> list[str]:
    """List the tags that a field may have, such as "none" and "sigmoid" of the kind of ``network.saturation``."""
    found: list[type[Settings]] = [model]
    for key in keys:
        fields = [
            field for one in found for field_name, field in one.model_fields.items() if yaml_key(field_name) == key
        ]
        # A key that is no field's stands in a mapping of names: what it holds is what was found above it.
        found = [one for field in fields for one in _models(field.annotation)] or found
    return [
        str(tag) for one in found if name in one.model_fields for tag in get_args(one.model_fields[name].annotation)
    ]


def _models(annotation: Any) -> list[type[Settings]]:
    """List the settings models in an annotation, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [one for inner in get_args(annotation) for one in _models(inner)]


def _whole_number(value: Any) -> str:
    """Say how a whole number such as 1e3, which YAML takes for a text, is written."""
    try:
        number = float(value)
        return f"write {int(number)}" if number.is_integer() and abs(number) < _MOST_DIGITS else ""
    except (TypeError, ValueError):
        return ""


def _short(value: Any) -> str:
    text = {"True": "true", "False": "false", "None": "null"}.get(repr(value), repr(value))
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
        todo=did_you_mean(name, profile_names()),
    )


def recipe_names() -> list[str]:
    """List the shipped recipes."""
    return sorted(path.name for path in shipped("examples").glob("*.yaml"))


def find_recipe(path: Path) -> Path:
    """Find the config of a run: the path as it is, or ``examples/NAME`` among the shipped ones from anywhere.

    Raises:
        ConfigError: There is no such file; the message lists the shipped ones.
    """
    if path.exists():
        return path
    if path.parent in {Path(), Path("examples")} and path.name in recipe_names():
        return shipped("examples") / path.name
    raise ConfigError(
        f"{path}: there is no such file",
        todo="check the path, or use a shipped recipe: " + ", ".join(f"examples/{name}" for name in recipe_names()),
    )
