from .digits import DigitsSettings, Split, as_sequence, split

__all__ = [
    "DigitsSettings",
    "Split",
    "as_sequence",
    "split",
]
