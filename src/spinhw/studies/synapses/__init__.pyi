from .catalogue import SYNAPSE_STUDIES, SynapseStudy
from .run import run_synapse_study, write_synapse_study
from .settings import ResonatorChipSettings, SynapseGridSettings

__all__ = [
    "SYNAPSE_STUDIES",
    "ResonatorChipSettings",
    "SynapseGridSettings",
    "SynapseStudy",
    "run_synapse_study",
    "write_synapse_study",
]
