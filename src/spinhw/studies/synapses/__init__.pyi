from .catalogue import SYNAPSE_STUDIES, SynapseStudy
from .run import write_synapse_study
from .settings import ResonatorChipSettings, SynapseGridSettings

__all__ = [
    "SYNAPSE_STUDIES",
    "ResonatorChipSettings",
    "SynapseGridSettings",
    "SynapseStudy",
    "write_synapse_study",
]
