"""What the paper claims, what was measured, and whether it holds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One claim of the paper under one protocol.

    Args:
        study: Where it is tested.
        protocol: How the networks were trained.
        says: What the paper says, and where.
        test: What would make it hold here.
        measured: What was found, in words.
        holds: Whether it holds; None where the grid has no points to tell.
    """

    study: str
    protocol: str
    says: str
    test: str
    measured: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        """Say in a word or two whether it holds."""
        return {True: "yes", False: "no", None: "not tested"}[self.holds]
