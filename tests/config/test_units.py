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
