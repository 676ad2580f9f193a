"""A recurrent network in software as designed."""

from typing import Literal, Self

from pydantic import Field, model_validator

from spinhw.config import Settings


class RecurrentSettings(Settings):
    """A recurrent network as designed."""

    kind: Literal["tanh", "gru", "lstm"] = Field(
        default="tanh", description="'tanh' (Jarne 2024, eq. 5 and 6), 'gru' or 'lstm' (torch's)."
    )
    inputs: int = Field(default=3, ge=1, description="Input channels, at least 1.")
    units: int = Field(default=400, ge=1, le=8192, description="Recurrent units, 1 to 8192.")
    outputs: int = Field(default=3, ge=1, description="Output channels, at least 1.")
    bias: bool = Field(default=False, description="Whether the recurrent units have a bias; the read-out always has.")
    initial: Literal["orthogonal", "normal"] = Field(
        default="orthogonal",
        description="Recurrent weights at the start: 'orthogonal', or 'normal' with variance 1 / units.",
    )
    initial_gain: float = Field(default=1.0, gt=0.0, description="Multiplies the recurrent weights at the start.")
    leak: float = Field(
        default=1.0, gt=0.0, le=1.0, description="dt / tau of tanh units, above 0, at most 1; 1 is eq. 6."
    )
    excitatory: float | None = Field(
        default=None,
        gt=0.0,
        lt=1.0,
        description="Share of units that excite, the others inhibit (Dale's law); null for units that do both.",
    )
    density: float = Field(default=1.0, gt=0.0, le=1.0, description="Share of recurrent weights that exist, to 1.")
    recurrent_noise: float = Field(
        default=0.0, ge=0.0, description="Standard deviation of noise on every unit's drive while training; 0 or above."
    )

    @model_validator(mode="after")
    def _gates_have_no_such_options(self) -> Self:
        changed = [
            name
            for name in ("leak", "excitatory", "density", "recurrent_noise")
            if getattr(self, name) != type(self).model_fields[name].default
        ]
        if self.kind != "tanh" and changed:
            raise ValueError(f"{', '.join(changed)}: only units of kind 'tanh' have this, not '{self.kind}'")
        return self
