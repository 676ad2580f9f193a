"""Command headers: `[SOURce#:]FREQuency[:CW]` as manuals write them, and the tree that finds them.

Capitals are the short form, brackets hold what may be left out, `|` stands between spellings of a node, `#` stands for
a numeric suffix (1 where it is not written).
"""

import re
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from spinhw.virtual.scpi.errors import ScpiError

Target = TypeVar("Target")

_DIGITS = "0123456789"


@dataclass(frozen=True)
class _Mnemonic:
    """One node of a header: its spellings in capitals, and the number of its suffix among those of the header."""

    spellings: frozenset[str]
    suffix: int | None


def _spellings(text: str) -> frozenset[str]:
    names = text.replace("#", "").split("|")
    short = {"".join(letter for letter in name if not letter.islower()) for name in names}
    return frozenset(short | {name.upper() for name in names})


def expand(header: str) -> list[list[_Mnemonic]]:
    """List all ways to write a header, each as its nodes."""
    numbered = iter(range(header.count("#")))
    parts = re.split(r"([\[\]:])", header)
    tokens: list[str | _Mnemonic] = []
    for part in parts:
        if part in {"[", "]"}:
            tokens.append(part)
        elif part.strip() and part != ":":
            tokens.append(_Mnemonic(_spellings(part), next(numbered) if "#" in part else None))
    return _expand(tokens)


def _expand(tokens: list[str | _Mnemonic]) -> list[list[_Mnemonic]]:
    ways: list[list[_Mnemonic]] = [[]]
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if isinstance(token, _Mnemonic):
            ways = [[*way, token] for way in ways]
        elif token == "[":
            end = _closing(tokens, position)
            inside = _expand(tokens[position + 1 : end])
            ways = [[*way, *more] for way in ways for more in ([], *inside)]
            position = end
        position += 1
    return ways


def _closing(tokens: list[str | _Mnemonic], start: int) -> int:
    depth = 0
    for index in range(start, len(tokens)):
        depth += {"[": 1, "]": -1}.get(str(tokens[index]), 0)
        if depth == 0:
            return index
    raise ValueError("a bracket of a header is not closed")


@dataclass
class _Node(Generic[Target]):
    children: dict[str, "_Node[Target]"] = field(default_factory=dict)
    target: Target | None = None
    depths: tuple[int | None, ...] = ()  # Of each suffix: at which node it is written; None: left out.


class Headers(Generic[Target]):
    """Finds what belongs to a header, in any spelling."""

    def __init__(self) -> None:
        self._root: _Node[Target] = _Node()

    def add(self, header: str, target: Target) -> None:
        """Add a header; where two share a spelling the first one keeps it."""
        count = header.count("#")
        for way in expand(header):
            depths: list[int | None] = [None] * count
            for depth, mnemonic in enumerate(way):
                if mnemonic.suffix is not None:
                    depths[mnemonic.suffix] = depth
            self._insert(self._root, way, target, tuple(depths))

    def _insert(
        self, node: _Node[Target], way: list[_Mnemonic], target: Target, depths: tuple[int | None, ...]
    ) -> None:
        if not way:
            if node.target is None:
                node.target, node.depths = target, depths
            return
        # Spellings of one node need not share a child: they lead to equal subtrees.
        for spelling in way[0].spellings:
            self._insert(node.children.setdefault(spelling, _Node()), way[1:], target, depths)

    def find(self, header: str) -> tuple[Target, tuple[int, ...]]:
        """Give what belongs to a header such as "SOUR2:FREQ", and its suffixes.

        Raises:
            ScpiError: There is no such header (-113), or it has a suffix where none belongs (-114).
        """
        node, written = self._root, {}
        for depth, mnemonic in enumerate(header.upper().split(":")):
            child = node.children.get(mnemonic)
            if child is None:
                name, digits = _split_suffix(mnemonic)
                child = node.children.get(name) if digits else None
                if child is None:
                    raise ScpiError(-113)
                written[depth] = int(digits)
            node = child
        if node.target is None:
            raise ScpiError(-113)
        if set(written) - set(node.depths):
            raise ScpiError(-114)
        return node.target, tuple(1 if depth is None else written.get(depth, 1) for depth in node.depths)


def _split_suffix(mnemonic: str) -> tuple[str, str]:
    name = mnemonic.rstrip(_DIGITS)
    return name, mnemonic[len(name) :]
