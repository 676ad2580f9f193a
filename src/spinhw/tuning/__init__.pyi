from .search import Search, Tried, save_best, trials_csv
from .space import ChoiceSettings, RangeSettings, SpaceSettings
from .trial import Searched, SearchedRecipe

__all__ = [
    "ChoiceSettings",
    "RangeSettings",
    "Search",
    "Searched",
    "SearchedRecipe",
    "SpaceSettings",
    "Tried",
    "save_best",
    "trials_csv",
]
