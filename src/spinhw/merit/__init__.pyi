from .choices import MeritChoices
from .figures import DEGREES, MemberFigures, figures_of
from .files import write_merit
from .run import measure_merit

__all__ = ["DEGREES", "MemberFigures", "MeritChoices", "figures_of", "measure_merit", "write_merit"]
