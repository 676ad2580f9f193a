"""What is what in a file of series, by its name there."""

from typing import Any

from pydantic import Field, field_validator

from spinhw.config import Settings


class ColumnSettings(Settings):
    """What is what in a file, by its name there: columns of a table, arrays of NPZ, variables of NetCDF."""

    inputs: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Input channels; in layout 'sequences' of a CSV the samples of the one channel, in order. Null: in "
        "a table all columns that nothing else is named for, of arrays 'inputs'.",
    )
    target: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="What is to be answered: the column of labels, or one and more columns of values, which may be "
        "inputs too. Null: of arrays 'targets', of folders their names; a table needs it named.",
    )
    sequence: str | None = Field(
        default=None,
        description="Which sequence a sample belongs to; null where all samples are one long series. Of a folder of "
        "WAV the column of its labels that names the files.",
    )
    channel: str | None = Field(
        default=None,
        description="Which channel of its sequence a row of a table holds, in layout 'sequences'; null where a row is "
        "a whole sequence.",
    )
    time: str | None = Field(
        default=None, description="Times of the samples, evenly spaced or to be resampled; null for none."
    )
    group: str | None = Field(
        default=None, description="Whom or what a sequence is from, for splits by group; null for none."
    )
    lengths: str | None = Field(
        default=None, description="Samples of each sequence, of arrays in which they are filled up to the longest."
    )

    @field_validator("inputs", "target", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value
