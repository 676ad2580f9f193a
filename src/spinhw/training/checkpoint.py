"""Checkpoints: tensors in one safetensors file with plain facts as JSON in its header, so that the two cannot part."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from spinhw.atomic import write_atomically
from spinhw.errors import ConfigError

_FORMAT = "spinhw checkpoint 1"


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically: the old one stays until the new one is complete.

    Raises:
        ConfigError: The disk is full or the folder cannot be written.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(facts, allow_nan=False, sort_keys=True)
    header = {"format": _FORMAT, "facts": text, "digest": _digest(plain, text)}
    write_atomically(path, safetensors.torch.save(plain, metadata=header))


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and facts, and check that they are what was saved.

    Raises:
        ConfigError: There is none, it is cut short, or it was changed.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - no mapping
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: there is no checkpoint here", todo="name the folder of a run that was started"
        ) from error
    except (SafetensorError, OSError) as error:
        raise _unusable(path, str(error)) from error
    if header.get("format") != _FORMAT:
        raise _unusable(path, f"format {header.get('format')!r}")
    if header.get("digest") != _digest(tensors, header.get("facts", "")):
        raise _unusable(path, "contents that do not match their checksum")
    return tensors, json.loads(header["facts"])


def of_others(error: Exception) -> ConfigError:
    """Make the error for a checkpoint whose tensors or facts are not those of the networks of the config."""
    return ConfigError(
        "the checkpoint belongs to other networks than the config",
        seen=error,
        todo="restore the run folder from a copy",
    )


def _unusable(path: Path, seen: str) -> ConfigError:
    return ConfigError(
        f"{path}: this checkpoint is cut short or damaged",
        seen=seen,
        allowed=f"a complete {_FORMAT!r}",
        todo="restore the file from a copy, or train again into another folder",
    )


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()
