from .files import SCHEMA_VERSION, find_record, write_record
from .oscillators import (
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
from .schema import load_either, record_schema
from .synapses import SYNAPSE_UNITS, ChainFacts, CrosstalkFacts, LadderFacts, PointsFacts, SynapseRecord, load_synapses

__all__ = [
    "CUTOFF_UNIT",
    "CalibrationRecord",
    "ChainFacts",
    "CrosstalkFacts",
    "DeviceFacts",
    "ExperimentFacts",
    "LadderFacts",
    "MEANINGS",
    "MadeFacts",
    "NominalFacts",
    "ParameterTable",
    "PointsFacts",
    "ReadoutFacts",
    "RecordPath",
    "SCHEMA_VERSION",
    "SYNAPSE_UNITS",
    "SynapseRecord",
    "UNITS",
    "find_record",
    "load_either",
    "load_record",
    "load_synapses",
    "record_schema",
    "write_record",
]
