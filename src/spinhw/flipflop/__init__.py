"""The flip-flop RNN: the software reference after Jarne (2023, 2024), trained and understood."""

from spinhw.flipflop.decisions import DecisionSettings, draw_decisions
from spinhw.flipflop.keras import read_keras
from spinhw.flipflop.network import RecurrentNetwork
from spinhw.flipflop.run import FlipFlopResults, load_flipflop, resume_flipflop, train_flipflop
from spinhw.flipflop.settings import FlipFlopRun, FlipFlopTraining, RecurrentSettings
from spinhw.flipflop.task import FlipFlopSettings, draw_trials
from spinhw.flipflop.trials import Trials
from spinhw.flipflop.walking import walk
from spinhw.flipflop.weights import load_network, save_network

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
