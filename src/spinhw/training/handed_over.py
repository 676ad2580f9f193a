"""Tasks that are handed over in Python: arrays, a dataset of torch, or a task of one's own."""

from collections.abc import Mapping
from typing import Any

from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.tasks import GivenSettings, Task, TaskSettings
from spinhw.tasks.series import Series, SeriesSettings
from spinhw.training.run_folder import RunFolder
from spinhw.training.settings import RunSettings


def with_task(settings: RunSettings, task: Any) -> RunSettings:
    """Return a run with another task; inputs and outputs of its network follow from that.

    Args:
        settings: The run.
        task: Series of `spinhw.tasks.series_of`, a map-style dataset of torch whose items are pairs of sequence and
            label, a `spinhw.Task`, or settings of a task. Series and datasets are split and scaled as a run's task of
            kind 'series' says, or by its defaults.

    Raises:
        ConfigError: It is none of these, or does not fit.
    """
    found = task_settings(task, settings.task).resolved()
    network = settings.network.model_copy(update={"inputs": found.inputs, "outputs": found.outputs})
    return RunSettings(**(dict(settings) | {"task": found, "network": network}))


def task_settings(task: Any, said: Any, source: str = "") -> TaskSettings:
    """Make settings of a task that is handed over.

    Args:
        task: As for `with_task`.
        said: The run's own task, as settings or as YAML has it; None for nothing.
        source: File that it stands in, for messages.

    Raises:
        ConfigError: It is nothing to train on.
    """
    if isinstance(task, TaskSettings):
        return task
    if isinstance(task, Task):
        return GivenSettings.of(task, said if isinstance(said, GivenSettings) else None)
    if isinstance(said, Mapping) and said.get("kind") == "series":
        said = build(SeriesSettings, said, f"{source}: task")
    asked = said if isinstance(said, SeriesSettings) else SeriesSettings()
    if not isinstance(task, Series):
        from spinhw.tasks.series import series_of_dataset

        task = series_of_dataset(task, asked.answers_with)
    return asked.holding(task)


def with_data(folder: RunFolder, settings: RunSettings, task: Any = None) -> RunSettings:
    """Return the settings of a run that was begun, with its data at hand.

    Args:
        folder: Of the run.
        settings: As they stand there.
        task: What the run was begun with, where it was handed over in Python; None where it was not.

    Raises:
        ConfigError: The data are not there, or other ones.
    """
    if task is not None:
        found = task_settings(task, settings.task)
        settings = settings.model_copy(update={"task": found.resolved()})
    then, now = folder.task_facts().get("fingerprints"), settings.task.fingerprints
    if then is not None and then != now:
        raise ConfigError(
            f"{folder.path}: the run was begun with other data",
            seen=", ".join(now or ["none"]),
            allowed=", ".join(map(str, then)),
            todo="bring the data back as they were, or train into another folder",
        )
    return settings
