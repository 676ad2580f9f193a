"""What is read and written without pint is to the bit and to the letter what pint gives."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinhw.units import EXAMPLES, factors, parse_quantity, registry, show_quantity, spell_quantity

NUMBERS = st.floats(-1e18, 1e18, allow_nan=False).filter(lambda value: value == 0 or abs(value) > 1e-18)


def by_pint(number: float, text: str, unit: str) -> float:
    return float(registry().Quantity(number, f"1 {text}" if text.startswith("/") else text).to(unit).magnitude)


@pytest.mark.parametrize("unit", EXAMPLES)
@given(number=NUMBERS)
def test_plain_units_are_read_as_pint_reads_them(unit: str, number: float) -> None:
    for text in factors(unit):
        assert parse_quantity(f"{number!r} {text}", unit) == by_pint(number, text, unit)


@pytest.mark.parametrize("unit", EXAMPLES)
@given(number=NUMBERS)
def test_numbers_are_shown_as_pint_shows_them(unit: str, number: float) -> None:
    for digits in (3, 4, 12):
        compact = registry().Quantity(number, unit).to_compact()
        assert show_quantity(number, unit, digits) == f"{compact.magnitude:.{digits}g} {compact.units:~}"


@pytest.mark.parametrize("text", ["1/ns", "1 / ns", "1/ ns"])
def test_blanks_beside_a_slash_mean_nothing(text: str) -> None:
    assert parse_quantity(text, "1/s") == by_pint(1.0, "/ns", "1/s")


def test_long_names_are_left_to_pint() -> None:
    assert parse_quantity("2 minutes", "s") == 120.0
    assert math.isclose(parse_quantity("3 nanosecond", "s"), 3e-9)


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("276 Mrad/s", "Hz", "Mrad / s is an angle per time, .* write '43.9268 MHz'"),
        ("276 radian/second", "Hz", "an angle per time"),
        ("60 rpm", "Hz", "write '1 Hz', which is as fast"),
        ("360 deg/s", "Hz", "write '1 Hz'"),
        ("5 Hz rad", "Hz", "an angle per time"),
        ("3 turns/ns", "1/s", "an angle per time, .* write for instance '1 / ns'"),
        ("5 A*turn", "A", "radian is no part of a unit of A"),
        ("5 counts/s", "Hz", "count is no part of a unit of Hz"),
        ("5 Mbit/s", "Hz", "bit is no part"),
        ("5 percent V", "V", "percent is no part"),
        ("5 deg", "V", "a unit is needed"),
        ("3 dB", "W", "of levels only dBm and dBW are read, for powers"),
        ("0 dBV", "V", "of levels only dBm"),
        ("0 dBu", "W", "of levels only dBm"),
        ("10 dBm/Hz", "J", "of levels only dBm"),
        ("1 / dBm", "1/s", "of levels only dBm"),
        ("10 dBm", "V", "the unit dBm is not one of V"),
        ("3 octave Hz", "Hz", "this is no number with a unit"),
    ],
)
def test_angles_counts_and_levels_are_no_units(text: str, unit: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_quantity(text, unit)


@pytest.mark.parametrize(("text", "power_w"), [("10 dBm", 1e-2), ("-20 dBm", 1e-5), ("0dBm", 1e-3), ("0 dBW", 1.0)])
def test_a_level_of_power_is_a_power(text: str, power_w: float) -> None:
    assert parse_quantity(text, "W") == pytest.approx(power_w)


@pytest.mark.parametrize("unit", EXAMPLES)
def test_examples_are_spelled_as_they_are_written(unit: str) -> None:
    assert spell_quantity(parse_quantity(EXAMPLES[unit], unit), unit) == EXAMPLES[unit]


GIVEN = [("1 / ns", "1/s"), ("5 / ns", "1/s"), ("2.5 / us", "1/s"), ("1e9 / s", "1/s"), ("0.5 us", "s"), ("120 s", "s")]
GIVEN += [("1 s", "s"), ("0 s", "s"), ("150 ms", "s"), ("44.1 MHz", "Hz"), ("0 Hz", "Hz"), ("2.5 GHz", "Hz")]
GIVEN += [("-300 mV", "V"), ("7.5 uA", "A"), ("1.5 kohm", "ohm"), ("4.6 pJ", "J"), ("293.15 K", "K"), ("36 ns", "s")]


@pytest.mark.parametrize(("text", "unit"), GIVEN)
def test_what_people_write_comes_back(text: str, unit: str) -> None:
    assert spell_quantity(parse_quantity(text, unit), unit) == text


@pytest.mark.parametrize("unit", EXAMPLES)
@given(number=st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=40)
def test_spelled_quantities_read_back_to_the_same_bits(unit: str, number: float) -> None:
    again = parse_quantity(spell_quantity(number, unit), unit)
    assert (again, math.copysign(1, again)) == (number, math.copysign(1, number))
