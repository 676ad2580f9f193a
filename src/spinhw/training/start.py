"""Starting a run from the networks that another one trained, in place of random weights."""

from pathlib import Path

import torch

from spinhw.gradients import put_resonances
from spinhw.states import part_of
from spinhw.surrogate import members_of_chains
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.learner import Learner
from spinhw.training.refusals import refuse_start
from spinhw.training.run_folder import RunFolder
from spinhw.training.settings import RunSettings
from spinhw.training.surrogate import known_chains


def start_from(learner: Learner, settings: RunSettings) -> None:
    """Give every seed of a run that has begun the weights that `training.start` trained for it; nothing without one.

    The optimiser starts anew. Where resonators are known in one of the runs, it is the weights that act which go on:
    tunings are those that make them here.

    Args:
        learner: Just made; its networks are changed.
        settings: The run.

    Raises:
        ConfigError: The other run has other seeds, networks or images, or no checkpoint.
    """
    if settings.training.start is None:
        return
    refuse_start(settings)
    folder = RunFolder.open(Path(settings.training.start))
    other = folder.settings()
    tensors, _ = load_checkpoint(folder.checkpoint)
    counted = {"best": "best", "average": "average"}.get(other.training.kept, "network")
    rows = torch.tensor([other.training.seeds.index(seed) for seed in learner.seeds])
    weights = {name: tensors[f"{counted}/{name}"][rows] for name in learner.network.state_dict()}
    # Tunings of another run mean the weights that acted there, on the resonators that were known there.
    there, here = known_chains(other, learner.seeds), learner.known
    found = part_of(tensors, "refits/resonances" if counted == "network" else "kept/resonances")
    moved = {name: one[rows] if len(one) > 1 else one for name, one in found.items()}
    for network in {learner.network, learner.evaluated}:
        if there or here:
            network.use_resonators(members_of_chains([one.chains for one in there]) if there else None)
        network.load_state_dict(weights)
        put_resonances(network, moved)
        if there or here or any(network.known(name) is not None for name in network.tuned()):
            network.use_resonators(members_of_chains([one.chains for one in here]) if here else None, keep_weights=True)
