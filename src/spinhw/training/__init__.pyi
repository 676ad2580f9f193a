from .aligning import align_run, write_alignment
from .cost import Budget, budget
from .divergence import Diverged
from .evaluation import evaluate
from .examples import Examples
from .generation import Generation, generate, generate_run, write_generation
from .handed_over import with_task
from .interrupt import Interrupted
from .load import load_settings
from .loggers import Logger, LoggerSettings
from .opened import Run, open_run
from .progress import SILENT, Progress
from .results import RunResults
from .run import resume, train
from .run_folder import RunFolder, default_folder
from .settings import RunSettings
from .summary import energy_ledger, spent_lines
from .training_settings import TrainingSettings
from .transfer import evaluate_on_chips, write_transfer

__all__ = [
    "Budget",
    "Diverged",
    "Examples",
    "Generation",
    "Interrupted",
    "Logger",
    "LoggerSettings",
    "Progress",
    "Run",
    "RunFolder",
    "RunResults",
    "RunSettings",
    "SILENT",
    "TrainingSettings",
    "align_run",
    "budget",
    "default_folder",
    "energy_ledger",
    "evaluate",
    "evaluate_on_chips",
    "generate",
    "generate_run",
    "load_settings",
    "open_run",
    "resume",
    "spent_lines",
    "train",
    "with_task",
    "write_alignment",
    "write_generation",
    "write_transfer",
]
