"""Where a named file lies: beside the file that names it, or among the device profiles and recipes that ship."""

from importlib.resources import files
from pathlib import Path

from spinhw.config.sorts import a_folder
from spinhw.errors import ConfigError, did_you_mean


def shipped(folder: str) -> Path:
    """Find a folder of shipped data (``devices``, ``examples``, ``calibration``), installed or in a checkout."""
    installed = Path(str(files("spinhw"))) / "shipped" / folder
    return installed if installed.is_dir() else Path(__file__).resolve().parents[3] / folder


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
        if path.is_dir():
            raise a_folder(path, "a device profile: a YAML file")
        raise ConfigError(
            f"{name}: there is no such device file",
            todo="check the path, or use a shipped profile: " + ", ".join(profile_names()),
        )
    candidate = shipped("devices") / f"{name}.yaml"
    if candidate.is_file() and path.name == name:
        return candidate
    if path.is_dir():
        raise a_folder(path, "a device profile: a YAML file, or the name of a shipped one")
    raise ConfigError(
        f"device profile {name!r} was not found",
        allowed=", ".join(profile_names()),
        todo=did_you_mean(name, profile_names()),
    )


def yaml_beside(name: str, folder: Path) -> Path | None:
    """Find a YAML file that another file names, in the folder of that one; None where there is none."""
    near = folder / name
    return near if near.suffix in {".yaml", ".yml"} and near.is_file() else None


def recipe_names() -> list[str]:
    """List the shipped recipes: files of ``examples``, and of folders there that hold recipes, with their folder."""
    folder = shipped("examples")
    found = [path for inside in ("", "paper/", "reservoir/", "zoo/") for path in folder.glob(f"{inside}*.yaml")]
    return sorted(path.relative_to(folder).as_posix() for path in found)


def find_example(path: Path) -> Path:
    """Find a file of the examples: the path as it is, or from anywhere by its name with the folder ``examples``."""
    inside = path.parts[1:] if path.parts[:1] == ("examples",) else None
    if path.exists() or inside is None or not shipped("examples").joinpath(*inside).is_file():
        return path
    return shipped("examples").joinpath(*inside)


def find_recipe(path: Path) -> Path:
    """Find the config of a run: the path as it is, or among the shipped ones, from anywhere.

    A shipped one is named with its folder or without it, with its ending or without it: ``digits``.

    Raises:
        ConfigError: There is no such file; the message lists the shipped ones.
    """
    ending = path if path.suffix in {".yaml", ".yml"} else path.with_name(f"{path.name}.yaml") if path.name else path
    name = Path(*ending.parts[1:] if ending.parts[:1] == ("examples",) else ending.parts).as_posix()
    known = name in recipe_names()
    if path.is_file() or (path.exists() and not known):
        return path
    if known:
        return shipped("examples") / name
    shipped_ones = [f"examples/{one}" for one in recipe_names()]
    # Close to one that ships in the form in which it was written: digits, digits.yaml, examples/digits.yaml.
    names = [*shipped_ones, *recipe_names(), *(one.removesuffix(".yaml") for one in recipe_names())]
    near = did_you_mean(str(path), names)
    raise ConfigError(
        f"{path}: there is no such file",
        allowed="a path, or a shipped recipe: " + ", ".join(shipped_ones),
        todo=near or "check the path",
    )
