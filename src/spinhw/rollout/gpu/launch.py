"""How the kernels are laid out on a GPU; results depend on it by rounding only."""

from dataclasses import dataclass
from functools import cache

import torch
from triton.runtime import driver

# Neurons in all layers together. Up to 128 the recurrent matrix stays in the shared memory of a data-centre GPU (128 KB
# at that width); beyond, it is read from the cache at each step, and from 257 on a tile has half the samples. Above 512
# even such a tile would no longer fit the registers of a program (at 512 the adjoint spills 70 to 370 bytes a thread).
LARGEST_NETWORK = 512


@dataclass(frozen=True)
class Launch:
    """Layout of a kernel.

    Args:
        tile: Samples in a program.
        chunk: Columns in one product where the matrix is not resident.
        warps: Warps in a program.
        resident: Whether the recurrent matrix stays in shared memory over all steps.
        precision: "ieee" (products in float32) or "tf32x3" (tensor cores, three passes, nearly float32).
    """

    tile: int
    warps: int
    resident: bool
    chunk: int = 16
    precision: str = "ieee"


def padded_width(neurons: int) -> int:
    """Give the width of a tile: the next power of two, at least 16."""
    return max(16, 1 << (neurons - 1).bit_length())


@cache
def launch_of(width: int, device: torch.device) -> Launch:
    """Choose the layout for a width; by count of registers and shared memory, not yet by measurement."""
    tile = 8 if width > 256 else 16
    return Launch(tile, warps=max(4, min(16, width // 16)), resident=matrix_fits(width, tile, _shared_bytes(device)))


def matrix_fits(width: int, tile: int, shared_bytes: int) -> bool:
    """Say whether the recurrent matrix fits in shared memory, beside eight tiles; the adjoint was seen to take six."""
    return 4 * width * (width + 8 * tile) <= shared_bytes


def _shared_bytes(device: torch.device) -> int:
    """Give the shared memory that one program may have; in the interpreter, that of an H100."""
    if device.type != "cuda":
        return 232448
    return driver.active.utils.get_device_properties(device.index)["max_shared_mem"]
