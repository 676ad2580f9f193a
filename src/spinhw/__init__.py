"""Hardware-in-the-loop framework for dynamical spintronic neural networks."""

from importlib import import_module

__version__ = "0.1.0"

# Where each public name lives. Names are resolved on first use, so that `import spinhw` (and
# `spinhw --help`) never waits for torch.
_HOMES = {
    "SpintronicNetwork": "spinhw.network",
    "NetworkSettings": "spinhw.network",
    "open_device": "spinhw.device",
    "Trace": "spinhw.device",
    "rollout": "spinhw.rollout",
}

__all__ = ["NetworkSettings", "SpintronicNetwork", "Trace", "__version__", "open_device", "rollout"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'spinhw' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
