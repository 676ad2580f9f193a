"""What the chips of this study are varied in: how each quantity is called, written and drawn."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SweptAxis:
    """One quantity of the resonators.

    Args:
        title: What it is.
        unit: Of the numbers as people write them, such as "%".
        scale: Factor from the setting to those.
        log: Whether a picture has a logarithmic axis.
    """

    title: str
    unit: str
    scale: float = 1.0
    log: bool = False

    @property
    def label(self) -> str:
        """For a picture or the head of a table."""
        return f"{self.title} ({self.unit})"


_SHARE = 100.0

# By the name of the setting.
SWEPT_AXES = {
    "spacing": SweptAxis("spacing of the tones", "half-linewidths", log=True),
    "frequency_spread": SweptAxis("spread of the resonances", "% of the frequency", _SHARE, log=True),
    "programming_error": SweptAxis("fixed error of a tuning", "% of w_max", _SHARE),
    "repeatability": SweptAxis("error of each programming", "% of w_max", _SHARE),
    "bits": SweptAxis("resolution of a tuning", "bits"),
    "dead": SweptAxis("dead resonators", "%", _SHARE),
}
