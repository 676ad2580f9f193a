"""The engines by name."""

from typing import Literal

Engine = Literal["auto", "reference", "cpu", "gpu"]
