"""Quantities: text with units in YAML ("14.12 ns"), plain SI floats everywhere inside."""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    import pint

# What people write in YAML, by SI unit: one good example each, shown in messages and in the JSON schema.
EXAMPLES = {
    "s": "14.12 ns",
    "Hz": "44 MHz",
    "1/s": "1 / ns",
    "J": "100 fJ",
    "W": "1 uW",
    "A": "5 mA",
    "V": "200 mV",
    "K": "300 K",
    "ohm": "50 ohm",
    "S": "20 mS",
}


# One number, then units with small whole powers. pint itself would also do arithmetic, and "9**9**9 ns" takes for ever.
_WORD = r"[A-Za-zµμΩ°]+(?:(?:\*\*|\^)-?\d)?"
_UNITS = rf"(?:1?\s*/\s*)?{_WORD}(?:\s*[*/ ]\s*{_WORD})*"
_NUMBER = r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf)"
# Levels: pint would divide by one, and takes dBu, which is a voltage, for a power.
_LEVEL = re.compile(r"dB|[Dd]ecibel|Np|[Nn]eper")
_POWER_LEVELS = {"dBm", "dBW", "decibelmilliwatt", "decibelwatt"}
_QUANTITY = re.compile(rf"(?P<number>{_NUMBER})\s*(?P<unit>{_UNITS}|)")

# What nearly every file is written in is read and written without pint, whose import takes longer than all of
# `spinhw schema`: to the same bits and the same letters, as tests/config/test_units.py shows.
_PREFIXES = {
    "f": 1e-15,
    "p": 1e-12,
    "n": 1e-9,
    "u": 1e-6,
    "µ": 1e-6,
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
}
_BY_POWER = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_SYMBOLS = {unit: "Ω" if unit == "ohm" else unit for unit in EXAMPLES if unit != "1/s"}


@lru_cache(maxsize=1)
def registry() -> "pint.UnitRegistry":
    """Return the one unit registry of the process; its cache on disk would be a pickle, so it is made anew."""
    import pint

    return pint.UnitRegistry()


@lru_cache(maxsize=16)
def factors(unit: str) -> dict[str, float]:
    """Give the factor to SI of each plain way to write a unit: "ns" and "1/ns", not "nanosecond"."""
    if unit == "1/s":
        return {f"{one}/{prefix}s": 1 / factor for prefix, factor in _PREFIXES.items() for one in ("", "1")}
    names = {unit, _SYMBOLS[unit]}
    return {prefix + name: factor for prefix, factor in _PREFIXES.items() for name in names}


def parse_quantity(text: object, unit: str) -> float:
    """Turn text with a unit into a plain number in the given SI unit.

    Args:
        text: For instance "14.12 ns". Plain numbers are refused: a number without a unit is a guess.
        unit: The SI unit wanted, a key of `EXAMPLES`.

    Raises:
        ValueError: For anything that is not a finite number with a unit of this dimension; the message says why.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"a unit is needed, such as {EXAMPLES[unit]!r}")
    found = _QUANTITY.fullmatch(text.strip())
    if found is None and _QUANTITY.fullmatch(text.strip().replace(",", ".", 1)):
        raise ValueError(f"this is no number with a unit: write a decimal point, not a comma, as in {EXAMPLES[unit]!r}")
    if found is None:
        raise ValueError(f"this is no number with a unit, such as {EXAMPLES[unit]!r}")
    factor = factors(unit).get(found["unit"].replace(" ", ""))
    return finite(_by_pint(found, unit) if factor is None else float(found["number"]) * factor, unit)


def _by_pint(found: re.Match[str], unit: str) -> float:
    if _LEVEL.search(found["unit"]) and found["unit"] not in _POWER_LEVELS:
        raise ValueError(f"of levels only dBm and dBW are read, for powers; write for instance {EXAMPLES[unit]!r}")
    try:
        unit_text = "1 " + found["unit"] if found["unit"].startswith("/") else found["unit"]
        quantity: pint.Quantity = registry().Quantity(float(found["number"]), unit_text)
        dimensionless, fits = quantity.dimensionless, quantity.is_compatible_with(unit)
        plain = _without_dimension(quantity)
    except Exception as error:  # pint raises many kinds of errors for text that is no unit
        raise ValueError(f"this is no number with a unit, such as {EXAMPLES[unit]!r}") from error
    if dimensionless:
        raise ValueError(f"a unit is needed, such as {EXAMPLES[unit]!r}")
    if not fits:
        raise ValueError(f"the unit {quantity.units:~} is not one of {unit}; write for instance {EXAMPLES[unit]!r}")
    if plain == "radian" and unit in {"Hz", "1/s"}:
        hertz = show_quantity(float(quantity.to("rad/s").magnitude) / (2 * math.pi), "Hz", digits=6)
        instead = f"{hertz!r}, which is as fast" if unit == "Hz" else f"for instance {EXAMPLES[unit]!r}"
        raise ValueError(f"{quantity.units:~} is an angle per time, no frequency and no rate: write {instead}")
    if plain:
        raise ValueError(f"{plain} is no part of a unit of {unit}: write for instance {EXAMPLES[unit]!r}")
    return float(quantity.to(unit).magnitude)


def _without_dimension(quantity: "pint.Quantity") -> str:
    """Name a unit in a product that pint takes for a plain number, an angle or a percent, or nothing."""
    inside = [*quantity.to_root_units().unit_items(), *quantity.unit_items()]
    return next((name for name, _ in inside if registry().Unit(name).dimensionless), "")


def finite(value: float, unit: str) -> float:
    """Return a number in an SI unit as a plain one.

    Raises:
        ValueError: It is not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"a finite number is needed, such as {EXAMPLES[unit]!r}")
    return float(value)


