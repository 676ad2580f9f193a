"""Training: runs, their settings, folders and checkpoints, and what came out."""

from spinhw.train.align_run import align_run, write_alignment
from spinhw.train.augmentation import AugmentationSettings
from spinhw.train.budget import Budget, budget
from spinhw.train.divergence import Diverged
from spinhw.train.examples import Examples
from spinhw.train.interrupt import Interrupted
from spinhw.train.load import load_run
from spinhw.train.progress import SILENT, Progress
from spinhw.train.results import Results
from spinhw.train.run import evaluate_run, resume_run, train_run
from spinhw.train.run_folder import RunFolder, default_folder
from spinhw.train.settings import RunSettings, TrainingSettings
from spinhw.train.summary import energy_ledger, spent_lines
from spinhw.train.transfer import evaluate_on_chips, write_transfer

__all__ = [
    "SILENT",
    "AugmentationSettings",
    "Budget",
    "Diverged",
    "Examples",
    "Interrupted",
    "Progress",
    "Results",
    "RunFolder",
    "RunSettings",
    "TrainingSettings",
    "align_run",
    "budget",
    "default_folder",
    "energy_ledger",
    "evaluate_on_chips",
    "evaluate_run",
    "load_run",
    "resume_run",
    "spent_lines",
    "train_run",
    "write_alignment",
    "write_transfer",
]
