"""YAML text into plain data: safe, strict about keys that stand twice, every error with its place."""

import re
from collections.abc import Hashable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from spinhw.config.sorts import a_folder
from spinhw.errors import ConfigError, together

_MERGE = "tag:yaml.org,2002:merge"
# libyaml ends the process where a text is nested so deeply that the stack overflows.
_DEEP = 1000
# No settings are nested nearly as deeply, and what looks at them does so level by level.
_MOST_LEVELS = 100
_INDENTED = re.compile(r"^[ ?:-]*", re.MULTILINE)
# What yaml says of a character that begins nothing.
_NO_START = re.compile(r"found character '(.+)' that cannot start any token")
_BRACKET = re.compile(r"[\[\]{}]")
# What Python says of a bad date, number or key, and yaml lets through as it is.
_MISREAD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
# What YAML 1.1 reads otherwise than people do: 0x20, 0b101, 1:30 (to the base of 60), 1_000, and 032 (to that of 8).
_OTHER_BASE = re.compile(r"[-+]?(?:0[xb].*|.*[:_].*|0[0-7]+)")
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

Keys = tuple[str, ...]


class OtherBaseError(yaml.constructor.ConstructorError):
    """Numbers that are not plainly decimal.

    Args:
        node: The first of them.
    """

    def __init__(self, node: yaml.ScalarNode) -> None:
        super().__init__(None, None, "this number is not plainly decimal", node.start_mark)
        self.found: list[tuple[Keys, str, int | float]] = []  # Keys, as written, as YAML reads it.

    def described(self, before: str) -> ConfigError:
        """Say of each number where it stands and how it is written.

        Args:
            before: What stands before the keys, such as ``run.yaml:`` with a blank or ``--set network.``.
        """
        return together(
            [_not_decimal(f"{before}{'.'.join(keys)}".rstrip(": ."), text, value) for keys, text, value in self.found]
        )


def _not_decimal(place: str, text: str, value: float) -> ConfigError:
    as_decimal = {int(text)} if text.lstrip("+-").isdecimal() else set[int]()  # What 032 is to people.
    meant = " or ".join(map(str, sorted(as_decimal | {value}, reverse=True)))
    return ConfigError(
        f"{place}: this number is not plainly decimal",
        seen=f"{text}, which YAML takes for {value}",
        allowed="decimal numbers without zeros in front, 0x, 0b, colons and underscores",
        todo=f"write {meant}, or '{text}' in quotes for a text",
    )


class _StrictLoader(yaml.SafeLoader):
    """Safe loader in Python: refuses a key written twice instead of dropping the first; every error names its place."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Make an object; whatever is wrong with it is said with its place."""
        try:
            return super().construct_object(node, deep)
        except _MISREAD as error:
            raise yaml.constructor.ConstructorError(
                None, None, f"this value cannot be read ({error})", node.start_mark
            ) from error


def _construct_decimal(loader: Any, node: yaml.ScalarNode) -> Any:
    number = _as_yaml_reads(loader, node)
    if _OTHER_BASE.fullmatch(node.value):
        raise OtherBaseError(node)
    return number


def _as_yaml_reads(loader: Any, node: yaml.ScalarNode) -> Any:
    whole = node.tag == _NUMBERS[0]
    return loader.construct_yaml_int(node) if whole else loader.construct_yaml_float(node)


def _construct_mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
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
for _tag in _NUMBERS:
    _StrictLoader.add_constructor(_tag, _construct_decimal)


if yaml.__with_libyaml__:

    class _FastLoader(yaml.CSafeLoader):
        """Safe loader with libyaml, many times as fast; not every build of PyYAML has it.

        It refuses what the other one refuses, without a place, and merged mappings (``<<``) besides: the other one
        then reads the text again.
        """

    def _construct_plain_mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
        read = {
            loader.construct_object(key, deep=True): loader.construct_object(value, deep=True)
            for key, value in node.value
        }
        if len(read) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key stands twice", node.start_mark)
        return read

    _FastLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_plain_mapping)
    for _tag in _NUMBERS:
        _FastLoader.add_constructor(_tag, _construct_decimal)


def _deepest(text: str) -> int:
    """Bound how deeply a text can be nested: by one for each bracket, and by two for each column of an indentation."""
    return text.count("[") + text.count("{") + 2 * max(map(len, _INDENTED.findall(text)), default=0)


