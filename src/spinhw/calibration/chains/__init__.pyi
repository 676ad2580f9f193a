from .analyse import ChainsAnalysis, analyse_chains
from .record import make_chains_record
from .run import calibrate_chains
from .settings import ChainPlanSettings
from .sweep import ChainEffort, effort_of, read_chains, windows_of_chain

__all__ = [
    "ChainEffort",
    "ChainPlanSettings",
    "ChainsAnalysis",
    "analyse_chains",
    "calibrate_chains",
    "effort_of",
    "make_chains_record",
    "read_chains",
    "windows_of_chain",
]
