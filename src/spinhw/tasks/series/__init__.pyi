from .arrays import series_of, series_of_dataset
from .packages import is_packaged
from .prepared import Prepared, prepare
from .reading import read_series
from .series import Origin, Series
from .settings import SeriesSettings

__all__ = [
    "Origin",
    "Prepared",
    "Series",
    "SeriesSettings",
    "is_packaged",
    "prepare",
    "read_series",
    "series_of",
    "series_of_dataset",
]
