"""What a rollout is asked to do: everything that an engine needs to know, in one object that all engines take."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from spinhw.rollout.parameters import Extras, Neurons, Weights
from spinhw.rollout.steps import Steps

Named = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class NetworkProblem:
    """A whole network over time; the fields are the arguments of `spinhw.rollout.rollout`, checked by `checks`."""

    weights: Weights
    neurons: Neurons
    inputs: Tensor
    steps: Steps
    cell: str = "spintronic"
    drive_rate_per_s: float = 1e9
    initial: str | Tensor = "rest"
    extras: Extras = Extras()
    overrides: Mapping[int, Tensor] = field(default_factory=dict)
    loop_delay_s: float = 0.0
    record_drive: bool = False
    record_last: int | None = None

    @property
    def signal(self) -> Tensor:
        """What comes from outside: its type and place are those of the whole problem."""
        return self.inputs

    @property
    def members(self) -> int:
        """Networks side by side."""
        return self.weights.members

    @property
    def batch(self) -> int:
        """Sequences that each member reads."""
        return self.inputs.shape[1]

    @property
    def samples(self) -> int:
        """Sample intervals."""
        return self.inputs.shape[2]

    @property
    def width(self) -> int:
        """Neurons of all layers together."""
        return sum(self.weights.layers)

    @property
    def recorded(self) -> int:
        """Sample intervals at the end that are returned."""
        return self.samples if self.record_last is None else self.record_last

    @property
    def bounded(self) -> bool:
        """Whether the drive is saturated."""
        return self.cell == "spintronic" and self.neurons.bounds is not None

    def tensors(self) -> Named:
        """Give every tensor by the name that people know it by."""
        by_layer = {
            f"weights.{kind}[{layer}]": tensor
            for kind in ("w_ext", "w_int", "bias")
            for layer, tensor in enumerate(getattr(self.weights, kind))
        }
        overrides = {f"overrides[{layer}]": tensor for layer, tensor in self.overrides.items()}
        return {"inputs": self.inputs} | by_layer | _common(self) | overrides


@dataclass(frozen=True, eq=False)
class DrivenProblem:
    """Uncoupled oscillators under a given drive; the fields are the arguments of `spinhw.rollout.rollout_driven`."""

    drive: Tensor
    neurons: Neurons
    steps: Steps
    at_nodes: bool = False
    initial: str | Tensor = "rest"
    extras: Extras = Extras()

    @property
    def signal(self) -> Tensor:
        """What comes from outside: its type and place are those of the whole problem."""
        return self.drive

    @property
    def members(self) -> int:
        """Networks side by side."""
        return self.drive.shape[0]

    @property
    def batch(self) -> int:
        """Sequences that each member is given."""
        return self.drive.shape[1]

    @property
    def samples(self) -> int:
        """Sample intervals."""
        return (self.drive.shape[2] - 1) // self.steps.substeps if self.at_nodes else self.drive.shape[2]

    @property
    def width(self) -> int:
        """Oscillators of a member."""
        return self.drive.shape[3]

    @property
    def recorded(self) -> int:
        """Sample intervals at the end that are returned: all."""
        return self.samples

    def tensors(self) -> Named:
        """Give every tensor by the name that people know it by."""
        return {"drive": self.drive} | _common(self)


Problem = NetworkProblem | DrivenProblem


def _common(problem: Problem) -> Named:
    """Give the tensors that both kinds of problem have."""
    neurons, extras = problem.neurons, problem.extras
    names = ("gamma", "sigma", "q", "cutoff_hz", "gain", "bias_drive")
    found: dict[str, Tensor | None] = {f"neurons.{name}": getattr(neurons, name) for name in names}
    if neurons.bounds is not None:
        found |= {f"neurons.bounds.{name}": getattr(neurons.bounds, name) for name in ("lowest", "highest")}
    found["initial"] = problem.initial if isinstance(problem.initial, Tensor) else None
    found |= {f"extras.{name}": getattr(extras, name) for name in ("noise", "diffusion_per_s", "defect")}
    return {name: tensor for name, tensor in found.items() if tensor is not None}
