"""The gated recurrent units: torch's GRU with as many units as the network has neurons, trained as the house trains."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from spinhw.baselines.baseline import Baseline, arithmetic_j, headline, opened
from spinhw.baselines.model import Ground, ModelSettings
from spinhw.baselines.readout import solved
from spinhw.baselines.rows import Shown
from spinhw.network import EVERY_STEP, Answer, RecurrentNetwork, RecurrentSettings
from spinhw.tasks import Batch, Feed, Part
from spinhw.training import Progress, RunFolder
from spinhw.training.interrupt import Interrupt
from spinhw.training.loop import train_until
from spinhw.training.optimiser_settings import OptimiserSettings, Rate
from spinhw.training.software_ensemble import Ensemble
from spinhw.training.software_member import SoftwareTraining

# Where the recipe only solves a read-out, and so says nothing of epochs and of batches for gradients.
_EPOCHS, _BATCH_SIZE = 100, 8


class GatedOptimiserSettings(OptimiserSettings):
    """Adam for gated units."""

    learning_rate: Rate = Field(default=3e-3, description="Adam's learning rate at the start; above 0.")
    schedule: Literal["paper", "cosine"] = Field(
        default="cosine", description=OptimiserSettings.model_fields["schedule"].description
    )
    gradient_clip: float | None = Field(
        default=None, gt=0.0, description=OptimiserSettings.model_fields["gradient_clip"].description
    )
    gradient_norm: float | None = Field(
        default=1.0, gt=0.0, description=OptimiserSettings.model_fields["gradient_norm"].description
    )
    average_decay: None = Field(default=None, description="Null: the last weights count.")


class GatedSettings(ModelSettings):
    """A GRU (Cho et al. 2014, as torch has it) with a linear read-out, from the state 0."""

    units: int | None = Field(
        default=None, ge=1, le=8192, description="Units, 1 to 8192; null for as many as the network has neurons."
    )
    epochs: int | None = Field(
        default=None,
        ge=0,
        description="Passes through the training part, 0 or above; null for those of the recipe, or 100 where it only "
        "solves a read-out.",
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        description="Sequences for each step, at least 1; null for that of the recipe, or 8 where it only solves a "
        "read-out.",
    )
    optimiser: GatedOptimiserSettings = Field(
        default=GatedOptimiserSettings(), description="Adam and its learning rate."
    )
    input_noise: float | None = Field(
        default=None,
        ge=0.0,
        description="Standard deviation of noise on the inputs while training, 0 or above; null: of the recipe.",
    )
    label_smoothing: float | None = Field(
        default=None,
        ge=0.0,
        lt=1.0,
        description="Probability spread over all classes, 0 to below 1; null: of the recipe.",
    )
    solve_readout: bool | None = Field(
        default=None,
        description="Whether the read-out is solved in closed form behind the trained units; null: where the recipe "
        "does so.",
    )

    def measured(self, ground: Ground, seeds: Sequence[int], part: Part, progress: Progress) -> Baseline:
        task, shown = ground.task, opened(ground.task, part, seeds)
        ensemble, answer = self._ensemble(ground, seeds), _answer(ground)
        with TemporaryDirectory(prefix="spinhw-gru-") as place, Interrupt() as interrupt:
            folder = RunFolder.create(Path(place) / "run", self)
            train_until(ensemble.epochs, ensemble, folder, progress, interrupt)
        solves = ground.training.solve_readout or ground.training.trainable == "readout"
        solve = solves if self.solve_readout is None else self.solve_readout
        if solve:
            for one in ensemble.members:
                _solve(one.network, answer, Shown.of(shown, one.seed, task.outputs))
        values = [headline(shown, one.seed, part, partial(_answers, one.network, answer)) for one in ensemble.members]
        network = ensemble.members[0].network
        units, weights = network.settings.units, sum(one.numel() for one in network.parameters())
        energy_j = arithmetic_j(ground.energy, task, 3 * units * (units + task.inputs), units * task.outputs)
        about = f"{units} gated units, {ensemble.epochs} epochs at {self.optimiser.learning_rate:.3g}; all is trained"
        about += ", and the read-out solved in the end" if solve else ""
        return Baseline("gru", values, weights, energy_j, about)

    def _ensemble(self, ground: Ground, seeds: Sequence[int]) -> Ensemble:
        task, training = ground.task, ground.training
        solved_only = training.trainable == "readout"
        usual = (_EPOCHS, _BATCH_SIZE) if solved_only else (training.epochs, training.batch_size)
        epochs = usual[0] if self.epochs is None else self.epochs
        noise = training.input_noise if self.input_noise is None else self.input_noise
        smoothing = training.label_smoothing if self.label_smoothing is None else self.label_smoothing
        feed = Feed(self.batch_size or usual[1], noise, training.augmentation, epochs)
        return Ensemble(
            RecurrentSettings(
                kind="gru", inputs=task.inputs, units=self.units or ground.units, outputs=task.outputs, bias=True
            ),
            SoftwareTraining(self.optimiser, epochs, _answer(ground), smoothing),
            seeds,
            task.open(feed),
            threads=training.threads,
            save_every=epochs + 1,
        )


@torch.no_grad()
def _answers(network: RecurrentNetwork, answer: Answer, batch: Batch) -> Tensor:
    """Return the answers to a batch of one member, (1, batch, answer, output)."""
    return answer.take(network(batch.inputs[0])[None], batch.lengths)


@torch.no_grad()
def _solve(network: RecurrentNetwork, answer: Answer, shown: Shown) -> None:
    """Give a trained network the read-out that ridge regression finds behind its units."""

    def states(batch: Batch) -> Tensor:
        found = network.run(batch.inputs[0]).states
        if found is None:
            raise TypeError("the states were not recorded")
        return answer.take(found, None if batch.lengths is None else batch.lengths[0])

    readout = solved(shown, states)
    network.w_out.copy_(readout.weights)
    network.b_out.copy_(readout.bias)


def _answer(ground: Ground) -> Answer:
    return EVERY_STEP if ground.task.per_step else Answer()
