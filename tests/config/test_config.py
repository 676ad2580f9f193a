"""Quantities, YAML loading, messages, overrides, profiles, streams, errors."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from spinhw.config import (
    Settings,
    apply_overrides,
    build,
    find_profile,
    find_recipe,
    load,
    parse_yaml,
    profile_names,
    read_yaml,
    recipe_names,
    shipped,
)
from spinhw.errors import ConfigError, DeviceError, nearest
from spinhw.network import NetworkSettings
from spinhw.streams import numpy_stream, stream_key, torch_stream
from spinhw.training import RunSettings
from spinhw.units import EXAMPLES, DurationS, FrequencyHz, TimeS, format_quantity, parse_quantity

Rate = Annotated[float, Field(gt=0)]


class ShapeA(Settings):
    kind: Literal["a"] = Field(description="Kind.")


class ShapeB(Settings):
    kind: Literal["b"] = Field(description="Kind.")
    width: float = Field(default=1.0, gt=0, description="Width.")


class Inner(Settings):
    tau_s: TimeS = Field(default=5e-9, description="Time.")
    rest_s: DurationS = Field(default=0.0, description="Time.")
    cutoff_hz: FrequencyHz = Field(default=1e6, description="Frequency.")


class Outer(Settings):
    inner: Inner = Field(default=Inner(), description="Part.")
    density: float = Field(default=0.5, ge=0, le=1, description="Share.")
    names: list[str] = Field(default=[], description="Names.")
    count: int = Field(default=1, description="Number.")
    switch: bool = Field(default=False, description="Switch.")
    sizes: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1,), min_length=1, description="Sizes.")
    rate: Rate | tuple[Rate, ...] = Field(default=0.1, description="Rates.")
    shape: Annotated[ShapeA | ShapeB, Field(discriminator="kind")] = Field(
        default=ShapeA(kind="a"), description="Kind."
    )


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("14.12 ns", "s", 14.12e-9),
        ("44 MHz", "Hz", 44e6),
        ("100 fJ", "J", 1e-13),
        ("1 / ns", "1/s", 1e9),
        ("1 uW", "W", 1e-6),
        ("1e9/s", "1/s", 1e9),
        ("14.12ns", "s", 14.12e-9),
        ("5 1/ns", "1/s", 5e9),
    ],
)
def test_quantities_with_units(text: str, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("14 kg", "unit kg is not one of s"),
        ("14", "a unit is needed"),
        (14, "a unit is needed"),
        (1e-9, "a unit is needed"),
        (None, "a unit is needed"),
        (True, "a unit is needed"),
        ("", "a unit is needed"),
        ("nan ns", "finite number"),
        ("inf ns", "finite number"),
        ("1e999 ns", "finite number"),
        ("soon", "no number with a unit"),
        ("5 ns; import os", "no number with a unit"),
        ("__import__('os').getcwd()", "no number with a unit"),
        ("9**9**9 ns", "no number with a unit"),
        ("1 s**9**9**9", "no number with a unit"),
        ("2 ns + 3 ns", "no number with a unit"),
        ("14,12 ns", "no number with a unit"),
        ("1e999999 ns", "finite number"),
    ],
)
def test_what_is_no_quantity_is_refused_with_an_example(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_quantity(value, "s")
    assert EXAMPLES["s"] in str(caught.value)


@given(value=st.floats(1e-18, 1e18), unit=st.sampled_from(sorted(EXAMPLES)))
def test_text_of_a_quantity_reads_back_to_the_same_bits(value: float, unit: str) -> None:
    assert parse_quantity(format_quantity(value, unit), unit) == value


def test_text_of_a_quantity_is_readable() -> None:
    assert format_quantity(5e-9, "s") == "5 ns"
    assert format_quantity(44e6, "Hz") == "44 MHz"
    assert format_quantity(0.0, "s") == "0.0 s"


def test_settings_go_through_yaml_unchanged(tmp_path: Path) -> None:
    settings = build(Outer, {"inner": {"tau": "14.12 ns", "cutoff": "44 MHz"}, "names": ["a"]}, "here")
    path = tmp_path / "settings.yaml"
    path.write_text(settings.to_yaml(), encoding="utf-8")
    assert load(Outer, path) == settings


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"inner": {"tua": "1 ns"}}, "file.yaml: inner: unknown key 'tua'; did you mean 'tau'?"),
        ({"inner": {"tau": "14 kg"}}, "file.yaml: inner.tau: the unit kg is not one of s"),
        ({"inner": {"tau": 14}}, "file.yaml: inner.tau: a unit is needed, such as '14.12 ns'; seen: 14"),
        ({"inner": {"tau_s": 5e-9}}, "file.yaml: inner: unknown key 'tau_s'; did you mean 'tau'?"),
        ({"inner": {"tau_s": "5 ns"}}, "file.yaml: inner: unknown key 'tau_s'; did you mean 'tau'?"),
        ({"inner": {"tau": "-1 ns"}}, "inner.tau: must be above zero; seen: '-1 ns'"),
        ({"inner": {"tau": "0 ns"}}, "inner.tau: must be above zero"),
        ({"inner": {"rest": "-1 ns"}}, "inner.rest: must be at least 0.0"),
        ({"density": 1.5}, "density: must be less than or equal to 1; seen: 1.5"),
        ({"density": float("nan")}, "density: a finite number is needed; seen: nan"),
        ({"inner": 3}, "file.yaml: inner: a mapping of keys is needed here; seen: 3"),
        ({"density": True}, "file.yaml: density: a number is needed; seen: true"),
        ({"count": False}, "file.yaml: count: a whole number is needed; seen: false"),
        ({"sizes": [3, True]}, "file.yaml: sizes.1: a whole number is needed; seen: true"),
        ({"density": "much"}, "density: a number is needed; seen: 'much'"),
        ({"names": 3}, "names: a list is needed, such as [32, 32]; seen: 3"),
        ({"count": "1e3"}, "count: a whole number is needed; seen: '1e3'; next: write 1000"),
        ({"count": 2.5}, "count: a whole number is needed; seen: 2.5"),
        ({"switch": 3}, "switch: true or false is needed; seen: 3"),
        ({"sizes": [0]}, "file.yaml: sizes.0: must be greater than or equal to 1; seen: 0."),
        ({"rate": [0.1, -1]}, "file.yaml: rate.1: must be greater than 0; seen: -1."),
        ({"shape": {"kind": "c"}}, "file.yaml: shape.kind: this kind is not known; seen: c; allowed: a, b"),
        ({"shape": {}}, "file.yaml: shape.kind: this key is missing; allowed: a, b; next: add it"),
        ({"shape": {"kind": "b", "width": -1}}, "file.yaml: shape.width: must be greater than 0; seen: -1"),
    ],
)
def test_bad_values_name_file_key_value_and_what_is_allowed(data: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(Outer, data, "file.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


class Several(Settings):
    times_s: tuple[TimeS, ...] = Field(default=(), description="Times.")
    rest_s: DurationS | None = Field(default=None, description="Time.")
    by_name_s: dict[str, TimeS] = Field(default={}, description="Times.")


def test_python_takes_the_fields_own_names_in_si_and_those_of_yaml_with_units() -> None:
    by_field, by_key = Inner(tau_s=5e-9, cutoff_hz=44e6), Inner(tau="5 ns", cutoff="44 MHz")
    assert by_field == by_key
    assert type(by_field.tau_s) is float
    assert Outer(inner={"tau_s": 5e-9, "cutoff": "44 MHz"}).inner == by_field
    several = Several(times_s=(1e-9, 2e-9), rest_s=3e-9, by_name_s={"a": 1e-9})
    assert (several.times_s, several.rest_s, several.by_name_s) == ((1e-9, 2e-9), 3e-9, {"a": 1e-9})


@pytest.mark.parametrize("mode", ["python", "json"])
@pytest.mark.parametrize("by_alias", [False, True])
def test_settings_take_the_names_that_they_give(mode: str, by_alias: bool) -> None:
    settings = Outer(inner=Inner(tau_s=5e-9, rest_s=1 / 3), names=["a"])
    given = settings.model_dump(mode=mode, by_alias=by_alias)
    assert given["inner"].items() >= ({"tau": "5 ns"} if by_alias else {"tau_s": 5e-9}).items()
    assert Outer(**given) == settings


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"tau": 5e-9}, "a unit is needed"),
        ({"tau_s": 5e-9, "tau": "5 ns"}, "tau_s and tau are the same; keep one"),
        ({"tau_s": 0}, "must be above zero"),
        ({"tau_s": -1e-9}, "must be above zero"),
        ({"tau_s": float("nan")}, "a finite number is needed"),
        ({"tau_s": True}, "a unit is needed"),
        ({"tau_s": "soon"}, "no number with a unit"),
        ({"tua_s": 1e-9}, "unknown key 'tua_s'"),
    ],
)
def test_python_is_told_what_is_wrong_too(keys: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Inner(**keys)
    assert str(caught.value).startswith("Inner: ") and "pydantic" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(ConfigError, match=message):
        Outer(inner=keys)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"sizes": [0]}, "Outer: sizes.0: must be greater than or equal to 1; seen: 0."),
        ({"sizes": 3}, "Outer: sizes: a list is needed, such as [32, 32]; seen: 3."),
        ({"inner": {"tau_s": -1.0}}, "Outer: inner.tau_s: must be above zero; seen: -1.0."),
        ({"inner": {"tau": "-1 s"}}, "Outer: inner.tau: must be above zero; seen: '-1 s'."),
        ({"inner": 3}, "Outer: inner: a mapping of keys is needed here; seen: 3."),
        ({"shape": {"kind": "c"}}, "Outer: shape.kind: this kind is not known; seen: c; allowed: a, b."),
        ({"nmaes": []}, "Outer: unknown key 'nmaes'; did you mean 'names'?."),
    ],
)
def test_python_is_told_in_the_sentences_of_a_file(keys: dict, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Outer(**keys)
    assert str(caught.value) == said


def test_settings_that_somebody_wants_to_change_say_how_others_are_made() -> None:
    settings = Outer()
    with pytest.raises(ConfigError, match=r"Outer.count: settings do not change; next: make others: Outer\(\*\*"):
        settings.count = 3  # type: ignore[misc]
    with pytest.raises(ConfigError, match="Outer.count: settings do not change"):
        del settings.count
    assert Outer(**(settings.model_dump() | {"count": 3})).count == 3


def test_every_mistake_gets_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        build(Outer, {"density": 2, "inner": {"tau": "1 kg"}}, "file.yaml")
    assert [line.split(":")[1].strip() for line in str(caught.value).splitlines()] == ["inner.tau", "density"]


def test_overrides_replace_single_keys_and_leave_the_original_alone() -> None:
    data = {"inner": {"tau": "1 ns", "cutoff": "2 MHz"}}
    changed = build(Outer, data, "file.yaml", ["inner.tau=3 ns", "names=[x, y]", "density=1e-1"])
    assert changed.inner.tau_s == pytest.approx(3e-9)
    assert changed.inner.cutoff_hz == 2e6
    assert changed.names == ["x", "y"]
    assert changed.density == 0.1
    assert data == {"inner": {"tau": "1 ns", "cutoff": "2 MHz"}}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("inner.tau", "not an override"),
        ("=3", "not an override"),
        ("inner..tau=3", "not an override"),
        ("names=[1", "the value is not YAML"),
        ("names={[1]: 2}", "--set names: the value is not YAML; seen: '{[1]: 2}'"),
        ("names=2020-13-45", "the value is not YAML"),
        ("names=" + 3000 * "[", "the value is not YAML"),
        ("inner.tau=3", "--set inner.tau: a unit is needed"),
        ("inner.tua=3", "unknown key 'tua'; did you mean 'tau'?"),
    ],
)
def test_bad_overrides_are_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(Outer, {}, "file.yaml", [override])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NetworkSettings.model_validate({"layers": 8}), "NetworkSettings: layers: a list is needed"),
        (lambda: NetworkSettings.model_validate({"output": 2}), "unknown key 'output'; did you mean 'outputs'?"),
        (lambda: NetworkSettings.model_validate({"saturation": {"kind": "x"}}), "saturation.kind: this kind is not"),
        (lambda: NetworkSettings.model_validate(7), "NetworkSettings: a mapping of keys is needed"),
        (lambda: NetworkSettings.model_validate_json('{"layers": 8}'), "NetworkSettings: layers: a list is needed"),
        (lambda: NetworkSettings.model_validate_json('{"layers": '), "NetworkSettings: Invalid JSON"),
        (
            lambda: RunSettings.model_validate({"training": {"epoch": 2}}),
            "RunSettings: training: unknown key 'epoch'",
        ),
    ],
)
def test_what_settings_cannot_be_made_from_is_one_sentence(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert message in str(caught.value)
    assert "pydantic" not in str(caught.value) and "\n" not in str(caught.value)


def test_settings_are_made_from_plain_data_as_from_keywords() -> None:
    made = NetworkSettings(layers=(3, 2), tau_s=5e-9)
    assert NetworkSettings.model_validate(made.model_dump()) == made
    assert NetworkSettings.model_validate(made) is made
    assert NetworkSettings.model_validate_json('{"layers": [3, 2], "tau": "5 ns"}') == made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", "broken YAML at line 1, column"),
        ("a: 1\n b: 2\n", "broken YAML at line 2, column"),
        ("a: 1\na: 2\n", "key 'a' stands twice"),
        ("- 1\n- 2\n", "not a YAML mapping; seen: list"),
        ("", "the file is empty"),
        ("# nothing yet\n", "the file is empty"),
        ("a: {[1]: 2}\n", "broken YAML at line 1, column 5"),
        ("{[1]: 2}\n", "broken YAML at line 1, column 2; seen: a key must be a plain word"),
        ("a: 1\nb: 2020-13-45\n", "broken YAML at line 2, column 4; seen: this value cannot be read"),
        ("a: !!bool soon\n", "broken YAML at line 1, column 4"),
        ("a: " + 3000 * "[", "it is nested too deeply"),
        ("a: @py\n", 'cannot start any token; next: put the value in quotes, such as "@...".'),
        ("a:\n\tb: 1\n", "cannot start any token; next: write blanks in place of the tab."),
        ("a: &a {b: 1}\nc: {<<: *a, d: 1, d: 2}\n", "key 'd' stands twice"),
        ("a: !!python/object/apply:os.getcwd []\n", "broken YAML"),
    ],
)
def test_broken_yaml_names_the_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_merge_keys_are_followed() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: *a}\n"
    assert parse_yaml(text, "here") == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("data", "overrides", "place"),
    [
        ({"inner": {"tua": 1}}, ["inner.tau=1 ns"], "file.yaml: inner: unknown key 'tua'"),
        ({}, ["inner.tua=1"], "--set inner.tua: unknown key 'tua'"),
        ({}, ["iner.tau=1"], "--set iner.tau: unknown key 'iner'"),
        ({"iner": {"tau": 1}}, ["iner.cutoff=1"], "file.yaml: unknown key 'iner'"),
        ({"inner": {"tau": "1 ns"}}, ["inner={tua: 1}"], "--set inner.tua: unknown key 'tua'"),
        ({"inner": {"tau": 1}}, ["inner.cutoff=1 MHz"], "file.yaml: inner.tau: a unit is needed"),
        ({"names": ["a"]}, ["names.0=b"], "--set names.0: a list is needed"),
    ],
)
def test_who_set_a_bad_value_is_blamed(data: dict, overrides: list[str], place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(Outer, data, "file.yaml", overrides)
    assert str(caught.value).startswith(place)
    assert "{" not in str(caught.value)


def test_recipes_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("digits.yaml", "examples/digits.yaml"):
        assert find_recipe(Path(name)).samefile(shipped("examples") / "digits.yaml")
    for name in ("mine/digits.yaml", "digit.yaml"):
        with pytest.raises(ConfigError, match="there is no such file") as caught:
            find_recipe(Path(name))
        assert all(known in str(caught.value) for known in recipe_names())


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="this is a folder; allowed: a YAML file"):
        read_yaml(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_yaml(tmp_path / "latin.yaml")


def test_profiles_are_found_by_name_or_path(tmp_path: Path) -> None:
    assert find_profile("ideal").name == "ideal.yaml"
    own = tmp_path / "own.yaml"
    own.write_text("kind: simulated\n", encoding="utf-8")
    assert find_profile(str(own)) == own


@pytest.mark.parametrize("name", ["idael", "../ideal", "no/such/device.yaml"])
def test_unknown_profile_lists_those_there_are(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_profile(name)
    assert all(known in str(caught.value) for known in profile_names())
    assert str(caught.value).count("lab-noise") == 1


def test_override_of_a_scalar_by_a_path_is_a_plain_mapping() -> None:
    assert apply_overrides({"a": 3}, ["a.b=1"]) == {"a": {"b": 1}}


def test_streams_depend_on_every_part_of_the_name() -> None:
    keys = {stream_key("noise", 1, 2), stream_key("noise", 12), stream_key("noise", "1", 2), stream_key("noise", 1, 3)}
    assert len(keys) == 4
    assert torch_stream("a", 1).initial_seed() == torch_stream("a", 1).initial_seed()
    assert numpy_stream("a", 1).random() == numpy_stream("a", 1).random()


def test_stream_keys_never_change() -> None:
    """A recorded run must give the same numbers with every later version and on every machine."""
    assert stream_key("digits split", 0) == 8980323857455316857


def test_error_has_four_parts_on_one_line() -> None:
    error = DeviceError("awg: no answer", seen="timeout\n5 s", allowed="a reply", todo="check the cable.")
    assert str(error) == "awg: no answer; seen: timeout 5 s; allowed: a reply; next: check the cable."
    assert error.exit_code == 3


@pytest.mark.parametrize(
    ("todo", "end"),
    [
        (
            "go on with: spinhw train a.yaml --resume 'my  run'",
            "; next: go on with: spinhw train a.yaml --resume 'my  run'",
        ),
        ("pip install pyserial", "; next: pip install pyserial"),
        ("run `spinhw devices` to see them", "; next: run `spinhw devices` to see them."),
    ],
)
def test_a_line_to_type_ends_the_message_word_for_word(todo, end):
    assert str(DeviceError("awg: no answer", seen="a\nb", todo=todo)) == f"awg: no answer; seen: a b{end}"


def test_nearest_suggests_or_lists() -> None:
    assert nearest("trainig", ["training", "task"]) == "did you mean 'training'?"
    assert nearest("zzz", ["b", "a"]) == "choose one of a, b"
