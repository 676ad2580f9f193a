from .baselines import baselines_page, print_baselines
from .budget import print_budget, print_data
from .merit import print_merit
from .progress import TerminalProgress
from .tables import (
    alignment_table,
    figure_text,
    generation_table,
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
    "figure_text",
    "generation_table",
    "baselines_page",
    "print_baselines",
    "print_budget",
    "print_data",
    "print_energy",
    "print_evaluation",
    "print_figures",
    "print_merit",
    "print_run",
    "transfer_table",
    "verdict_table",
]
