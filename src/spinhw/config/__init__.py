"""YAML files into frozen settings: loading, overrides, messages that name the file and the key, shipped profiles."""

from spinhw.config.building import build, load
from spinhw.config.overrides import apply_overrides
from spinhw.config.settings import Settings, SettingsT, yaml_key
from spinhw.config.shipped_files import find_profile, find_recipe, profile_names, recipe_names, shipped
from spinhw.config.text import parse_yaml, read_yaml

__all__ = [
    "Settings",
    "SettingsT",
    "apply_overrides",
    "build",
    "find_profile",
    "find_recipe",
    "load",
    "parse_yaml",
    "profile_names",
    "read_yaml",
    "recipe_names",
    "shipped",
    "yaml_key",
]
