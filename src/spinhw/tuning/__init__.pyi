from .search import Search, Tried, save_best, trials_csv
from .space import ChoiceSettings, RangeSettings, SpaceSettings

__all__ = [
    "ChoiceSettings",
    "RangeSettings",
    "Search",
    "SpaceSettings",
    "Tried",
    "save_best",
    "trials_csv",
]
