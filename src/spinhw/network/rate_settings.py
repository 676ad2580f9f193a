"""The rates that neurons may have, by the kind that a YAML file names."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from spinhw.config import Settings
from spinhw.registry import Registry

if TYPE_CHECKING:
    from spinhw.physics import Rate

RATES = Registry(
    "spinhw.rates",
    "rate",
    {"logistic": "spinhw.network.rate_settings:LogisticSettings"},
    base="spinhw.network.rate_settings:RateSettings",
)


class RateSettings(Settings, ABC):
    """A rate as written in YAML, under ``network.rate``. Packages add theirs to the entry points ``spinhw.rates``."""

    kind: str

    @abstractmethod
    def open(self) -> "Rate":
        """Make the rate; import what it needs only here."""


class LogisticSettings(RateSettings):
    """The auto-oscillator, stepped exactly."""

    kind: Literal["logistic"] = Field(default="logistic", description="The auto-oscillator, stepped exactly.")

    def open(self) -> "Rate":
        from spinhw.physics import LOGISTIC

        return LOGISTIC
