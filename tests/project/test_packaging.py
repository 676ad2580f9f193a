"""What is shipped: the wheel, the pins, and the commands that the README promises."""

import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest

import spinhw

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
BUILD = """
import os, sys, tarfile
from hatchling import build
sdist = os.path.join(sys.argv[1], build.build_sdist(sys.argv[1]))
with tarfile.open(sdist) as packed:
    packed.extractall(sys.argv[1], filter="data")
os.chdir(sdist.removesuffix(".tar.gz"))
build.build_wheel(sys.argv[1])
"""


def run(command: Sequence[str | Path], **options) -> str:
    # A terminal wide enough that no option of a help page is cut; nothing of this checkout on the path.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, **options)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel through the sdist, as a release is, with this environment's hatchling and no network.

    What `python -m build` does with a process for each of its questions, in one.
    """
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-c", BUILD, folder], cwd=ROOT)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory) -> Path:
    """Install the wheel into a second environment, which borrows the dependencies of this one and nothing else."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder, with_pip=False)
    python = folder / SCRIPTS / "python"
    # As `pip --python` does it, without a pip that starts this one.
    [pip] = importlib.util.find_spec("pip").submodule_search_locations
    run([python, pip, "install", "--no-deps", "--no-index", "--no-compile", wheel])
    # Last, or pip would take the spinhw of this environment for installed. Python does not follow the .pth files of a
    # folder that is itself named in one, so the editable install of this checkout stays out of reach.
    purelib = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(purelib, "borrowed.pth").write_text("\n".join(sorted(borrowed)), encoding="utf-8")
    return folder


def ask(elsewhere: Path, question: str) -> Path:
    python = elsewhere / SCRIPTS / "python"
    return Path(run([python, "-P", "-c", question], cwd=elsewhere).strip()).resolve()


def test_wheel_is_used_outside_the_checkout(elsewhere):
    assert ask(elsewhere, "import spinhw; print(spinhw.__file__)").is_relative_to(elsewhere.resolve())


def test_wheel_finds_shipped_profiles_by_name(elsewhere):
    path = ask(elsewhere, "from spinhw.config import find_profile; print(find_profile('ideal'))")
    assert path.is_file()
    assert path.is_relative_to(elsewhere.resolve())


def test_wheel_carries_everything_shipped(elsewhere):
    package = ask(elsewhere, "import spinhw; print(spinhw.__file__)").parent
    shipped = [
        *ROOT.glob("devices/**/*.yaml"),
        *ROOT.glob("examples/**/*.yaml"),
        *ROOT.glob("examples/*.csv"),
        *ROOT.glob("calibration/plans/*.yaml"),
    ]
    assert shipped
    assert not [path for path in shipped if not (package / "shipped" / path.relative_to(ROOT)).is_file()]


def test_wheel_command_runs(elsewhere):
    assert '"properties"' in run([elsewhere / SCRIPTS / "spinhw", "schema"], cwd=elsewhere)


def test_version_has_one_value():
    assert PROJECT["version"] == spinhw.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{spinhw.__version__}]" in changelog


def test_constraints_pin_every_direct_dependency():
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    assert not [name for name in wanted if re.split(r"[<>=!~ \[]", name)[0] not in pins]
    assert pins["torch"] == "2.13.0"
    assert f"torch=={pins['torch']} " in README


def test_readme_make_targets_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    promised = set(re.findall(r"(?:^|`)make (\w+)", README, re.MULTILINE))
    assert {"demo", "test", "bench"} <= promised <= targets


def test_readme_files_exist():
    named = set(re.findall(r"(?:examples|devices)/\w+\.\w+", README))
    assert named
    assert not [name for name in named if not (ROOT / name).is_file()]
