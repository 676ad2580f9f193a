"""What a run trains with in place of nominal oscillators: calibrated ones, or chips that are drawn."""

from typing import Any, Self

from pydantic import Field, model_validator

from spinhw.config import Settings
from spinhw.device import SimulatedSettings
from spinhw.errors import MisfitError

TRUTH = "truth"


def or_a_name(schema: dict[str, Any]) -> None:
    """Let a JSON schema take the name of a device profile too."""
    others = schema["anyOf"] if "anyOf" in schema else [{"$ref": schema.pop("$ref")}]
    schema["anyOf"] = [{"type": "string", "description": "Name or file of a device profile."}, *others]


class CalibrationUse(Settings):
    """The run is trained on the oscillators, or resonators, of its devices as calibrated, not on nominal ones."""

    record: str | None = Field(
        default=None,
        min_length=1,
        description="A calibration record of oscillators, or a folder with DEVICE_ID.yaml for each device of the run; "
        "null for nominal ones.",
    )
    resonators: str | None = Field(
        default=None,
        min_length=1,
        description="The same of the chains of whole chips (spinhw calibrate --plan chains): networks run with their "
        "resonators as measured; 'truth' takes those of simulated chips as they are, as if they had been measured; "
        "null for those designed.",
    )
    resonator_error: float = Field(
        default=0.0,
        ge=0.0,
        description="With resonators: truth, the standard error of such a measurement, of each resonance, in "
        "half-linewidths: drawn, and put on top; 0 or above.",
    )
    verify_rounds: int = Field(
        default=0,
        ge=0,
        description="Rounds in which the chains of simulated chips are programmed, read and corrected before the "
        "trained networks are measured there, at most; 0 for tunings that are set and believed.",
    )
    draws: float = Field(
        default=0.0,
        ge=0.0,
        description="Robust training: each step draws the oscillators and resonators from the errors of their "
        "calibration, times this; 0 for off.",
    )
    anyway: bool = Field(default=False, description="Whether another device's record will do.")

    @model_validator(mode="after")
    def _names_a_record(self) -> Self:
        if self.record is None and self.resonators is None:
            raise MisfitError(
                "calibration: no record is named",
                seen="neither record nor resonators",
                allowed="calibration.record, calibration.resonators, or both",
                todo="name one, or leave calibration out",
            )
        lacking = {
            "resonator_error": self.resonator_error > 0 and not self.of_truth,
            "verify_rounds": self.verify_rounds > 0 and self.resonators is None,
        }
        wrong = [name for name, lacks in lacking.items() if lacks]
        if wrong:
            raise MisfitError(
                f"calibration.{wrong[0]} goes with calibration.resonators"
                + (", and a record has errors of its own" if wrong[0] == "resonator_error" else ""),
                seen=f"{getattr(self, wrong[0])}, resonators {self.resonators or 'null'}",
                allowed="0, or resonators: truth" + ("" if wrong[0] == "resonator_error" else " or a record"),
                todo="write that",
            )
        return self

    @property
    def of_truth(self) -> bool:
        """Whether resonators are those of simulated chips as they are."""
        return self.resonators == TRUTH

    @property
    def records(self) -> list[str]:
        """Those that are named."""
        return [one for one in (self.record, self.resonators) if one is not None and one != TRUTH]


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
