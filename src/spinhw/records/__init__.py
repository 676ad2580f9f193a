"""Calibration records: what was measured of one device, as YAML that people read, with raw traces beside it."""

from spinhw.records.files import SCHEMA_VERSION, find_record, write_record
from spinhw.records.oscillators import (
    CUTOFF_UNIT,
    MEANINGS,
    UNITS,
    CalibrationRecord,
    DeviceFacts,
    ExperimentFacts,
    MadeFacts,
    NominalFacts,
    ParameterTable,
    ReadoutFacts,
    RecordPath,
    load_record,
)
from spinhw.records.schema import load_either, record_schema
from spinhw.records.synapses import (
    SYNAPSE_UNITS,
    ChainFacts,
    CrosstalkFacts,
    LadderFacts,
    PointsFacts,
    SynapseRecord,
    load_synapses,
)

__all__ = [
    "CUTOFF_UNIT",
    "MEANINGS",
    "SCHEMA_VERSION",
    "SYNAPSE_UNITS",
    "UNITS",
    "CalibrationRecord",
    "ChainFacts",
    "CrosstalkFacts",
    "DeviceFacts",
    "ExperimentFacts",
    "LadderFacts",
    "MadeFacts",
    "NominalFacts",
    "ParameterTable",
    "PointsFacts",
    "ReadoutFacts",
    "RecordPath",
    "SynapseRecord",
    "find_record",
    "load_either",
    "load_record",
    "load_synapses",
    "record_schema",
    "write_record",
]
