"""What the studies are called: a name is refused before what they consist of is imported."""

from collections.abc import Sequence

from spinhw.errors import ConfigError, did_you_mean

FIGURES = ("headline", "ctrnn", "fig1", "fig2b", "fig3a", "fig3b", "fig3c", "rate_rule", "fig4")
LOOPS = ("chip_in_the_loop", "averaging")
SYNAPSES = ("rf_synapses",)
ALL = "all"  # Of the figures.


def refuse_unknown_study(name: str, known: Sequence[str] = (*FIGURES, *LOOPS, *SYNAPSES)) -> None:
    """Check that there is a study of this name, or that all are meant.

    Args:
        name: The name.
        known: Names of the studies that there are.

    Raises:
        ConfigError: There is none; names those that there are.
    """
    names = [*known, ALL]
    if name not in names:
        raise ConfigError(
            f"there is no study {name!r}", allowed=", ".join(names), todo=did_you_mean(name, names) or "choose one"
        )
