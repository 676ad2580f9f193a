from .catalogue import STUDIES, studies_named
from .claim import Claim
from .execute import StudyProgress
from .outcome import Outcome
from .point import Point
from .run import Outlook, look_ahead, run_compared, run_studies
from .settings import GridSettings, ProtocolSettings
from .store import PointStore
from .study import Curve, Study

__all__ = [
    "Claim",
    "Curve",
    "GridSettings",
    "Outcome",
    "Outlook",
    "Point",
    "PointStore",
    "ProtocolSettings",
    "STUDIES",
    "Study",
    "StudyProgress",
    "look_ahead",
    "run_compared",
    "run_studies",
    "studies_named",
]
