"""One batch as it was measured, whole: what was asked for, what was played, and what came back."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from spinhw.device.description import Description
from spinhw.device.plan import ObservationPlan
from spinhw.device.trace import Trace


@dataclass(frozen=True)
class MeasuredBatch:
    """One batch, in model units.

    Args:
        device: What measured it; limits and shapes of the software's parameters are not kept.
        requested: Parameters as they were asked for, (member, ...) by name; what was applied is in the trace.
        inputs: u as played, (member, batch, time, input).
        plan: What was observed in which repeat.
        trace: What came out, with the member axis.
        settings: Identities and settings of the instruments as last read back, plain data; empty for a simulated chip.
        lengths: Samples of each sequence, (member, batch); None where all end with the time axis.
    """

    device: Description
    requested: Mapping[str, Tensor]
    inputs: Tensor
    plan: ObservationPlan
    trace: Trace
    settings: Mapping[str, Any] = field(default_factory=dict)
    lengths: Tensor | None = None


class Keeper(Protocol):
    """Keeps batches; a device hands it every one that it measures."""

    @property
    def observes_all(self) -> bool:
        """Whether neurons that were not asked for are to be observed too."""

    @property
    def count(self) -> int:
        """Number of batches kept so far."""

    def keep(self, batch: MeasuredBatch) -> None:
        """Keep a batch; when this returns it is safe."""

    def rewind(self, count: int) -> None:
        """Go on after the first so many batches, as if the others had not been measured."""


def played_of(inputs: Tensor, lengths: Tensor | None) -> dict[str, Tensor]:
    """Name what was played: inputs, and lengths where sequences have their own."""
    return {"inputs": inputs} if lengths is None else {"inputs": inputs, "lengths": lengths}


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return a fingerprint of named tensors: names, types, shapes and bits; the sign of a zero does not count."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        plain = tensors[name].detach().cpu().contiguous() + 0
        found.update(f"{name} {plain.dtype} {tuple(plain.shape)}".encode())
        found.update(plain.numpy().tobytes())
    return found.hexdigest()
