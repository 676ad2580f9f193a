"""What people read in a terminal: progress and tables."""

from spinhw.report.budget import print_budget
from spinhw.report.progress import TerminalProgress
from spinhw.report.tables import (
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
    "print_energy",
    "print_evaluation",
    "print_figures",
    "print_run",
    "transfer_table",
    "verdict_table",
]
