"""Which engine solves a problem: the one that was asked for, or the fastest that can."""

import importlib.util
import os
from types import ModuleType
from typing import Literal

import torch
from torch import Tensor
from torch.autograd import forward_ad

from spinhw.errors import ConfigError
from spinhw.physics import LOGISTIC, Rate
from spinhw.rollout.folding import wants_gradient
from spinhw.rollout.memory import memory_for
from spinhw.rollout.names import Engine
from spinhw.rollout.parameters import Extras, Rollout
from spinhw.rollout.problem import NetworkProblem, Problem
from spinhw.rollout.soundness import check_finite, warn_of_long_steps

# The rates that the compiled engines have.
_RATES: dict[Engine, tuple[Rate, ...]] = {"cpu": (LOGISTIC,), "gpu": (LOGISTIC,)}


def solve(problem: Problem, engine: Engine) -> Rollout:
    """Integrate a problem that is checked already.

    Raises:
        ValueError: The engine does not exist or cannot do it (the message names what it lacks), or an argument holds
            what is not finite.
        ConfigError: It does not fit into memory, the engine has no such rate, or the neurons have no rest.
    """
    _refuse_rate(problem, engine)
    chosen = _chosen(engine, problem.signal, _lacking(problem, engine))
    if torch.compiler.is_compiling():
        return _integrate(problem, chosen)
    with memory_for(problem, chosen):
        result = _integrate(problem, chosen)
    if isinstance(problem, NetworkProblem) and _may_look(problem):
        check_finite(problem, result)
        warn_of_long_steps(problem, result)
    return result


def _integrate(problem: Problem, engine: str) -> Rollout:
    module = _module(engine)
    result: Rollout = (module.rollout if isinstance(problem, NetworkProblem) else module.rollout_driven)(problem)
    return result


def _refuse_rate(problem: Problem, engine: Engine) -> None:
    """Refuse an engine that was asked for by name and does not have the rate of the neurons."""
    rate = problem.neurons.rate
    if rate not in _RATES.get(engine, (rate,)):
        raise ConfigError(
            f"the engine {engine!r} does not have the rate of these neurons",
            seen=rate.name,
            allowed=", ".join(one.name for one in _RATES[engine]),
            todo="use the engine 'auto' or 'reference', which integrates any rate",
        )


def _may_look(problem: Problem) -> bool:
    """Tell whether numbers may be looked at: a GPU would have to be waited for, a transform of torch shows none."""
    return problem.signal.device.type == "cpu" and not recorded_by_torch()


def engine_lacks(engine: Engine, tensor: Tensor, rate: Rate = LOGISTIC) -> str:
    """Say what an engine lacks for tensors such as this one; empty if there is nothing, as for "auto" always.

    Args:
        engine: The engine as it was asked for.
        tensor: Its type and where it is count.
        rate: Of the neurons.
    """
    if rate not in _RATES.get(engine, (rate,)):
        return f"the rate {rate.name!r}"
    if engine == "cpu":
        return _missing_on_cpu(tensor)
    return _missing_on_gpu(tensor) if engine == "gpu" else ""


def _module(name: str) -> ModuleType:
    """Import an engine, which takes a while for a compiled one: only where it is used."""
    # Plain imports, because torch.compile can follow no others.
    if name == "cpu":
        from spinhw.rollout import cpu

        return cpu
    if name == "gpu":
        from spinhw.rollout import gpu

        return gpu
    from spinhw.rollout import reference

    return reference


def _chosen(engine: Engine, tensor: Tensor, lacking: str) -> Literal["reference", "cpu", "gpu"]:
    """Give the engine to use.

    Args:
        engine: What the caller asked for.
        tensor: One of the tensors.
        lacking: What is asked for and no compiled engine can do; empty if there is nothing.

    Raises:
        ValueError: It does not exist or lacks something that is asked for.
    """
    if engine == "reference":
        return engine
    wanted = _wanted(engine, tensor)
    if wanted not in ("cpu", "gpu"):
        raise ValueError(f"engine must be 'auto', 'reference', 'cpu' or 'gpu', not {engine!r}")
    missing = (_missing_on_cpu(tensor) if wanted == "cpu" else _missing_on_gpu(tensor)) or lacking
    if missing and engine != "auto":
        raise ValueError(f"engine {engine!r} cannot do this, it lacks {missing}; use 'auto' or 'reference'")
    return "reference" if missing else wanted


