from .decision_settings import DecisionSettings
from .decisions import draw_decisions
from .keras import read_keras
from .load import load_flipflop
from .network import RecurrentNetwork
from .run import FlipFlopResults, resume_flipflop, train_flipflop
from .settings import FlipFlopRun, FlipFlopTraining, RecurrentSettings
from .task import draw_trials
from .task_settings import FlipFlopSettings
from .trials import Trials
from .walking import walk
from .weights import load_network, save_network

__all__ = [
    "DecisionSettings",
    "FlipFlopResults",
    "FlipFlopRun",
    "FlipFlopSettings",
    "FlipFlopTraining",
    "RecurrentNetwork",
    "RecurrentSettings",
    "Trials",
    "draw_decisions",
    "draw_trials",
    "load_flipflop",
    "load_network",
    "read_keras",
    "resume_flipflop",
    "save_network",
    "train_flipflop",
    "walk",
]
