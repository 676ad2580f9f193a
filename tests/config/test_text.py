"""YAML is read by libyaml where that is safe, and means the same either way."""

import re
from typing import Any

import pytest
import yaml
from pytest_mock import MockerFixture

from spinhw.config import apply_overrides, parse_yaml, shipped, text
from spinhw.config.migration import migrate_override
from spinhw.errors import ConfigError
from spinhw.training import RunSettings

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


@pytest.mark.parametrize("nested", ["[" * 3000, "[1], " + "{a: " * 3000, "- " * 3000, "a:\n" + "- " * 3000])
def test_a_text_nested_far_too_deeply_is_not_even_begun(nested: str, mocker: MockerFixture) -> None:
    load = mocker.patch.object(yaml, "load")
    with pytest.raises(yaml.YAMLError, match="nested too deeply"):
        text.read_value(nested)
    assert not load.called


def test_many_brackets_beside_each_other_are_no_nesting() -> None:
    assert text.read_value("[" + "[1]," * 3000 + "]") == [[1]] * 3000


# As written, as YAML 1.1 reads it, and what people may have meant.
OTHER_BASES = {
    "032": (26, "32 or 26"),
    "-017": (-15, "-15 or -17"),
    "05": (5, "5"),
    "0x20": (32, "32"),
    "0b101": (5, "5"),
    "1:30": (90, "90"),
    "1:30.5": (90.5, "90.5"),
    "1_000": (1000, "1000"),
    "1_0.5": (10.5, "10.5"),
    "!!int 0x20": (32, "32"),
}


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("written", OTHER_BASES)
def test_numbers_in_other_bases_are_refused_with_file_and_key(written: str, fast: bool, mocker: MockerFixture) -> None:
    mocker.patch.object(yaml, "__with_libyaml__", fast and yaml.__with_libyaml__)
    taken, meant = OTHER_BASES[written]
    plain = written.removeprefix("!!int ")
    wanted = f": this number is not plainly decimal; seen: {plain}, which YAML takes for {taken}; allowed: .*; "
    wanted += f"next: write {meant}, or '{plain}' in quotes for a text."
    with pytest.raises(ConfigError, match=re.escape("run.yaml: network.layers.1") + wanted):
        parse_yaml(f"network: {{layers: [1, {written}]}}", "run.yaml")
    with pytest.raises(ConfigError, match="^--set network.layers.0" + wanted):
        apply_overrides({}, [f"network.layers=[{written}]"])
    with pytest.raises(ConfigError, match="^--set training.epochs" + wanted):
        apply_overrides({}, [f"training.epochs={written}"])


def test_all_numbers_in_other_bases_are_named_at_once_and_aliases_once() -> None:
    content = "network: &n {layers: [032, 8, 0x20]}\nother: *n\n0b1: {<<: *n}\n"
    with pytest.raises(ConfigError) as caught:
        parse_yaml(content, "run.yaml")
    assert [line.split(";")[0] for line in str(caught.value).splitlines()] == [
        "run.yaml: network.layers.0: this number is not plainly decimal",
        "run.yaml: network.layers.2: this number is not plainly decimal",
        "run.yaml: this number is not plainly decimal",
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [("0", 0), ("-0", 0), ("10", 10), ("007.5", 7.5), ("'032'", "032"), ("1_000 ns", "1_000 ns"), ("08", "08")],
)
def test_plain_numbers_and_texts_are_read_as_ever(written: str, read: Any) -> None:
    assert parse_yaml(f"a: {written}", "run.yaml") == {"a": read}


def test_an_old_override_that_is_no_yaml_is_left_to_who_applies_it() -> None:
    for override in ("training.loop_epochs=[", "training.loop_epochs=032"):
        assert migrate_override(override, RunSettings) == override
