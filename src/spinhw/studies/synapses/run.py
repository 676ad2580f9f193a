"""The page of the study of resonators as synapses."""

from pathlib import Path

from spinhw.studies.claim import Claim
from spinhw.studies.run import write_compared
from spinhw.studies.store import PointStore
from spinhw.studies.synapses.catalogue import SynapseStudy
from spinhw.studies.synapses.claims import judge_synapses
from spinhw.studies.synapses.figures import draw_synapses
from spinhw.studies.synapses.measured import SynapsesFound
from spinhw.studies.synapses.settings import SynapseGridSettings
from spinhw.studies.synapses.tables import synapse_csv, synapse_page


def write_synapse_study(study: SynapseStudy, grid: SynapseGridSettings, store: PointStore, folder: Path) -> list[Claim]:
    """Write ``NAME.csv``, ``NAME.png`` and ``NAME.md`` of what is done; return the claims."""
    found = SynapsesFound(study, store.outcomes(study.points))
    claims = judge_synapses(found, grid)
    page = synapse_page(found, grid, claims)
    write_compared(folder, study.name, synapse_csv(found), lambda picture: draw_synapses(found, grid, picture), page)
    return claims
