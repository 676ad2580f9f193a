"""What pydantic finds wrong, in people's words, with file (or ``--set``) and key."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, get_args, get_origin

from pydantic_core import ErrorDetails

from spinhw.config.kinds import ByKind
from spinhw.config.settings import Moved, Settings, yaml_key
from spinhw.config.text import as_written
from spinhw.errors import ConfigError, MisfitError, did_you_mean
from spinhw.shell import typed

# Above this a number is not written out in a message.
_MOST_DIGITS = 1e15
# What is named of the places where a key could have been meant, and how deep they are looked for.
_MOST_PATHS = 3
_DEEPEST_PATH = 4

Keys = tuple[str, ...]


@dataclass(frozen=True)
class Mistake:
    """What pydantic found: where by the user's own keys, and whether it tried several readings of the value."""

    keys: Keys
    one_of_many: bool
    detail: ErrorDetails

    @property
    def is_of_type(self) -> bool:
        """Whether it says no more than that the value is of another type."""
        return self.detail["type"].endswith("_type")

    @classmethod
    def of(cls, detail: ErrorDetails, data: Any) -> "Mistake":
        """Leave out the parts of a place that are no keys of the data but readings that pydantic tried."""
        keys, readings, missing = [], 0, detail["type"] == "missing"
        for index, part in enumerate(detail["loc"]):
            if isinstance(part, int) and isinstance(data, list | tuple):
                data = data[part] if part < len(data) else None
            elif isinstance(data, Mapping) and (given := _as_given(part, data)) is not None:
                data, part = data[given], given
            elif not (missing and index == len(detail["loc"]) - 1):
                readings += 1
                continue
            keys.append(str(part))
        return cls(tuple(keys), readings > 0, detail)


def _as_given(part: int | str, data: Mapping[Any, Any]) -> Any:
    """Find a key in the data: as YAML has it, or in Python by the field's own name, ``tau_s``; None if neither."""
    return part if part in data else next((key for key in data if yaml_key(str(key)) == part), None)


def without_echoes(mistakes: list[Mistake]) -> list[Mistake]:
    """Drop what only follows from a mistake further in: a list cut short by it, a reading that fits even less."""

    def further_in(one: Mistake) -> bool:
        size = len(one.keys)
        return any(len(other.keys) > size and other.keys[:size] == one.keys for other in mistakes)

    def fits_less(one: Mistake) -> bool:
        """Tell whether another reading of the same value came further than to what kind of value it is."""
        same = [other for other in mistakes if other.keys == one.keys and other.one_of_many]
        best = next((other for other in same if not other.is_of_type), same[0] if same else one)
        return one.one_of_many and one.is_of_type and one is not best

    return [
        one
        for one in mistakes
        if not ((one.detail["type"] == "too_short" or one.one_of_many) and further_in(one)) and not fits_less(one)
    ]


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


