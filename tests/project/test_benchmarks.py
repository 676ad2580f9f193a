"""The benchmarks compare like with like: the same loss and gradients, and tables that are made of the figures."""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from _pytest.mark.structures import ParameterSet

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

from benchmarks import table  # noqa: E402
from benchmarks.contenders import CONTENDERS  # noqa: E402
from benchmarks.contenders.base import Prepared  # noqa: E402
from benchmarks.problem import FIRST_ORDER, MIDPOINT, SAMPLE_INTERVAL_S, Problem, Size  # noqa: E402
from spinhw.rollout import Steps  # noqa: E402

SAME = [name for name, each in CONTENDERS.items() if each.same_steps and name != "spinhw reference"]
OTHER = [name for name, each in CONTENDERS.items() if not each.same_steps]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(autouse=True)
def no_code_generation(mocker):
    """Trace as torch.compile does and leave the C++ compiler out: it takes minutes and is not under test."""
    mocker.patch.object(torch, "compile", partial(torch.compile, backend="aot_eager"))


def prepared(name: str, problem: Problem) -> Prepared:
    if reason := CONTENDERS[name].lacks():
        pytest.skip(reason)
    return CONTENDERS[name].prepare(problem)


def tiny(members: int, steps: Steps) -> Problem:
    return Problem(Size(members, layers=(8, 7, 6), density=0.8, batch=6, samples=6, readout=1), steps)


def trained(name: str, problem: Problem) -> tuple[float, np.ndarray]:
    contender = prepared(name, problem)
    loss = contender.train()
    return loss, np.concatenate([each.ravel() for each in contender.gradients()])


def cells() -> Iterator[ParameterSet]:
    """List contenders with both discretisations and both sizes; those that compile, for seconds, each of these once."""
    for name in SAME:
        for steps, members in product((FIRST_ORDER, MIDPOINT), (1, 2)):
            if not CONTENDERS[name].compiler or (steps == FIRST_ORDER) == (members == 1):
                order = "first order" if steps == FIRST_ORDER else "midpoint"
                yield pytest.param(name, steps, members, id=f"{name}-{order}-{members}")


# Dynamo looks at every tensor of a frame, and torch warns of that.
@pytest.mark.filterwarnings("ignore:The .grad attribute")
@pytest.mark.parametrize(("name", "steps", "members"), [*cells()])
def test_same_discretisation_gives_the_same_loss_and_gradient(name, steps, members):
    problem = tiny(members, steps)
    loss, gradient = trained(name, problem)
    assert prepared(name, problem).infer() == pytest.approx(loss, rel=1e-4)
    wanted_loss, wanted = trained("spinhw reference", problem)
    assert loss == pytest.approx(wanted_loss, rel=1e-3)  # y is a small difference of powers, in float32
    assert np.linalg.norm(gradient - wanted) < 1e-3 * np.linalg.norm(wanted)


@pytest.mark.parametrize("name", OTHER)
def test_ode_libraries_solve_the_same_equation(name):
    def off_by(substeps: int) -> float:
        problem = tiny(2, Steps(SAMPLE_INTERVAL_S, substeps, 2))
        (_, gradient), (_, wanted) = trained(name, problem), trained("spinhw reference", problem)
        return float(np.linalg.norm(gradient - wanted) / np.linalg.norm(wanted))

    coarse, fine = off_by(2), off_by(8)
    assert fine < coarse / 8  # Second order: a sixteenth.
    assert fine < 5e-3


@pytest.mark.parametrize("name", OTHER)
def test_ode_libraries_take_euler_steps_where_others_take_first_order_ones(name):
    def loss(substeps: int, of: str) -> float:
        return trained(of, tiny(1, Steps(SAMPLE_INTERVAL_S, substeps, 1)))[0]

    coarse, fine = (abs(loss(n, name) / loss(n, "spinhw reference") - 1) for n in (2, 8))
    assert fine < coarse / 2.5  # First order: a quarter.


def test_absent_package_is_named_with_the_line_that_installs_it(mocker):
    mocker.patch("importlib.util.find_spec", lambda name: None)
    assert re.fullmatch(r"torchdiffeq not installed: pip install -c .*", CONTENDERS["torchdiffeq"].lacks())
    assert not CONTENDERS["eager PyTorch"].lacks()


def test_readme_tables_are_those_of_the_results(tmp_path):
    results = json.loads((ROOT / "benchmarks/results.json").read_text(encoding="utf-8"))
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    begin, end = text.index(table.BEGIN), text.index(table.END)
    copy = tmp_path / "README.md"
    copy.write_text(f"{text[: begin + len(table.BEGIN)]}old{text[end:]}", encoding="utf-8")
    table.rewrite(copy, results)
    assert copy.read_text(encoding="utf-8") == text


def test_table_shows_ratios_and_what_is_absent():
    machine = {
        "processor": "Abacus", "cores": 1, "system": "Wood", "python": "3.11.0", "versions": {"jax": None},
        "load": 0.0, "date": "2026-01-01",
    }  # fmt: skip
    rows = []
    for members, grid in table.CELLS:
        cell = {"members": members, "grid": grid, "first_train_s": 1.0, "loss_off_by": 0.0}
        slow, fast = ({"processor_s": s, "wall_s": s} for s in (0.03, 0.01))
        rows += [
            cell | {"contender": "spinhw cpu", "train": fast, "infer": fast},
            cell | {"contender": "eager PyTorch", "train": slow, "infer": fast},
            {"members": members, "grid": grid, "contender": "JAX scan", "lacks": "jax not installed: pip"},
        ]
    text = table.tables({"compare_1": {"machine": machine, "repeats": 1, "rows": rows}})
    assert "| eager PyTorch | 30.0 ms, x 3.0 |" in text
    assert "| eager PyTorch | 10.0 ms, + 2.0 |" in text
    assert "| JAX scan | jax not installed: pip |" in text


def test_constraints_pin_what_the_benchmarks_compare_with():
    pins = re.findall(r"^([\w-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert not [each for each in PROJECT["optional-dependencies"]["bench"] if re.split("[<>=]", each)[0] not in pins]
