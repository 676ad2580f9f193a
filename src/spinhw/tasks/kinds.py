"""The tasks there are, by the kind that a YAML file names."""

from spinhw.registry import Registry

_DECISIONS = "spinhw.tasks.decision_settings:DecisionSettings"
_GENERATED = "spinhw.tasks.generated.settings"
TASKS = Registry(
    "spinhw.tasks",
    "task",
    {
        "sequential_digits": "spinhw.tasks.digits_settings:DigitsSettings",
        "series": "spinhw.tasks.series.settings:SeriesSettings",
        "given": "spinhw.tasks.given:GivenSettings",
        "flipflop": "spinhw.tasks.flipflop_settings:FlipFlopSettings",
        "narma10": f"{_GENERATED}:Narma10Settings",
        "mackey_glass": f"{_GENERATED}:MackeyGlassSettings",
        "memory": f"{_GENERATED}:MemorySettings",
        "sine_square": f"{_GENERATED}:SineSquareSettings",
        **dict.fromkeys(("perceptual", "context", "match", "parametric"), _DECISIONS),
    },
    base="spinhw.tasks.base:TaskSettings",
)
