"""YAML is read by libyaml where that is safe, and means the same either way."""

from pathlib import Path

import pytest
import yaml

from spinhw.config import shipped, text

FILES = sorted(path for folder in ("devices", "examples") for path in shipped(folder).rglob("*.yaml"))
LEVELS = 100_000


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="this PyYAML was built without libyaml")
def test_shipped_files_mean_the_same_to_both_loaders() -> None:
    for path in FILES:
        content = path.read_text(encoding="utf-8")
        fast, plain = (yaml.load(content, Loader=loader) for loader in (text._FastLoader, text._StrictLoader))
        assert repr(fast) == repr(plain), path


def test_shipped_files_are_read_fast() -> None:
    assert FILES
    for path in FILES:
        assert text._deepest(Path(path).read_text(encoding="utf-8")) < text._DEEP, path


@pytest.mark.parametrize("nested", ["[" * LEVELS, "{a: " * LEVELS, "- " * LEVELS, "? " * LEVELS])
def test_a_text_nested_too_deeply_is_refused(nested: str) -> None:
    with pytest.raises(yaml.YAMLError, match="nested too deeply"):
        text.read_value(nested)
