"""How networks are trained: seeds, epochs, optimiser, what is trained and with which gradient."""

from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from spinhw.config import Moved, Settings
from spinhw.errors import MisfitError
from spinhw.gradients import ModeName, WatchSettings
from spinhw.rollout import Engine
from spinhw.tasks import AugmentationSettings
from spinhw.training.loop_settings import LoopSettings, RefitSettings
from spinhw.training.model_settings import DrawnChipsSettings
from spinhw.training.optimiser_settings import OptimiserSettings
from spinhw.training.plateau import PlateauSettings


class TrainingSettings(Settings):
    """How the networks are trained; every seed is a network of its own, and all advance side by side."""

    moved = {
        "learning_rate": Moved("optimiser.learning_rate"),
        "schedule": Moved("optimiser.schedule"),
        "schedule_per": Moved("optimiser.schedule_per"),
        "learning_rate_decay": Moved("optimiser.decay"),
        "gradient_clip": Moved("optimiser.gradient_clip"),
        "gradient_norm": Moved("optimiser.gradient_norm"),
        "weight_average": Moved("optimiser.average_decay"),
        "refit": Moved("refit.when", lambda when: "never" if when == "none" else when),
        "refit_images": Moved("refit.sequences"),
        "refit_every": Moved("refit.every"),
        "refit_synapse_error": Moved("refit.synapse_error"),
        "watch": Moved("drift"),
        "loop_epochs": Moved("loop.epochs"),
        "loop_learning_rate": Moved("loop.learning_rate"),
        "loop_learning_rate_decay": Moved("loop.decay"),
        **{
            name: Moved(f"loop.{name}")
            for name in (
                "averages",
                "mask_after",
                "perturbation",
                "directions",
                "observer_gain",
                "oracle_steps_per_ns",
                "align_every",
            )
        },
    }
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=tuple(range(10)),
        min_length=1,
        description="One network each: its split, masks, initial weights and noise.",
    )
    start: str | None = Field(
        default=None,
        min_length=1,
        description="Run folder whose trained networks, seed by seed, are the start; null for random weights.",
    )
    trainable: Literal["all", "biases_and_readout", "readout"] = Field(
        default="all",
        description="What is trained: 'all', 'biases_and_readout' (biases of the neurons, w_out and b_out), the cheap "
        "way to make up for drift, or 'readout' (w_out and b_out alone): solved in closed form, by ridge regression "
        "on what the neurons of the last layer showed, from one look at each training sequence; of classes on 1 for "
        "the right one and 0 for the others. There is no gradient, and `optimiser` has no part in it.",
    )
    solve_readout: bool = Field(
        default=False,
        description="Whether the last epoch takes no step of the optimiser and solves for the read-out instead, as "
        "trainable: readout does, behind the neurons as trained until then; by simulation at fine_steps_per_ns. Worth "
        "its epoch where values are answered.",
    )
    ridge: float | None = Field(
        default=None,
        gt=0.0,
        description="For a read-out that is solved. What a weight costs, in units of the mean variance of y of a "
        "neuron; above 0. Null: chosen by generalised cross-validation within the training part.",
    )
    chips: DrawnChipsSettings | None = Field(
        default=None,
        description="Robust training: epochs without a device train on chips drawn anew again and again; null for "
        "nominal ones.",
    )
    epochs: int = Field(default=45, ge=0, description="Passes through the training part, 0 or above.")
    plateau: PlateauSettings | None = Field(
        default=None, description="Ends training earlier, where it gets no better; null for all `epochs`."
    )
    batch_size: int = Field(default=120, ge=1, description="Sequences for each step of the optimiser, at least 1.")
    optimiser: OptimiserSettings = Field(default=OptimiserSettings(), description="Adam and its learning rate.")
    keep: Literal["last", "average", "best"] | None = Field(
        default=None,
        description="Which weights count: the 'last', their running 'average' (of decay optimiser.average_decay), or "
        "the 'best' of all looks, with the lowest loss on the validation part. Null: the average where its decay is "
        "set, else the last.",
    )
    input_noise: float = Field(
        default=0.0,
        ge=0.0,
        description="Standard deviation of Gaussian noise on the (scaled) input while training; 0 or above.",
    )
    label_smoothing: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="Probability spread over all classes, 0 to below 1."
    )
    augmentation: AugmentationSettings = Field(
        default=AugmentationSettings(), description="Random maps of the training images, of tasks that have some."
    )
    substeps: int = Field(
        default=2, ge=1, le=1000, description="Integration steps for each sample interval while training, 1 to 1000."
    )
    order: Literal[1, 2] = Field(
        default=2, description="Order of the integration: 1 (frozen drive) or 2 (midpoint drive)."
    )
    coarse_share: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Share of the epochs without a device, the first ones, that are trained with a single integration "
        "step per sample, which costs less; 0 to 1. The rest, and every accuracy, uses `substeps`.",
    )
    fine_steps_per_ns: int = Field(
        default=16, ge=16, le=1000, description="Steps per nanosecond of the converged accuracy, 16 to 1000."
    )
    final_part: Literal["test", "validation"] = Field(
        default="test",
        description="Part that is measured in the end, where the task has it: 'test', or 'validation', which leaves "
        "the test part alone while hyper-parameters are chosen.",
    )
    evaluate_every: int = Field(
        default=5, ge=1, description="Epochs between looks at the validation part, where the task has one, at least 1."
    )
    checkpoint_every: int = Field(default=1, ge=1, description="Epochs between checkpoints, at least 1.")
    engine: Engine = Field(
        default="auto",
        description="What integrates: 'reference' (plain torch), 'cpu' (compiled), 'auto' for the fastest.",
    )
    gradient: ModeName | None = Field(
        default=None,
        description="Where the gradient comes from. 'surrogate': a model alone, no device. With the device in the "
        "loop the loss is the device's own: 'output' (only the read-out is measured, the way back is the model's), "
        "'layerwise' (each layer's model is driven by what was measured of the layer before), 'observer' "
        "(experimental), 'spsa' and 'finite_difference' (no model), 'oracle' (the truth of a simulated chip). Null: "
        "'output' where there is a device, else 'surrogate'.",
    )
    loop: LoopSettings = Field(default=LoopSettings(), description="Training with the device in the loop.")
    refit: RefitSettings = Field(
        default=RefitSettings(), description="Fits of the model to the device in the loop, from its own batches."
    )
    drift: WatchSettings | None = Field(
        default=None, description="Watch for drift of the device in the loop; null for none."
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Threads of torch, 1 to 1024; null for torch's own choice. The last bits of a result depend on it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _one_look_is_enough_for_a_readout(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("trainable") == "readout":
            return {"epochs": 1} | data
        return data

    @property
    def loop_start(self) -> int:
        """First epoch, counted from 0, that has a device in the loop; `epochs` where none has."""
        if self.gradient in (None, "surrogate"):
            return self.epochs
        return max(0, self.epochs - (self.epochs if self.loop.epochs is None else self.loop.epochs))

    @property
    def solves(self) -> bool:
        """Whether the last epoch solves for the read-out."""
        return self.trainable == "readout" or self.solve_readout

    @property
    def kept(self) -> Literal["last", "average", "best"]:
        """Which weights count."""
        return self.keep or ("last" if self.optimiser.average_decay is None else "average")

    @property
    def can_be_longer(self) -> bool:
        """Whether the first epochs would be the same in a training of more of them."""
        if self.solves:
            return False
        in_time = self.optimiser.schedule == "paper" and self.coarse_share == 0 and self.kept != "best"
        return in_time and self.loop_start == self.epochs

    def substeps_in(self, epoch: int) -> int:
        """Integration steps per sample that an epoch, counted from 0, is trained with."""
        return 1 if epoch < self.coarse_share * self.loop_start else self.substeps

    @model_validator(mode="after")
    def _a_readout_alone_is_solved(self) -> Self:
        if self.trainable != "readout":
            return self
        without = {
            "epochs": (self.epochs, 1),
            "coarse_share": (self.coarse_share, 0.0),
            "label_smoothing": (self.label_smoothing, 0.0),
            "keep": (self.kept, "last"),
            "plateau": (self.plateau and "given", None),
            "chips": (self.chips and "given", None),
            "drift": (self.drift and "given", None),
            "refit.when": ("online" if self.refit.when == "online" else None, None),
            "loop.align_every": (self.loop.align_every, None),
            "gradient": (None if self.gradient in ("surrogate", "output") else self.gradient, None),
        }
        wrong = {name: seen for name, (seen, allowed) in without.items() if seen != allowed}
        if wrong:
            lines = {"epochs": "1", "coarse_share": "0", "label_smoothing": "0", "keep": "last", "gradient": "output"}
            raise MisfitError(
                "training.trainable 'readout' is solved from one look at each sequence, without a gradient",
                seen=", ".join(f"training.{name} {seen}" for name, seen in wrong.items()),
                allowed=", ".join(f"training.{name} {lines.get(name, 'null')}" for name in wrong),
                todo="write these",
            )
        return self

    @model_validator(mode="after")
    def _a_ridge_has_its_readout(self) -> Self:
        if self.ridge is not None and not self.solves:
            raise MisfitError(
                "training.ridge is for read-outs in closed form",
                seen=f"training.trainable {self.trainable}, training.solve_readout false",
                allowed="training.trainable: readout, or training.solve_readout: true",
                todo="leave training.ridge out, or write one of these",
            )
        return self

    @model_validator(mode="after")
    def _what_is_solved_last_counts(self) -> Self:
        if not self.solve_readout or self.trainable == "readout":
            return self
        without = {
            "epochs": (self.epochs, self.epochs >= 1, "1 and above"),
            "keep": (self.kept, self.kept == "last", "last"),
            "plateau": ("given", self.plateau is None, "null"),
            "gradient": (self.gradient, self.gradient in (None, "surrogate", "output", "layerwise"), "output"),
        }
        wrong = {name: seen for name, (seen, fine, _) in without.items() if not fine}
        if wrong:
            raise MisfitError(
                "training.solve_readout solves for the read-out in the last epoch, of the networks as they are then",
                seen=", ".join(f"training.{name} {seen}" for name, seen in wrong.items()),
                allowed=", ".join(f"training.{name}: {without[name][2]}" for name in wrong),
                todo="write these, or leave training.solve_readout out",
            )
        return self

    @model_validator(mode="after")
    def _one_network_and_one_rate_per_seed(self) -> Self:
        twice = [str(seed) for seed, count in Counter(self.seeds).items() if count > 1]
        if twice:
            raise ValueError(f"seeds must differ, and {', '.join(twice)} stands there more than once")
        decay, rates = self.optimiser.average_decay, self.optimiser.learning_rate
        if self.keep is not None and (self.keep == "average") != (decay is not None):
            raise ValueError(
                f"keep is '{self.keep}' and optimiser.average_decay {decay}: an average needs its decay, and nothing "
                "else has one"
            )
        if isinstance(rates, tuple) and len(rates) != len(self.seeds):
            raise ValueError(
                f"optimiser.learning_rate lists {len(rates)} rates for {len(self.seeds)} seeds; give one for each"
            )
        return self
