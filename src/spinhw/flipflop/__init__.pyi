from .keras import read_keras
from .load import load_flipflop
from .run import FlipFlopResults, resume_flipflop, train_flipflop
from .settings import FlipFlopRun, FlipFlopTraining
from .walking import walk
from .weights import load_network, save_network

__all__ = [
    "FlipFlopResults",
    "FlipFlopRun",
    "FlipFlopTraining",
    "load_flipflop",
    "load_network",
    "read_keras",
    "resume_flipflop",
    "save_network",
    "train_flipflop",
    "walk",
]