def _hopeless(text: str) -> bool:
    """Tell whether brackets or dashes stand so deep in each other that reading them would only take long."""
    depth = deepest = 0
    for place in _BRACKET.finditer(text):
        depth = max(depth + (1 if place[0] in "[{" else -1), 0)
        deepest = max(deepest, depth)
    return max(deepest, *(len(one.replace(" ", "")) for one in _INDENTED.findall(text))) >= _DEEP


def _other_bases(loader: Any) -> Iterator[tuple[Keys, str, int | float]]:
    """Find all numbers that are not plainly decimal: their keys, how they are written, how YAML reads them."""
    seen, left = set[int](), [(Keys(), loader.get_single_node())]
    while left:
        keys, here = left.pop()
        if id(here) in seen:
            continue  # An alias; it may stand within itself.
        seen.add(id(here))
        inner = list[tuple[Keys, yaml.Node]]()
        if isinstance(here, yaml.MappingNode):
            inner = [part for key, value in here.value for part in ((keys, key), ((*keys, str(key.value)), value))]
        elif isinstance(here, yaml.SequenceNode):
            inner = [((*keys, str(place)), value) for place, value in enumerate(here.value)]
        elif here.tag in _NUMBERS and _OTHER_BASE.fullmatch(here.value):
            with suppress(*_MISREAD):  # It is no number at all, such as !!int 0xq.
                yield keys, here.value, _as_yaml_reads(loader, here)
        left += reversed(inner)


def read_value(text: str) -> Any:
    """Parse YAML of any kind; whatever is wrong is a `yaml.YAMLError`, an `OtherBaseError` for numbers that mislead."""
    try:
        return _read_value(text)
    except OtherBaseError as error:
        error.found = list(_other_bases(_StrictLoader(text)))
        raise


def _read_value(text: str) -> Any:
    try:
        value = _loaded(text)
    except RecursionError as error:
        raise _too_deep() from error
    layer, levels = [value], 0
    while layer:
        # What an anchor stands for is looked at once in a layer.
        inner = {id(one): one for held in layer for one in _held_by(held)}
        layer, levels = list(inner.values()), levels + 1
        if levels > _MOST_LEVELS:
            raise _too_deep()
    return value


def _loaded(text: str) -> Any:
    if _deepest(text) >= _DEEP and _hopeless(text):
        raise _too_deep()
    if yaml.__with_libyaml__ and _deepest(text) < _DEEP:
        with suppress(yaml.YAMLError, *_MISREAD):
            return yaml.load(text, Loader=_FastLoader)  # noqa: S506 - a subclass of CSafeLoader
    return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a subclass of SafeLoader


def _held_by(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _too_deep() -> yaml.YAMLError:
    return yaml.YAMLError("it is nested too deeply")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping with the safe loader.

    Raises:
        ConfigError: For a missing or unreadable file, broken YAML (with line and column), or anything but a mapping.
    """
    return parse_yaml(read_text(path), str(path))


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        ConfigError: It is missing or cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file", todo="check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        if path.is_dir():
            raise a_folder(path, "a YAML file") from error
        seen = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"{path}: this file cannot be read", seen=seen, allowed="a YAML text file in UTF-8"
        ) from error


def parse_yaml(text: str, source: str) -> dict[str, Any]:
    """Parse one YAML mapping; `source` names it in messages."""
    try:
        data = read_value(text)
    except OtherBaseError as error:
        raise error.described(f"{source}: ") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{source}: broken YAML at {place}", seen=problem, todo=_mending(problem)) from error
    if data is None:
        raise ConfigError(f"{source}: the file is empty", allowed="lines of the form 'key: value'")
    if not isinstance(data, dict):
        raise ConfigError(
            f"{source}: not a YAML mapping", seen=type(data).__name__, allowed="lines of the form 'key: value'"
        )
    return data


def _mending(problem: str) -> str:
    """Say how a line of broken YAML is mended, by what is said of it."""
    bad = _NO_START.search(problem)
    if bad is None:
        return "mend that line"
    if bad[1] == "\\t":
        return "write blanks in place of the tab"
    return f'put the value in quotes, such as "{bad[1]}..."'


def as_written(value: Any) -> str:
    """Show a value in a message as YAML writes it, cut to 80 characters."""
    text = {"True": "true", "False": "false", "None": "null"}.get(repr(value), repr(value))
    return text if len(text) <= 80 else text[:77] + "..."
