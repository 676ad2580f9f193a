"""Tests see spinhw from outside: none reads, imports or replaces what begins with an underscore."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import spinhw

TESTS = Path(__file__).parents[1]
SOURCES = Path(spinhw.__file__).parent
TRAINS = ("calibration", "flipflop", "gradients", "network", "surrogate", "training")
# What Python itself names so, and is public all the same: the methods of named tuples, and the end of a process.
PUBLIC = {"_asdict", "_exit", "_fields", "_replace"}
OWN = {"self", "cls"}  # What a class of the tests keeps for itself, or fills in of a class that it extends.
REPLACING = {"setattr", "delattr", "getattr", "patch", "object", "spy", "stub", "multiple"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def is_own(value: ast.expr) -> bool:
    """Tell whether something is `self` or `cls`, or what these inherit."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id == "super"
    return isinstance(value, ast.Name) and value.id in OWN


def read(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node.value):
            yield node.lineno, ast.unparse(node)


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "spinhw":
            names = [*(node.module or "").split("."), *(one.name for one in node.names)]
        elif isinstance(node, ast.Import):
            names = [part for one in node.names if one.name.split(".")[0] == "spinhw" for part in one.name.split(".")]
        else:
            continue
        yield from ((node.lineno, name) for name in names if is_private(name))


def replaced(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Find names in texts: "spinhw.room.module._name" anywhere, "_name" where something is replaced by its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("spinhw."):
            if any(is_private(part) for part in node.value.split(".")):
                yield node.lineno, node.value
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in REPLACING:
            given = [*node.args, *(ast.Constant(one.arg) for one in node.keywords if one.arg)]
            names = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            yield from ((node.lineno, name) for name in names if is_private(name))


def constants(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Find the constants of spinhw that are replaced, each with its module in front."""
    homes: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            homes |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
        elif isinstance(node, ast.Import):
            homes |= {one.asname or one.name: one.name for one in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in REPLACING:
            texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            owner = homes.get(ast.unparse(node.args[0]), "") if node.args else ""
            names = [text if "." in text else f"{owner}.{text}" for text in texts]
            for name in names:
                if name.startswith("spinhw.") and name.rpartition(".")[2].isupper():
                    yield node.lineno, name


FINDERS = {"reads": read, "imports": imported, "replaces": replaced}


@pytest.mark.parametrize("kind", FINDERS)
def test_no_test_reaches_into_what_is_private(kind):
    found = []
    for path in sorted(TESTS.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(TESTS)}:{line} {kind} {what}" for line, what in FINDERS[kind](tree)]
    assert not found, "\n".join(found)


def test_a_constant_is_replaced_by_the_tests_of_its_own_room_alone():
    found = []
    for path in sorted(TESTS.rglob("*.py")):
        room = f"spinhw.{path.relative_to(TESTS).parts[0]}."
        for line, name in constants(ast.parse(path.read_text(encoding="utf-8"))):
            found.append((f"{path.relative_to(TESTS)}:{line} replaces {name}", name.startswith(room)))
    assert found and [text for text, is_own in found if not is_own] == []


def test_everything_is_replaced_by_mocker_but_what_belongs_to_the_user_and_the_command():
    kept = ("Path.home", "sys.argv", "sys, 'argv'")
    found = []
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).lower().endswith("patch.setattr"):
                if not any(one in ast.unparse(node) for one in kept):
                    found.append(f"{path.relative_to(TESTS)}:{node.lineno} {ast.unparse(node)}")
    assert not found, "\n".join(found)


def test_what_trains_asks_no_device_for_its_truth():
    """Tests may; what trains must know no more than a bench would tell."""
    for path in (path for room in TRAINS for path in (SOURCES / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "truth":
                assert not ast.unparse(node.value).endswith(("device", "bank", "chip")), f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("reads", "device._link.close()"),
        ("reads", "device.link._wire = None"),
        ("reads", "[one._count for one in ports]"),
        ("imports", "from spinhw.units import _factors"),
        ("imports", "import spinhw.units._factors"),
        ("replaces", "mocker.patch('spinhw.units._factors')"),
        ("replaces", "mocker.patch.object(units, '_factors', None)"),
        ("replaces", "mocker.patch.multiple(units, _factors=None)"),
        ("replaces", "monkeypatch.setattr(units, '_factors', None)"),
        ("replaces", "setattr(units, '_factors', None)"),
        ("replaces", "TARGET = 'spinhw.units._factors'"),
    ],
)
def test_what_is_private_is_found_wherever_it_stands(kind, code):
    assert len(list(FINDERS[kind](ast.parse(code)))) == 1


@pytest.mark.parametrize(
    "code",
    [
        "mocker.patch('spinhw.chip.fine.CHUNK', 1)",
        "from spinhw.chip import fine\nmocker.patch.object(fine, 'CHUNK', 1)",
        "import spinhw.chip.fine as one\nmonkeypatch.setattr(one, 'CHUNK', 1)",
    ],
)
def test_a_constant_that_is_replaced_is_found_with_its_home(code):
    assert [name for _, name in constants(ast.parse(code))] == ["spinhw.chip.fine.CHUNK"]


@pytest.mark.parametrize(
    "code",
    [
        "self._kept = super()._open()",
        "os._exit(1)",
        "plan._replace(neurons=3)",
        "from spinhw import __version__",
        "mocker.patch('spinhw.__version__', '99')",
        "mocker.patch.object(memory, 'machine_bytes', return_value=600)",
    ],
)
def test_what_is_public_or_ones_own_is_left_alone(code):
    assert [one for find in FINDERS.values() for one in find(ast.parse(code))] == []
