"""Training: runs, their settings, folders and checkpoints, and what came out."""

from spinhw.train.evaluate import Examples
from spinhw.train.interrupt import Interrupted
from spinhw.train.progress import Progress, Silent
from spinhw.train.results import Results
from spinhw.train.run import resume_run, train_run
from spinhw.train.run_folder import RunFolder, default_folder
from spinhw.train.settings import AugmentationSettings, RunSettings, TrainingSettings

__all__ = [
    "AugmentationSettings",
    "Examples",
    "Interrupted",
    "Progress",
    "Results",
    "RunFolder",
    "RunSettings",
    "Silent",
    "TrainingSettings",
    "default_folder",
    "resume_run",
    "train_run",
]
