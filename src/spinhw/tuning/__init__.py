"""Search for hyper-parameters on development seeds and validation images."""

from spinhw.tuning.search import Search, Tried, save_best, trials_csv
from spinhw.tuning.space import ChoiceSettings, RangeSettings, SpaceSettings

__all__ = ["ChoiceSettings", "RangeSettings", "Search", "SpaceSettings", "Tried", "save_best", "trials_csv"]
