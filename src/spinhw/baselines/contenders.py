"""Who stands in a comparison: how each is searched, and how it is measured in the end."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from spinhw.baselines.baseline import Baseline, plain_guess
from spinhw.baselines.echo import EchoSettings
from spinhw.baselines.gated import GatedSettings
from spinhw.baselines.linear import LinearSettings
from spinhw.baselines.model import Ground, ModelSettings
from spinhw.baselines.source import Source
from spinhw.config import Settings, build
from spinhw.energy import software_ledger
from spinhw.errors import ConfigError
from spinhw.tasks import TaskSettings
from spinhw.training import (
    SILENT,
    Diverged,
    Progress,
    RunFolder,
    RunSettings,
    energy_ledger,
    load_settings,
    resume,
    train,
)
from spinhw.training.measures import headline_of
from spinhw.training.summary import counts
from spinhw.tuning import Searched, SearchedRecipe, SpaceSettings
from spinhw.tuning.trial import Values, written

NETWORK, GUESS = "spintronic", "plain guess"
_MODELS: dict[str, type[ModelSettings]] = {"linear": LinearSettings, "esn": EchoSettings, "gru": GatedSettings}
# The software peer: the same layers, densities, read-out and training, with tanh neurons that no device limits.
_PEER = (
    "network.kind=ctrnn",
    "network.saturation={kind: none}",
    "network.rate={kind: logistic}",
    "network.weight_limit=null",
)
NAMES = (*_MODELS, "ctrnn")


class Contender(ABC):
    """One model of a comparison.

    Args:
        name: Such as "gru".
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def searched(self) -> Searched | None:
        """How it is searched; None where there is nothing to search."""

    @abstractmethod
    def chosen(self, space: SpaceSettings | None, values: Values) -> Settings | None:
        """Return what is measured in the end, with the values that a search found; None where nothing is to be said."""

    @abstractmethod
    def measured(self, settings: Any, folder: Path, progress: Progress) -> Baseline:
        """Train and measure it on the final part, with the seeds that are reported.

        Args:
            settings: As `chosen` returned it.
            folder: Where a run may lie; it may be there from before, and goes on then.
            progress: Told what happens.
        """

    @abstractmethod
    def facts(self, settings: Any) -> dict[str, Any]:
        """Say more of it, as plain data."""

    def key(self, settings: Settings | None, source: Source) -> str:
        """Name what is measured: the same for the same model on the same sequences."""
        told = {} if settings is None else settings.model_dump(mode="json", by_alias=True, exclude={"run"})
        text = json.dumps([self.name, told, list(source.seeds), source.part], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Guess(Contender):
    """The answer that is always the same."""

    searched = None

    def __init__(self, source: Source) -> None:
        super().__init__(GUESS)
        self._source = source

    def chosen(self, space: SpaceSettings | None, values: Values) -> None:
        return None

    def measured(self, settings: None, folder: Path, progress: Progress) -> Baseline:
        return plain_guess(self._source.settings.task, self._source.seeds, self._source.part)

    def facts(self, settings: None) -> dict[str, Any]:
        return {"energy_basis": "nothing is computed"}


@dataclass(frozen=True)
class _SearchedModel:
    """Settings of a model as a search varies them, judged on the validation part of development seeds."""

    name: str
    kind: type[ModelSettings]
    source: Source
    changes: tuple[str, ...]

    def task(self, space: SpaceSettings) -> TaskSettings:
        return self.source.settings.task

    def settings(self, space: SpaceSettings, values: Values) -> ModelSettings:
        return _built(self.kind, self.name, self.changes, (*space.overrides, *written(space, values)))

    def score(self, space: SpaceSettings, settings: ModelSettings) -> float:
        settings_of, part = self.source.choosing(space.seeds)
        try:
            return fmean(settings.measured(_ground(settings_of), space.seeds, part, SILENT).values)
        except Diverged:
            return headline_of(settings_of.task).worst


class SoftwareModel(Contender):
    """A model of `spinhw.baselines`.

    Args:
        name: Its name there.
        source: What it stands beside.
        changes: Of its settings, as KEY=VALUE.
    """

    def __init__(self, name: str, source: Source, changes: Sequence[str]) -> None:
        super().__init__(name)
        self._kind, self._source, self._changes = _MODELS[name], source, tuple(changes)

    @property
    def searched(self) -> Searched:
        return _SearchedModel(self.name, self._kind, self._source, self._changes)

    def chosen(self, space: SpaceSettings | None, values: Values) -> ModelSettings:
        return _built(self._kind, self.name, self._changes, () if space is None else written(space, values))

    def measured(self, settings: ModelSettings, folder: Path, progress: Progress) -> Baseline:
        source = self._source
        return settings.measured(_ground(source.settings), source.seeds, source.part, progress)

    def facts(self, settings: ModelSettings) -> dict[str, Any]:
        constant = software_ledger(self._source.settings.energy, 0, 1, 1, 0.0).lines[0].source.removeprefix("1 x 1 x ")
        return {"energy_basis": f"estimated: multiply-adds x {constant}"}


class TrainedNetwork(Contender):
    """Networks that `spinhw train` trains: those of the recipe, or their software peer.

    Args:
        name: "spintronic" or "ctrnn".
        source: The recipe.
        changes: Of the recipe, for this one alone, as KEY=VALUE.
    """

    def __init__(self, name: str, source: Source, changes: Sequence[str]) -> None:
        super().__init__(name)
        self._source = source
        self._overrides = (*(source.overrides if name == NETWORK else (*source.plain_overrides, *_PEER)), *changes)

    @property
    def searched(self) -> Searched:
        return SearchedRecipe(self._source.config, (*self._overrides, *self._source.plain))

    def chosen(self, space: SpaceSettings | None, values: Values) -> RunSettings:
        found = () if space is None else written(space, values)
        seeds = f"training.seeds={list(self._source.seeds)}"
        return load_settings(self._source.config, (*self._overrides, *found, seeds))

    def measured(self, settings: RunSettings, folder: Path, progress: Progress) -> Baseline:
        opened = RunFolder.open(folder) if folder.exists() else None
        if opened is None:
            summary = train(settings, folder, progress).summary
        elif opened.summary_file.is_file():
            summary = opened.summary()
        else:
            summary = resume(folder, settings, progress).summary
        return of_summary(self.name, settings, summary)

    def facts(self, settings: RunSettings) -> dict[str, Any]:
        return {"energy_basis": energy_basis(settings)}


class FinishedRun(Contender):
    """The networks of a run folder, as its summary has them.

    Args:
        source: The run.
    """

    searched = None

    def __init__(self, source: Source) -> None:
        super().__init__(NETWORK)
        self._source = source

    def chosen(self, space: SpaceSettings | None, values: Values) -> RunSettings:
        return self._source.recorded

    def measured(self, settings: RunSettings, folder: Path, progress: Progress) -> Baseline:
        whole = of_summary(self.name, settings, self._source.summary())
        by_seed = dict(zip(settings.training.seeds, whole.values, strict=True))
        values = [by_seed[seed] for seed in self._source.seeds]
        return Baseline(whole.name, values, whole.weights, whole.energy_j, f"trained, {self._source.run}")

    def facts(self, settings: RunSettings) -> dict[str, Any]:
        return {"energy_basis": energy_basis(settings)}


def contender(name: str, source: Source, changes: Sequence[str] = ()) -> Contender:
    """Make a contender by its name.

    Args:
        name: Its name.
        source: What it stands beside.
        changes: Of its own settings, as KEY=VALUE.
    """
    if name == GUESS:
        return Guess(source)
    if name == NETWORK and source.run is not None:
        return FinishedRun(source)
    return SoftwareModel(name, source, changes) if name in _MODELS else TrainedNetwork(name, source, changes)


def _built(kind: type[ModelSettings], name: str, changes: Sequence[str], found: Sequence[str]) -> ModelSettings:
    """Make settings of what the user says of a model, and what a search found.

    Raises:
        ConfigError: A key or a value does not fit; names what the user wrote.
    """
    source = f"the space of {name}"
    try:
        build(kind, {}, source, changes)
    except ConfigError as error:
        what = error.what.replace("--set ", f"--set {name}.", 1)
        raise ConfigError(what, seen=error.seen, allowed=error.allowed, todo=error.todo) from error
    return build(kind, {}, source, (*changes, *found))


def of_summary(name: str, settings: RunSettings, summary: Mapping[str, Any]) -> Baseline:
    """Read what networks reached: their converged headline on the final part."""
    neurons, synapses = settings.network.topology().neurons, settings.network.topology().synapses()
    values: Sequence[float] = summary[f"{settings.task.headline}_converged"]["per_seed"]
    about = f"{neurons} neurons in layers {list(settings.network.layers)}, {summary['epochs']} epochs"
    energy_j = energy_ledger(settings).scaled_per_inference_j
    return Baseline(name, list(values), synapses + neurons + settings.network.outputs, energy_j, about)


def energy_basis(settings: RunSettings) -> str:
    """Say where the energy of networks comes from."""
    lines = [line for line in energy_ledger(settings).of("inference") if line.form in ("power", "software")]
    return "; ".join(f"{line.basis}: {line.part} {line.source}" for line in lines)


def _ground(settings: RunSettings) -> Ground:
    return Ground(settings.task, counts(settings.network)[0], settings.training, settings.energy)
