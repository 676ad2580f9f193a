"""Studies: the figures of Plouet et al. (2024) as grids of training runs, and which of its claims hold."""

from spinhw.studies.catalogue import STUDIES, studies_named
from spinhw.studies.claim import Claim
from spinhw.studies.execute import PointStore, StudyProgress
from spinhw.studies.outcome import Outcome
from spinhw.studies.point import Point
from spinhw.studies.run import Outlook, look_ahead, run_studies
from spinhw.studies.settings import GridSettings, ProtocolSettings
from spinhw.studies.study import Curve, Study

__all__ = [
    "STUDIES",
    "Claim",
    "Curve",
    "GridSettings",
    "Outcome",
    "Outlook",
    "Point",
    "PointStore",
    "ProtocolSettings",
    "Study",
    "StudyProgress",
    "look_ahead",
    "run_studies",
    "studies_named",
]
