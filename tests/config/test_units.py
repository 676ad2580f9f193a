"""What is read and written without pint is to the bit and to the letter what pint gives."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinhw.units import EXAMPLES, factors, parse_quantity, registry, show_quantity

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
