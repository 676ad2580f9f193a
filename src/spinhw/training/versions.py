"""Versions of what computes: the bits of a result depend on them."""

import platform
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import torch

import spinhw

_BITS = ("torch", "numba", "numpy")  # These and spinhw itself decide the bits of training.
_OTHERS = ("safetensors", "scikit-learn", "pydantic")


def versions() -> dict[str, str]:
    """Name the versions that a result was made with, and the threads."""
    found = {"spinhw": spinhw.__version__, "python": platform.python_version(), "machine": platform.machine()}
    return found | _installed(_BITS + _OTHERS) | {"threads": str(torch.get_num_threads())}


def bit_versions() -> dict[str, str]:
    """Name the versions that the bits of training depend on."""
    return {"spinhw": spinhw.__version__} | _installed(_BITS)


def changed_versions(then: Mapping[str, str]) -> str:
    """Say which of the versions of `bit_versions` changed since then: "torch 2.5.1 -> 2.6.0"; empty if none did."""
    now = bit_versions()
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return ", ".join(f"{name} {then.get(name, 'absent')} -> {now.get(name, 'absent')}" for name in names)


def _installed(names: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
