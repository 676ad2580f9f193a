"""YAML is read by libyaml where that is safe, and means the same either way."""

import pytest
import yaml
from pytest_mock import MockerFixture

from spinhw.config import shipped, text

FILES = sorted(path for folder in ("devices", "examples") for path in shipped(folder).rglob("*.yaml"))
LEVELS = 100_000


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="this PyYAML was built without libyaml")
def test_shipped_files_are_read_fast_and_mean_the_same_to_both_loaders(mocker: MockerFixture) -> None:
    assert FILES
    load = mocker.spy(yaml, "load")
    for path in FILES:
        content = path.read_text(encoding="utf-8")
        fast = text.read_value(content)
        mocker.patch.object(yaml, "__with_libyaml__", False)
        plain = text.read_value(content)
        mocker.patch.object(yaml, "__with_libyaml__", True)
        assert repr(fast) == repr(plain), path
        kinds = [issubclass(call.kwargs["Loader"], yaml.CSafeLoader) for call in load.call_args_list]
        assert kinds == [True, False], path  # The first without a second try.
        load.reset_mock()


@pytest.mark.parametrize("nested", ["[" * LEVELS, "{a: " * LEVELS, "- " * LEVELS, "? " * LEVELS])
def test_a_text_nested_too_deeply_is_refused(nested: str) -> None:
    with pytest.raises(yaml.YAMLError, match="nested too deeply"):
        text.read_value(nested)
