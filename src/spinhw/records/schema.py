"""Records of any kind."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from spinhw.config import build, json_schema
from spinhw.records.chains import ChainsRecord
from spinhw.records.files import read_record
from spinhw.records.oscillators import CalibrationRecord
from spinhw.records.synapses import SynapseRecord

AnyRecord = Annotated[CalibrationRecord | SynapseRecord | ChainsRecord, Field(discriminator="kind")]


def load_either(path: Path) -> CalibrationRecord | SynapseRecord | ChainsRecord:
    """Read a record, whatever it is of.

    Raises:
        ConfigError: It cannot be read, is from a newer version, or lacks something; file and key are named.
    """
    data = read_record(path, None)
    if data.get("kind") == "synapses":
        return build(SynapseRecord, data, str(path))
    if data.get("kind") == "chains":
        return build(ChainsRecord, data, str(path))
    return build(CalibrationRecord, data, str(path))


def record_schema() -> dict[str, Any]:
    """Give the JSON schema of a record, for editors."""
    return json_schema(AnyRecord)
