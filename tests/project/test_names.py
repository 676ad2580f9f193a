"""One name, one meaning: no exported name hides a module, and no two public classes share one."""

import ast
import importlib
import pkgutil
import sys
from collections import defaultdict
from pathlib import Path

import spinhw

SOURCES = Path(spinhw.__file__).parent
# A virtual instrument and its driver, and what is wired on either side of a bench, are meant to mirror each other.
MIRRORS = {SOURCES / "virtual", SOURCES / "instruments"}


def modules() -> list[str]:
    found = [one.name for one in pkgutil.walk_packages(spinhw.__path__, "spinhw.")]
    for name in found:
        importlib.import_module(name)
    return ["spinhw", *found]


def test_no_exported_name_is_that_of_a_module_beside_it():
    """Else the first access gives the one, and after an import of the module every further one the other."""
    names = modules()
    rooms = [name for name in names if hasattr(sys.modules[name], "__path__")]
    assert len(rooms) > 20
    for room in rooms:
        beside = {name.rpartition(".")[2] for name in names if name.rpartition(".")[0] == room}
        exported = getattr(sys.modules[room], "__all__", [])
        assert not beside & set(exported), room
        for name in exported:
            assert getattr(sys.modules[room], name, None) is not None, f"{room}.{name}"


def test_no_public_class_has_the_name_of_another():
    homes: dict[str, set[Path]] = defaultdict(set)
    for path in SOURCES.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].add(path)
    twice = {name: paths for name, paths in homes.items() if len(paths) > 1}
    mirrors = {
        name
        for name, paths in twice.items()
        if len(paths) == 2 and all(any(path.is_relative_to(one) for path in paths) for one in MIRRORS)
    }
    assert set(twice) == mirrors