def describe(mistake: Mistake, model: type[Settings], data: Any, source: str, set_keys: list[Keys]) -> ConfigError:
    """Say what is wrong in four parts.

    Args:
        mistake: What pydantic found.
        model: The settings that were to be made.
        data: What the file says, without overrides.
        source: The file.
        set_keys: What was set on the command line.
    """
    detail, context, keys = mistake.detail, mistake.detail.get("ctx", {}), mistake.keys
    kind = detail["type"]
    if kind == "unknown_key":
        place = _place((*keys, context["name"]), keys, data, source, set_keys)
        moved = context["moved"]
        if isinstance(moved, Moved):
            now = ".".join(moved.place(keys))
            todo = "" if place.startswith("--set") else f"rewrite the file with: spinhw migrate {typed(source)}"
            return ConfigError(f"{place}: unknown key {context['key']}; it is written {now} now", todo=todo)
        elsewhere = [] if context["near"] else _elsewhere(model, context["name"], data)
        if elsewhere:
            return ConfigError(
                f"{place}: unknown key {context['key']}; did you mean {' or '.join(map(repr, elsewhere))}?"
            )
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
    if kind == "unknown_kind":
        tag, known = (*keys, "kind"), context["known"]
        return ConfigError(
            f"{_place(tag, tag, data, source, set_keys)}: this kind is not known",
            seen=context["kind"],
            allowed=", ".join(known),
            todo=did_you_mean(context["kind"], known) or "install the package that adds it",
        )
    if kind == "broken_kind":
        return ConfigError(f"{_place((*keys, 'kind'), keys, data, source, set_keys)}: {context['text']}")
    place = _place(keys, keys, data, source, set_keys, whole=kind == "value_error")
    if kind == "missing":
        there = ", ".join(map(str, detail["input"])) if isinstance(detail["input"], Mapping) else ""
        return ConfigError(
            f"{place}: this key is missing", seen=there or "nothing", allowed=_meaning(model, keys), todo="add it"
        )
    misfit = context.get("error")
    if isinstance(misfit, MisfitError):
        return ConfigError(f"{place}: {misfit}", seen=misfit.seen, allowed=misfit.allowed, todo=misfit.todo)
    value = detail["input"]
    message = _WORDS.get(kind) or re.sub(
        r"^(Input|String|List|Tuple) should ", "must ", detail["msg"].removeprefix("Value error, ")
    )
    return ConfigError(
        f"{place}: {message}",
        seen=None if isinstance(value, Mapping) else as_written(value),
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


def _elsewhere(model: type[Settings], name: str, data: Any) -> list[str]:
    """List where a key of this name, or else of the nearest one, may stand: whole paths, the short ones first."""
    paths = _paths(model, (), data)
    names = {path[-1] for path in paths}
    meant = name if name in names else next(iter(get_close_matches(name, sorted(names), n=1, cutoff=0.8)), None)
    found = sorted((path for path in paths if path[-1] == meant), key=lambda path: (len(path), path))
    return [".".join(path) for path in found[:_MOST_PATHS]]


def _paths(model: type[Settings], above: Keys, data: Any) -> set[Keys]:
    """List the keys of settings and of all settings within them, each with the keys that lead to it.

    Where settings may be of several kinds and the data say which, the others' keys are left out.
    """
    found: set[Keys] = set()
    for name, field in model.model_fields.items():
        here = (*above, field.alias or yaml_key(name))
        found.add(here)
        if len(here) < _DEEPEST_PATH:
            inner = _inner(data, here[-1:])
            for one in _of_kind(models_in(field.annotation, field.metadata), _inner(inner, ("kind",))):
                found |= _paths(one, here, inner)
    return found


def _of_kind(models: list[type[Settings]], kind: Any) -> list[type[Settings]]:
    """Return the models of a kind, or all where none is of it."""
    named = [
        one for one in models if "kind" in one.model_fields and kind in get_args(one.model_fields["kind"].annotation)
    ]
    return named or models


def _tags(model: type[Settings], keys: Keys, name: str) -> list[str]:
    """List the tags that a field may have, such as "none" and "sigmoid" of the kind of ``network.saturation``."""
    return [
        str(tag)
        for one in _models_at(model, keys)
        if name in one.model_fields
        for tag in get_args(one.model_fields[name].annotation)
    ]


def _meaning(model: type[Settings], keys: Keys) -> str:
    """Give the description of a field."""
    fields = [field for one in _models_at(model, keys[:-1]) for field in one.model_fields.items()]
    return next((field.description or "" for name, field in fields if yaml_key(name) == yaml_key(keys[-1])), "")


def _models_at(model: type[Settings], keys: Keys) -> list[type[Settings]]:
    """List the settings models that may stand at a place."""
    found: list[type[Settings]] = [model]
    for key in keys:
        fields = [
            field
            for one in found
            for field_name, field in one.model_fields.items()
            if yaml_key(field_name) == yaml_key(key)
        ]
        # A key that is no field's stands in a mapping of names: what it holds is what was found above it.
        found = [one for field in fields for one in models_in(field.annotation, field.metadata)] or found
    return found


def models_in(annotation: Any, marks: Sequence[Any] = ()) -> list[type[Settings]]:
    """List the settings models in an annotation, however deep; those of a registry where a mark names one."""
    if get_origin(annotation) is Annotated:
        return models_in(*_split(annotation))
    for mark in marks:
        if isinstance(mark, ByKind):
            return [found for _, found in mark.registry.all()]
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [one for inner in get_args(annotation) for one in models_in(inner)]


def _split(annotation: Any) -> tuple[Any, Sequence[Any]]:
    plain, *marks = get_args(annotation)
    return plain, marks


def _whole_number(value: Any) -> str:
    """Say how a whole number such as 1e3, which YAML takes for a text, is written."""
    try:
        number = float(value)
        return f"write {int(number)}" if number.is_integer() and abs(number) < _MOST_DIGITS else ""
    except (TypeError, ValueError):
        return ""
