"""What a run trains with in place of nominal oscillators: calibrated ones, or chips that are drawn."""

from typing import Any

from pydantic import Field

from spinhw.config import Settings
from spinhw.device import SimulatedSettings


def or_a_name(schema: dict[str, Any]) -> None:
    """Let a JSON schema take the name of a device profile too."""
    others = schema["anyOf"] if "anyOf" in schema else [{"$ref": schema.pop("$ref")}]
    schema["anyOf"] = [{"type": "string", "description": "Name or file of a device profile."}, *others]


class CalibrationUse(Settings):
    """The run is trained on the oscillators of its devices as they were calibrated, not on nominal ones."""

    record: str = Field(
        min_length=1, description="A calibration record, or a folder with DEVICE_ID.yaml for each device of the run."
    )
    draws: float = Field(
        default=0.0,
        ge=0.0,
        description="Robust training: each step draws the oscillators from the errors of their calibration, times "
        "this; 0 for off.",
    )
    anyway: bool = Field(default=False, description="Whether another device's record will do.")


class DrawnChipsSettings(Settings):
    """Robust training on a distribution of chips, with the exact gradient through each of them.

    The chips belong to none of the profile's own numbers: a network may be measured on these as on new ones.
    """

    profile: SimulatedSettings = Field(
        description="Distribution: name or file of the profile of a simulated device, or the profile itself.",
        json_schema_extra=or_a_name,
    )
    redraw_every: int = Field(default=1, ge=1, description="Batches for which the same chips are kept, at least 1.")
    per_batch: int = Field(
        default=1,
        ge=1,
        description="Chips of each network; the sequences of a batch are dealt out to them, so that the gradient is "
        "their mean. At least 1.",
    )
