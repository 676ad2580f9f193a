"""Training: runs, their settings, folders and checkpoints, and what came out."""

from spinhw.training.aligning import align_run, write_alignment
from spinhw.training.augmentation import AugmentationSettings
from spinhw.training.cost import Budget, budget
from spinhw.training.divergence import Diverged
from spinhw.training.examples import Examples
from spinhw.training.interrupt import Interrupted
from spinhw.training.load import load_run
from spinhw.training.progress import SILENT, Progress
from spinhw.training.results import RunResults
from spinhw.training.run import evaluate, resume, train
from spinhw.training.run_folder import RunFolder, default_folder
from spinhw.training.settings import RunSettings, TrainingSettings
from spinhw.training.summary import energy_ledger, spent_lines
from spinhw.training.transfer import evaluate_on_chips, write_transfer

__all__ = [
    "SILENT",
    "AugmentationSettings",
    "Budget",
    "Diverged",
    "Examples",
    "Interrupted",
    "Progress",
    "RunResults",
    "RunFolder",
    "RunSettings",
    "TrainingSettings",
    "align_run",
    "budget",
    "default_folder",
    "energy_ledger",
    "evaluate_on_chips",
    "evaluate",
    "load_run",
    "resume",
    "spent_lines",
    "train",
    "write_alignment",
    "write_transfer",
]
