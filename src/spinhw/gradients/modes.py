"""The gradient modes by name, and what each of them needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from spinhw.gradients.base import Pass
from spinhw.gradients.layerwise import layerwise
from spinhw.gradients.model_free import finite_difference, spsa
from spinhw.gradients.observer import observer
from spinhw.gradients.truth import oracle
from spinhw.gradients.whole import whole


@dataclass(frozen=True)
class Mode:
    """A way to get a gradient.

    Args:
        model: Gives the model of the end signal, differentiable in the values of a pass.
        measured: What it needs a device to measure: "nothing", "end" (what the read-out uses) or "neurons".
        uses_surrogate: Whether the neurons of the surrogate matter.
    """

    model: Callable[[Pass], Tensor]
    measured: Literal["nothing", "end", "neurons"] = "end"
    uses_surrogate: bool = True


MODES: dict[str, Mode] = {
    "surrogate": Mode(whole, "nothing"),
    "output": Mode(whole),
    "layerwise": Mode(layerwise, "neurons"),
    "observer": Mode(observer, "neurons"),
    "spsa": Mode(spsa, uses_surrogate=False),
    "finite_difference": Mode(finite_difference, uses_surrogate=False),
    "oracle": Mode(oracle, uses_surrogate=False),
}
