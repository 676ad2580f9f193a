"""A rate: an auto-oscillator whose damping also grows with the square of the power."""

from typing import Literal

from pydantic import Field

from spinhw.network import RateSettings


class QuadraticDampingSettings(RateSettings):
    """An auto-oscillator with quadratic non-linear damping."""

    kind: Literal["quadratic_damping"] = Field(description="An auto-oscillator with quadratic non-linear damping.")
    q2: float = Field(default=0.5, ge=0.0, description="Quadratic non-linear damping Q2, dimensionless, 0 or above.")

    def open(self):
        from foreign_lab.damping import QuadraticDamping

        return QuadraticDamping(self.q2)
