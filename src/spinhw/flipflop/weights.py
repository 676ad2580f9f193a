"""Files of one network: safetensors with the design in the header, or Keras's HDF5."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.flipflop.keras import read_keras
from spinhw.network.recurrent import RecurrentNetwork, from_weights
from spinhw.network.recurrent_settings import RecurrentSettings
from spinhw.training.checkpoint import load_checkpoint, save_checkpoint

_HDF5_ENDINGS = {".hdf5", ".h5", ".keras"}


def save_network(path: Path, network: RecurrentNetwork, about: Mapping[str, Any] | None = None) -> None:
    """Write a network into one file.

    Args:
        path: The file.
        network: The network.
        about: Plain facts to keep with it.

    Raises:
        ConfigError: The file cannot be written.
    """
    design = network.settings.model_dump(mode="json", by_alias=True)
    save_checkpoint(path, network.state_dict(), {"network": design, "about": dict(about or {})})


def load_network(path: Path) -> RecurrentNetwork:
    """Read a network that `save_network` wrote, or a Keras SimpleRNN.

    Raises:
        ConfigError: It is neither, or damaged.
    """
    if path.suffix in _HDF5_ENDINGS:
        return read_keras(path)
    tensors, facts = load_checkpoint(path)
    if "network" not in facts:
        raise ConfigError(
            f"{path}: this file holds no single network",
            allowed="a file from networks/ in a run folder, or one that `spinhw flipflop import` wrote",
            todo="name the run folder itself, or one of those files",
        )
    return from_weights(build(RecurrentSettings, facts["network"], str(path)), tensors)
