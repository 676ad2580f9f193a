"""A recipe as people write it: a key on each line, with a comment where there is something to say."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml


def with_comments(data: Mapping[str, Any], comments: Mapping[str, str], head: str) -> str:
    """Write plain data as YAML.

    Args:
        data: Sections, most of them mappings.
        comments: By key, such as "network.tau".
        head: Lines that stand above, as comments.
    """
    blocks = ["\n".join(f"# {line}".rstrip() for line in head.splitlines())]
    blocks += ["\n".join(_section(section, keys, comments)) for section, keys in data.items()]
    return "\n".join([blocks[0], "\n\n".join(blocks[1:])]) + "\n"


def _section(section: str, keys: Any, comments: Mapping[str, str]) -> Iterator[str]:
    if not isinstance(keys, Mapping):
        yield f"{section}: {_value(keys)}"
        return
    yield f"{section}:"
    for key, value in keys.items():
        comment = comments.get(f"{section}.{key}")
        yield f"  {key}: {_value(value)}" + (f" # {comment}" if comment else "")


def _value(value: Any) -> str:
    """Write a value on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")
