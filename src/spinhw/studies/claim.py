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
        how: When and at which time grid the networks were measured; empty where there is one way only.
        others: The same claim by other measurements.
        by_construction: Why it would hold whatever the network; empty where it is a test.
    """

    study: str
    protocol: str
    says: str
    test: str
    measured: str
    holds: bool | None
    how: str = ""
    others: "tuple[Claim, ...]" = ()
    by_construction: str = ""

    @property
    def verdict(self) -> str:
        """Say in a word or two whether it holds."""
        if self.by_construction:
            return "no test"
        return {True: "yes", False: "no", None: "not tested"}[self.holds]

    @property
    def differing(self) -> "list[Claim]":
        """Other measurements by which the answer is another one."""
        return [each for each in self.others if each.holds != self.holds]
