from .budget import print_budget, print_data
from .progress import TerminalProgress
from .tables import (
    alignment_table,
    percent,
    print_energy,
    print_evaluation,
    print_figures,
    print_run,
    transfer_table,
    verdict_table,
)

__all__ = [
    "TerminalProgress",
    "alignment_table",
    "percent",
    "print_budget",
    "print_data",
    "print_energy",
    "print_evaluation",
    "print_figures",
    "print_run",
    "transfer_table",
    "verdict_table",
]
