from .asked import Inferred, Said
from .proposal import Proposal, propose, proposed

__all__ = ["Said", "Inferred", "Proposal", "propose", "proposed"]