def format_quantity(value: float, unit: str) -> str:
    """Write an SI number as text that `parse_quantity` reads back to the same bits, prefixed where that is exact."""
    exact = f"{value!r} {unit}"
    if value == 0 or unit == "1/s":
        return exact
    nice = show_quantity(value, unit, digits=12)
    return nice if parse_quantity(nice, unit) == value else exact


def spell_quantity(value: float, unit: str) -> str:
    """Write an SI number as people do, such as "1 / ns": the shortest text that `parse_quantity` reads to its bits."""
    found = []
    for prefix, factor in _PREFIXES.items():
        if prefix == "µ" or not math.isfinite(value) or (factor > 1 and unit in ("s", "1/s")):
            continue
        text, size = (f"/ {prefix}s", value * factor) if unit == "1/s" else (f"{prefix}{unit}", value / factor)
        scale = factors(unit)[text.replace(" ", "")]
        spellings = (_number(size, digits) for digits in range(1, 18))
        number = next((one for one in spellings if float(one) * scale == value), None)
        if number is not None:
            # Of two that are equally long, "100 ms" is read more easily than "0.1 s", and "0 s" than "0 fs".
            found.append((len(number), not 1 <= abs(size) < 1000, len(prefix), f"{number} {text}"))
    return min(found)[-1] if found else format_quantity(value, unit)


def _number(value: float, digits: int) -> str:
    """Write a number rounded to so many digits, "300" and "1e9" rather than "3e+02" and "1e+09"."""
    text = f"{value:.{digits}g}"
    if "e" not in text or not abs(value) >= 1e6:
        return f"{float(text):.0f}" if "e+" in text else text
    return text.replace("e+0", "e").replace("e+", "e")


def show_quantity(value: float, unit: str, digits: int = 4) -> str:
    """Write an SI number for people: with a prefix, rounded to significant digits, such as "24.68 pJ"."""
    power = math.floor(math.log10(abs(value)) / 3) * 3 if value and math.isfinite(value) else 0
    if unit in _SYMBOLS and power in _BY_POWER:
        prefix = _BY_POWER[power]
        return f"{value * (1 / _PREFIXES[prefix]):.{digits}g} {prefix}{_SYMBOLS[unit]}"
    compact = registry().Quantity(value, unit).to_compact()
    return f"{compact.magnitude:.{digits}g} {compact.units:~}"


# Serialisation context of what people are to read, such as the config of a run.
FOR_PEOPLE = {"for_people": True}


class InSI(float):
    """A number whose name says that it is in SI, such as the value of ``tau_s``: it needs no unit."""


@dataclass(frozen=True)
class Quantity:
    """Pydantic annotation: a float field in SI that is written in YAML as text with a unit.

    Args:
        unit: SI unit, a key of `EXAMPLES`.
        minimum: Smallest value allowed, in SI; None for no bound.
        maximum: Largest value allowed, in SI; None for no bound.
        positive: Whether zero and below are refused.
    """

    unit: str
    minimum: float | None = None
    maximum: float | None = None
    positive: bool = False

    def _read(self, value: Any) -> float:
        try:
            number = finite(value, self.unit) if isinstance(value, InSI) else parse_quantity(value, self.unit)
        except ValueError as error:
            raise PydanticCustomError("quantity", "{reason}", {"reason": str(error)}) from error
        self._check_range(number)
        return number

    def _check_range(self, number: float) -> None:
        if self.positive and number <= 0:
            raise PydanticCustomError("quantity_range", "must be above zero")
        if self.minimum is not None and number < self.minimum:
            raise PydanticCustomError("quantity_range", "must be at least {least}", {"least": self._text(self.minimum)})
        if self.maximum is not None and number > self.maximum:
            raise PydanticCustomError("quantity_range", "must be at most {most}", {"most": self._text(self.maximum)})

    def _written(self, value: float, info: core_schema.SerializationInfo) -> str | float:
        """Write the text that goes with the YAML's key, or the number that goes with the field's own name."""
        if not info.by_alias:
            return value
        return spell_quantity(value, self.unit) if info.context == FOR_PEOPLE else format_quantity(value, self.unit)

    def _text(self, bound: float) -> str:
        return f"{bound} {self.unit}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Validate text to a float and serialise a float to text."""
        return core_schema.no_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(self._written, info_arg=True),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe the text form for editors."""
        return {
            "type": "string",
            "examples": [EXAMPLES[self.unit]],
            "description": f"Number with a unit of {self.unit}.",
        }


# Beyond these, squares and ratios of rates overflow in float32; no spintronic device comes near them.
TimeS = Annotated[float, Quantity("s", minimum=1e-15, maximum=1.0, positive=True)]
DurationS = Annotated[float, Quantity("s", minimum=0.0)]
FrequencyHz = Annotated[float, Quantity("Hz", maximum=1e18, positive=True)]
NonNegativeFrequencyHz = Annotated[float, Quantity("Hz", minimum=0.0, maximum=1e18)]
RatePerS = Annotated[float, Quantity("1/s", maximum=1e18, positive=True)]
EnergyJ = Annotated[float, Quantity("J", minimum=0.0)]
PowerW = Annotated[float, Quantity("W", minimum=0.0)]
CurrentA = Annotated[float, Quantity("A")]
VoltageV = Annotated[float, Quantity("V")]
ResistanceOhm = Annotated[float, Quantity("ohm", positive=True)]
