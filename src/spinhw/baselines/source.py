"""What baselines stand beside: a run folder, or a recipe."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from spinhw.config import find_recipe
from spinhw.device import is_bench
from spinhw.errors import ConfigError
from spinhw.shell import typed
from spinhw.tasks import Part
from spinhw.training import RunFolder, RunSettings, load_settings
from spinhw.training.measures import headline_of
from spinhw.tuning.trial import choosing_settings


class Source:
    """A run folder or a recipe, with the seeds that are reported.

    Args:
        place: Run folder, YAML file, or name of a shipped recipe.
        overrides: Of a recipe, as KEY=VALUE.
        seeds: Those that are reported; None for all of the run.

    Raises:
        ConfigError: There is no such run or recipe, the run has not finished, or does not have these seeds.
    """

    # Whatever a comparison on the simulator leaves out of a recipe.
    plain = (
        "device=null",
        "calibration=null",
        "training.gradient=surrogate",
        "training.chips=null",
        "training.drift=null",
        "training.start=null",
        "loggers=[]",
    )

    def __init__(self, place: Path, overrides: Sequence[str] = (), seeds: Sequence[int] | None = None) -> None:
        self.run = place if place.is_dir() else None
        if self.run is not None and overrides:
            raise ConfigError(
                "--set changes a recipe, and this is a run that was trained",
                seen=overrides[0],
                allowed="the run as it is",
                todo=f"name its recipe to train another one: {place / 'config.yaml'}",
            )
        self._folder = None if self.run is None else RunFolder.open(place)
        self.config = find_recipe(place) if self._folder is None else self._folder.config
        self.overrides = tuple(overrides)
        self.recorded = load_settings(self.config, self.overrides)
        self._refuse_what_is_none(place)
        self.seeds = self.recorded.training.seeds if seeds is None else tuple(seeds)
        if self._folder is not None:
            self._refuse_other_seeds()
            self.summary()
        self.settings = load_settings(self.config, (*self.plain_overrides, f"training.seeds={list(self.seeds)}"))

    @property
    def name(self) -> str:
        """What it is called."""
        return self.config.stem if self.run is None else self.run.name

    @property
    def plain_overrides(self) -> tuple[str, ...]:
        """Overrides that make a recipe of its task, network and training alone."""
        return (*self.overrides, *self.plain)

    @property
    def part(self) -> Part:
        """The part that is measured in the end."""
        return self.settings.final_part

    def choosing(self, seeds: Sequence[int]) -> tuple[RunSettings, Part]:
        """Return the run by which hyper-parameters are chosen, on other seeds, and on which part."""
        if self._chosen is None or self._chosen.training.seeds != tuple(seeds):
            self._chosen = choosing_settings(self.config, self.plain_overrides, seeds)
        return self._chosen, self._chosen.final_part

    _chosen: RunSettings | None = None

    def summary(self) -> dict[str, Any]:
        """Read what came out of the run.

        Raises:
            ConfigError: It has not finished, or does not say how well its networks do.
        """
        if self._folder is None:
            raise ConfigError("this is a recipe, and no run", seen=self.config, todo="train it")
        found, name = self._folder.summary(), f"{headline_of(self.recorded.task).name}_converged"
        if name not in found:
            raise ConfigError(
                f"{self._folder.summary_file}: {name} is missing",
                allowed="the summary of a finished run",
                todo=f"measure it anew with: {self._folder.resume_command}",
            )
        return found

    @cached_property
    def plainly(self) -> dict[str, Any]:
        """What is compared, as plain data."""
        return {
            "run": None if self.run is None else str(self.run),
            "recipe": self.recorded.model_dump(mode="json", by_alias=True, exclude={"run"}),
            "data": self.recorded.task.fingerprints,
        }

    def _refuse_what_is_none(self, place: Path) -> None:
        """Refuse the software peer, and a recipe that would be trained on a bench unasked."""
        if self.recorded.network.kind != "spintronic":
            raise ConfigError(
                f"{place}: this is the software peer, which is a baseline itself",
                seen=f"network.kind {self.recorded.network.kind}",
                allowed="network.kind spintronic",
                todo="name the run or recipe of oscillators that it is a peer of",
            )
        device = self.recorded.device
        if self.run is None and device is not None and is_bench(device):
            raise ConfigError(
                f"{place}: this recipe is trained on a bench, and a comparison trains nothing there",
                seen=f"device {device.id}",
                allowed="a run folder, or a recipe without a bench",
                todo=f"train it, and name its run folder: spinhw train {typed(place)}",
            )

    def _refuse_other_seeds(self) -> None:
        there = self.recorded.training.seeds
        missing = [seed for seed in self.seeds if seed not in there]
        if missing:
            raise ConfigError(
                f"--seed {missing[0]}: the run has no network of this seed",
                seen=missing[0],
                allowed=", ".join(map(str, there)),
                todo="name some of these, or leave --seed out",
            )