def _wanted(engine: Engine, tensor: Tensor) -> Engine:
    """Return the engine that was asked for, or the compiled one for where a tensor is."""
    return engine if engine != "auto" else "cpu" if tensor.device.type == "cpu" else "gpu"


def _missing_on_cpu(tensor: Tensor) -> str:
    """Say what only the CPU engine cannot do of this; empty if there is nothing."""
    if importlib.util.find_spec("numba") is None:
        return "the package numba, which is not installed"
    if tensor.dtype not in (torch.float32, torch.float64):
        return f"tensors of {tensor.dtype}: its state is torch.float32 or torch.float64"
    return "" if tensor.device.type == "cpu" else f"tensors on the device {tensor.device.type!r}"


def _missing_on_gpu(tensor: Tensor) -> str:
    """Say what only the GPU engine cannot do of this; empty if there is nothing."""
    if importlib.util.find_spec("triton") is None:
        return 'the package triton, which the extra `gpu` installs on Linux: pip install "spinhw[gpu]"'
    # Triton's interpreter runs kernels without a GPU, slowly: for tests.
    devices = ("cuda", "cpu") if os.environ.get("TRITON_INTERPRET") == "1" else ("cuda",)
    if tensor.device.type not in devices:
        return f"tensors on the device {tensor.device.type!r}"
    return "" if tensor.dtype == torch.float32 else f"tensors of {tensor.dtype}: its state is torch.float32"


def _lacking(problem: Problem, engine: Engine) -> str:
    """Say what the compiled engines cannot do of this; empty if there is nothing."""
    if problem.neurons.rate not in _RATES.get(_wanted(engine, problem.signal), ()):
        return f"the rate {problem.neurons.rate.name!r}"
    if wants_gradient([problem.extras.noise, problem.extras.diffusion_per_s]):
        return "gradients by the noise"
    by_network = _lacking_for_network(problem, engine) if isinstance(problem, NetworkProblem) else ""
    return by_network or _lacking_for_graph(engine, problem.signal.device.type)


def _lacking_for_graph(engine: Engine, device: str) -> str:
    """Say what torch does with the caller that the compiled engines cannot follow; empty if there is nothing."""
    if torch.compiler.is_compiling():  # The CPU engine has an operator for that.
        return "an operator for torch.compile and torch.export" if engine == "gpu" or device != "cpu" else ""
    return recorded_by_torch()


def recorded_by_torch() -> str:
    """Say which transform of torch is at work on what the tensors stand for; empty if there is none."""
    if torch.jit.is_tracing():
        return "a form for torch.jit.trace"
    # noqa below: the only names that torch has for it.
    if torch._C._are_functorch_transforms_active():  # noqa: SLF001
        return "the transforms of torch.func (vmap, grad, jvp and so on)"
    return "forward-mode derivatives" if forward_ad._current_level >= 0 else ""  # noqa: SLF001


def _lacking_for_network(problem: NetworkProblem, engine: Engine) -> str:
    if problem.cell == "ctrnn" and problem.extras != Extras():
        return "noise or a defect of a ctrnn"
    if problem.loop_delay_s > 0:
        missing = "a loop delay in graphs" if torch.compiler.is_compiling() else ""
        missing = _forward_only(problem, engine, "a loop delay") or missing
        if missing:
            return missing
    return _forward_only(problem, engine, "a record of the drive") if problem.record_drive else ""


def _forward_only(problem: NetworkProblem, engine: Engine, what: str) -> str:
    """Say why the compiled engines cannot do what only the CPU engine can, and only forward; empty where they can."""
    if engine == "gpu" or problem.inputs.device.type != "cpu":
        return what
    learns = torch.is_grad_enabled() and wants_gradient(problem.tensors().values())
    return f"gradients beside {what}" if learns else ""
