"""Who is compared, and what each needs."""

import importlib
import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.contenders.base import Prepared
    from benchmarks.problem import Problem

INSTALL = "pip install -c constraints.txt -e '.[bench]'"


@dataclass(frozen=True)
class Contender:
    """One way to compute a training step; imported only when it runs.

    Args:
        name: As in the tables and on the command line.
        home: Module and function that prepare it, "module:function".
        packages: What it imports beyond spinhw's own dependencies.
        compiler: Whether it calls a C++ compiler.
        same_steps: Whether its discretisation is the reference's, so that loss and gradient must agree.
    """

    name: str
    home: str
    packages: tuple[str, ...] = ()
    compiler: bool = False
    same_steps: bool = True

    def lacks(self) -> str:
        """Say why it cannot run here; empty where it can."""
        absent = [package for package in self.packages if importlib.util.find_spec(package) is None]
        if absent:
            return f"{' and '.join(absent)} not installed: {INSTALL}"
        if self.compiler and not any(map(shutil.which, ("g++", "clang++", "c++", "cl"))):
            return "no C++ compiler on this machine, which torch.compile needs"
        return ""

    def prepare(self, problem: "Problem") -> "Prepared":
        """Set it up for a problem."""
        module, function = self.home.split(":")
        found: Callable[[Problem], Prepared] = getattr(
            importlib.import_module(f"benchmarks.contenders.{module}"), function
        )
        return found(problem)


CONTENDERS: dict[str, Contender] = {
    each.name: each
    for each in (
        Contender("spinhw cpu", "rollouts:cpu"),
        Contender("spinhw reference", "rollouts:reference"),
        Contender("eager PyTorch", "eager:prepare"),
        Contender("torch.compile", "compiled:prepare", compiler=True),
        Contender("JAX scan", "jax_scan:prepare", ("jax",)),
        Contender("diffrax", "diffrax_ode:prepare", ("jax", "diffrax"), same_steps=False),
        Contender("torchdiffeq", "torchdiffeq_ode:prepare", ("torchdiffeq",), same_steps=False),
    )
}
