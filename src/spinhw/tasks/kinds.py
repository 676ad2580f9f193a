"""The tasks there are, by the kind that a YAML file names."""

from spinhw.registry import Registry

TASKS = Registry(
    "spinhw.tasks",
    "task",
    {"sequential_digits": "spinhw.tasks.digits_settings:DigitsSettings"},
    base="spinhw.tasks.base:TaskSettings",
)
