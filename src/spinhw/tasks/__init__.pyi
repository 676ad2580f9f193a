from .digits import Split, as_sequence, split
from .digits_settings import DigitsSettings

__all__ = [
    "DigitsSettings",
    "Split",
    "as_sequence",
    "split",
]
