"""Packages of other people, installed as pip leaves them: the facts and the entry points beside the modules."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

FOREIGN = Path(__file__).parent / "foreign"


def install(folder: Path, name: str, points: Mapping[str, Mapping[str, str]]) -> None:
    """Write what makes a package known whose modules lie in a folder on the path.

    Args:
        folder: Where packages lie.
        name: Of the package.
        points: "module:name" by entry point, by group.
    """
    facts = folder / f"{name}-0.1.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n", encoding="utf-8")
    groups = [f"[{group}]\n" + "".join(f"{key} = {at}\n" for key, at in each.items()) for group, each in points.items()]
    (facts / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")


def install_foreign(folder: Path) -> list[str]:
    """Install the package in `fakes/foreign`; return the folders that have to stand on the path."""
    facts = tomllib.loads((FOREIGN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    install(folder, facts["name"], facts["entry-points"])
    return [str(folder), str(FOREIGN)]


def install_data_sets(folder: Path, package: str, sets: Mapping[str, tuple[str, str]]) -> None:
    """Write a package that keeps data sets as aeon does, and that cannot be imported.

    Args:
        folder: Where packages lie.
        package: Its name.
        sets: Texts of the training and of the test file, by name of the data set.
    """
    data = folder / package / "datasets" / "data"
    data.mkdir(parents=True)
    (folder / package / "__init__.py").write_text("raise ImportError('this asks for too much')\n", encoding="utf-8")
    for name, parts in sets.items():
        (data / name).mkdir()
        for part, text in zip(("TRAIN", "TEST"), parts, strict=True):
            (data / name / f"{name}_{part}.ts").write_text(text, encoding="utf-8")


def install_zoo(folder: Path) -> str:
    """Write an aeon with small data sets under the names that the zoo's recipes ask for; return where it lies."""
    head = "@problemName p\n@timeStamps false\n@univariate true\n@equalLength true\n@seriesLength 24\n"

    def text(first: int) -> str:
        lines = (
            ",".join(str(n + step / 50) for step in range(24)) + f":{'ab'[n % 2]}" for n in range(first, first + 16)
        )
        return f"{head}@classLabel true a b\n@data\n" + "\n".join(lines) + "\n"

    names = ("BasicMotions", "GunPoint", "ItalyPowerDemand", "JapaneseVowels")
    install_data_sets(folder, "aeon", {name: (text(0), text(16)) for name in names})
    return str(folder)
