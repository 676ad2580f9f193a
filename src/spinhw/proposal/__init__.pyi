from .asked import Asked, Inferred
from .proposal import Proposal, propose, proposed

__all__ = ["Asked", "Inferred", "Proposal", "propose", "proposed"]
