from .building import build, load
from .kinds import ByKind
from .overrides import apply_overrides
from .schema import json_schema
from .settings import Gone, Moved, Settings, SettingsT, yaml_key
from .shipped_files import find_example, find_profile, find_recipe, profile_names, recipe_names, shipped, yaml_beside
from .text import parse_yaml, read_yaml

__all__ = [
    "ByKind",
    "Gone",
    "Moved",
    "Settings",
    "SettingsT",
    "apply_overrides",
    "build",
    "find_profile",
    "find_example",
    "find_recipe",
    "json_schema",
    "load",
    "parse_yaml",
    "profile_names",
    "read_yaml",
    "recipe_names",
    "shipped",
    "yaml_beside",
    "yaml_key",
]
