"""The chains of a whole chip, each seen as a bank of synapses that is measured by itself."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Self, overload

import torch
from torch import Tensor

from spinhw.device.banks import SynapseBank
from spinhw.network import SpintronicNetwork, tuned_shapes


@dataclass(frozen=True)
class NetworkChain:
    """One chain of a network: a row of a weight matrix.

    Args:
        name: Of the matrix, such as "w_int.0".
        destination: The row.
        sources: Whose tones its resonators answer to, in the order of the chain.
        bank: Its resonators; use it in a `with` statement. Its ladder is that of all sources of the layer.
    """

    name: str
    destination: int
    sources: tuple[int, ...]
    bank: SynapseBank

    @property
    def place(self) -> str:
        """The chain in words for files and messages."""
        return f"{self.name}-{self.destination:02d}"


class NetworkChains(Sequence[NetworkChain]):
    """All chains of a chip. In a `with` statement those of a bench share one connection, used by one after another.

    Args:
        chains: Matrix by matrix, row by row.
        device_id: Whose.
        held: Makes the context that keeps the connection.
    """

    def __init__(
        self,
        chains: Sequence[NetworkChain],
        device_id: str,
        held: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._chains, self.device_id, self._held = tuple(chains), device_id, held
        self._contexts: list[AbstractContextManager[None]] = []

    @overload
    def __getitem__(self, place: int) -> NetworkChain: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[NetworkChain]: ...

    def __getitem__(self, place: int | slice) -> NetworkChain | Sequence[NetworkChain]:
        return self._chains[place]

    def __len__(self) -> int:
        return len(self._chains)

    def __enter__(self) -> Self:
        context = self._held()
        context.__enter__()
        self._contexts.append(context)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._contexts.pop().__exit__(kind, error, trace)


def resonators_that_exist(network: SpintronicNetwork) -> dict[str, Tensor]:
    """Return which resonators the chains of a single network have, boolean (destination, source), by parameter name.

    Those of its masks, and all of a read-out in hardware.
    """
    masks: Mapping[str, Tensor] = network.masks()
    shapes = tuned_shapes(network.settings)
    return {name: masks.get(name, torch.ones(shape, dtype=torch.bool)) for name, shape in shapes.items()}
