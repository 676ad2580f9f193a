"""What an experimenter says of a run."""

from pydantic import Field

from spinhw.config import Settings


class ExperimentSettings(Settings):
    """What is under test, who tests it, and what else should be known; no result depends on it."""

    sample: str | None = Field(default=None, description="What is measured, such as the number of a chip.")
    operator: str | None = Field(default=None, description="Who measures.")
    note: str | None = Field(default=None, description="What else should be known: temperature, field, purpose.")
