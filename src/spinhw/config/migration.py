"""Settings of older versions rewritten: every key that has moved, as the settings models themselves say."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, get_args

import yaml

from spinhw.config.mistakes import models_in
from spinhw.config.settings import Moved, Settings, yaml_key
from spinhw.config.text import read_value

Keys = tuple[str, ...]


@dataclass(frozen=True)
class Move:
    """A key that was rewritten, from the top of the file."""

    old: Keys
    new: Keys  # Empty where the key is gone.

    def __str__(self) -> str:
        return f"{'.'.join(self.old)} -> {'.'.join(self.new) or 'nothing any more'}"


def migrate(data: MutableMapping[str, Any], model: type[Settings]) -> list[Move]:
    """Rewrite the keys of older versions in place; those that are unknown for other reasons stay as they are.

    Args:
        data: What a file holds, of ruamel.yaml where its comments are to stay.
        model: The settings that it is meant to be.
    """
    found: list[Move] = []
    _visit(data, data, model, (), found)
    return found


def migrate_override(text: str, model: type[Settings]) -> str:
    """Return an override such as ``training.loop_epochs=5`` as it is written now; any other text as it is."""
    path, equals, value = text.partition("=")
    keys = tuple(path.strip().split("."))
    if not equals or not all(keys):
        return text
    try:
        data: Any = read_value(value)
    except yaml.YAMLError:
        return text  # Who applies it says what is wrong.
    before = data
    for key in reversed(keys):
        data = {key: data}
    moves = migrate(data, model)
    if not moves or not moves[0].new:
        return text
    keys = (*moves[0].new, *keys[len(moves[0].old) :])
    for key in keys:
        data = data[key]
    plain = value if data == before else yaml.safe_dump(data, default_flow_style=True).removesuffix("\n...\n").strip()
    return f"{'.'.join(keys)}={plain}"


def _visit(top: MutableMapping[str, Any], here: Any, model: type[Settings], keys: Keys, found: list[Move]) -> None:
    for key in [one for one in here if model.is_moved(str(one), here[one])]:
        moved = model.moved[key]
        found.append(Move((*keys, key), moved.place(keys) if isinstance(moved, Moved) else ()))
        if isinstance(moved, Moved):
            _move(top, here, key, moved, found[-1].new)
        else:
            del here[key]
    for name, field in model.model_fields.items():
        inner = here.get(yaml_key(name))
        if isinstance(inner, Mapping):
            for other in models_in(field.annotation, field.metadata):
                if _fits(other, inner):
                    _visit(top, inner, other, (*keys, yaml_key(name)), found)


def _move(top: MutableMapping[str, Any], here: Any, key: str, moved: Moved, to: Keys) -> None:
    comment = here.ca.items.pop(key, None) if hasattr(here, "ca") else None
    place = list(here).index(key)
    value = here.pop(key)
    into: Any = top
    for step in to[:-1]:
        if not isinstance(into.get(step), Mapping):
            if into is here and hasattr(into, "insert"):
                into.insert(place, step, type(top)())
            else:
                into[step] = type(top)()
        into = into[step]
    if to[-1] in into:
        return  # It was written anew already, and that counts.
    into[to[-1]] = value if moved.convert is None else moved.convert(value)
    if comment is not None and hasattr(into, "ca"):
        for token in filter(None, comment):
            token.column = 0  # One space before it, wherever the value now ends.
        into.ca.items[to[-1]] = comment


def _fits(model: type[Settings], data: Mapping[Any, Any]) -> bool:
    """Tell whether a mapping may be these settings, as far as its ``kind`` tells."""
    kind = model.model_fields.get("kind")
    return kind is None or data.get("kind", kind.default) in get_args(kind.annotation)
