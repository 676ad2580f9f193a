"""The page about series names every key, and its recipes load."""

import re
from pathlib import Path

import pytest
import yaml

from spinhw.config import Settings, build
from spinhw.tasks import SeriesSettings
from spinhw.tasks.series.scaling_settings import RangeScaling, StandardScaling
from spinhw.tasks.series.settings import ColumnSettings
from spinhw.tasks.series.split_settings import SplitSettings, WindowSettings
from spinhw.training import load_settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "series.md").read_text(encoding="utf-8")
RECIPES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def keys_of(model: type[Settings]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


@pytest.mark.parametrize(
    "model", [SeriesSettings, ColumnSettings, SplitSettings, WindowSettings, RangeScaling, StandardScaling]
)
def test_every_key_stands_on_the_page(model):
    assert {key for key in keys_of(model) if not re.search(rf"[`.]{key}\b", PAGE)} == set()


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_of_the_page_loads(recipe):
    assert isinstance(build(SeriesSettings, yaml.safe_load(recipe)["task"], "docs/series.md"), SeriesSettings)


def test_the_shipped_recipe_finds_its_data_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = load_settings("gestures").task
    assert task.facts()["classes"] == ["circle", "push", "zigzag"]
    assert Path(task.file).stat().st_size < 20_000
