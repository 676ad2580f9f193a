"""What is varied of each model: a file of one's own, or the shipped one, made to fit the task."""

from pathlib import Path

from spinhw.baselines.source import Source
from spinhw.config import find_example, load
from spinhw.tuning import RangeSettings, SpaceSettings
from spinhw.tuning.space import AxisSettings

# The shipped spaces are written for samples of this length: what is a time or a frequency moves with the samples.
_WRITTEN_FOR_S = 1e-9
_POWERS = {"ns": 1, "MHz": -1}


def space_of(name: str, file: Path | None, source: Source) -> SpaceSettings:
    """Read what is varied of a model.

    Args:
        name: Of the model.
        file: The user's, taken as it is; None for the shipped one, without what would change nothing here, and with
            times that fit the samples.
        source: The recipe.

    Raises:
        ConfigError: There is no such file, or it is no space.
    """
    if file is not None:
        return load(SpaceSettings, find_example(file))
    shipped = load(SpaceSettings, find_example(Path("examples") / "baselines" / f"{name}.yaml"))
    idle = _idle(source)
    axes = {key: _moved(axis, source) for key, axis in shipped.axes.items() if key not in idle}
    return shipped.model_copy(update={"axes": axes})


def _idle(source: Source) -> set[str]:
    """Name the axes that change nothing: of a task, or of a read-out in closed form."""
    task, found = source.settings.task, set()
    found |= {"pooled", "unequal"} if task.per_step else {"window"}
    if task.shortest == task.samples:
        found.add("unequal")
    if source.settings.training.trainable == "readout":
        found |= {"training.optimiser.learning_rate", "network.out_gain"}
    return found


def _moved(axis: AxisSettings, source: Source) -> AxisSettings:
    power = _POWERS.get(axis.unit) if isinstance(axis, RangeSettings) else None
    factor = source.settings.task.sample_interval_s / _WRITTEN_FOR_S
    if power is None or factor == 1 or not isinstance(axis, RangeSettings):
        return axis
    return axis.model_copy(update={"lowest": axis.lowest * factor**power, "highest": axis.highest * factor**power})
