"""The base of every settings model: frozen, closed to unknown keys; the unit of a field stands in its value."""

import json
import re
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from spinhw.errors import ConfigError, did_you_mean, nearest
from spinhw.units import FOR_PEOPLE, InSI, Quantity

_PERCENT = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)) ?%")
_UNIT_SUFFIX = re.compile(r"_(s|hz|per_s|j|w|a|v|ohm)$")


def yaml_key(field_name: str) -> str:
    """Name a field as people write it: the unit stands in the value, so ``tau_s`` is ``tau`` in YAML."""
    return _UNIT_SUFFIX.sub("", field_name)


@dataclass(frozen=True)
class _Boolean:
    """True or false where neither is asked for: Python takes them for 1 and 0, and no field takes this."""

    value: bool

    def __repr__(self) -> str:
        return "true" if self.value else "false"


def _no_number(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_no_number(one) for one in value]
    return _Boolean(value) if isinstance(value, bool) else value


@dataclass(frozen=True)
class Moved:
    """Where a key of an older version is written now.

    Args:
        to: The keys down to it, such as ``loop.epochs``, from the mapping that the old key stands in.
        convert: Makes the present value of an old one; None where they are the same.
        from_top: Whether `to` begins at the top of the file instead.
    """

    to: str
    convert: Callable[[Any], Any] | None = None
    from_top: bool = False

    def place(self, keys: Sequence[str]) -> tuple[str, ...]:
        """Return the keys from the top of the file, for an old key in the mapping at `keys`."""
        return (*(() if self.from_top else keys), *self.to.split("."))


@dataclass(frozen=True)
class Gone:
    """What became of a key of an older version that has no place any more.

    Args:
        words: For people.
    """

    words: str


# Validation context of what people wrote in a file: keys are then those of YAML alone.
WRITTEN = {"written": True}


def _in_si(value: Any) -> Any:
    """Mark numbers whose name says that they are in SI; text with a unit is left to itself."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return InSI(value)
    if isinstance(value, list | tuple):
        return [_in_si(one) for one in value]
    return {key: _in_si(one) for key, one in value.items()} if isinstance(value, Mapping) else value


@dataclass(frozen=True)
class _Keys:
    """How the fields of a model are written: the alias of each, which are true or false, which may be in percent."""

    aliases: Mapping[str, str]
    known: frozenset[str]
    switches: frozenset[str]
    shares: frozenset[str]


@cache
def _keys_of(model: type[BaseModel]) -> _Keys:
    aliases = {name: field.alias or name for name, field in model.model_fields.items()}
    switches = {aliases[name] for name, field in model.model_fields.items() if field.annotation is bool}
    shares = {
        aliases[name] for name, field in model.model_fields.items() if _without_unit(field.annotation, field.metadata)
    }
    return _Keys(aliases, frozenset(aliases.values()), frozenset(switches), frozenset(shares))


def _without_unit(annotation: Any, marks: Sequence[Any] = ()) -> bool:
    """Tell whether a field holds numbers that are no whole ones and have no unit."""
    if get_origin(annotation) is Annotated:
        plain, *marks = get_args(annotation)
        return _without_unit(plain, marks)
    if annotation is float:
        return not any(isinstance(mark, Quantity) for mark in marks)
    return any(_without_unit(inner) for inner in get_args(annotation))


def _from_percent(value: Any) -> Any:
    """Read "20 %" as 0.2, alone or in a list; all else stays as it is."""
    if isinstance(value, list | tuple):
        return [_from_percent(one) for one in value]
    found = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    return float(found[1]) / 100 if found else value


def _from_json(text: str | bytes | bytearray) -> Any:
    with suppress(ValueError):
        return json.loads(text)
    return None


class Settings(BaseModel):
    """Base of every settings model: frozen, closed to unknown keys, without NaN or infinity.

    In Python a field is set by its own name in SI (``tau_s=5e-9``), as it is read and as `model_dump` gives it, or as
    in YAML (``tau="5 ns"``); in a file only the latter. What is wrong is a `ConfigError` in either case.
    """

    # Most commands use few of the models: a validator is built when it is first used.
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, alias_generator=yaml_key, defer_build=True
    )
    # Keys of older versions. One that has become the name of a mapping is the old one where its value is none.
    moved: ClassVar[Mapping[str, Moved | Gone]] = {}
    # What sorts of files hold them, as in `sorts`; none where they never are a file.
    sorts: ClassVar[tuple[str, ...]] = ()

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise self._told(error, data) from None

    @classmethod
    def validated(cls, data: Any, context: Mapping[str, Any] | None = None) -> Self:
        """Make settings with pydantic's own error, for who knows where the data stand."""
        return super().model_validate(data, context=context)

    @classmethod
    def model_validate(cls, obj: Any, **how: Any) -> Self:
        """Make settings from plain data, as from keywords.

        Raises:
            ConfigError: One line for each thing that is wrong.
        """
        try:
            return super().model_validate(obj, **how)
        except ValidationError as error:
            raise cls._told(error, obj) from None

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **how: Any) -> Self:
        """Make settings from JSON, as from keywords.

        Raises:
            ConfigError: One line for each thing that is wrong.
        """
        try:
            return super().model_validate_json(json_data, **how)
        except ValidationError as error:
            raise cls._told(error, _from_json(json_data)) from None

    @classmethod
    def _told(cls, error: ValidationError, data: Any) -> ConfigError:
        from spinhw.config.building import told  # It knows the base of all settings.

        return told(error, cls, data if isinstance(data, Mapping) else {}, cls.__name__)

    # pydantic would otherwise make inner settings by it too, and lose where they stand.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    if not TYPE_CHECKING:  # Seen by a type checker, any name could be set.

        def __setattr__(self, name: str, value: Any) -> None:
            try:
                super().__setattr__(name, value)
            except ValidationError:
                raise self._frozen(name) from None

        def __delattr__(self, name: str) -> None:
            try:
                super().__delattr__(name)
            except ValidationError:
                raise self._frozen(name) from None

    def _frozen(self, name: str) -> ConfigError:
        kind = type(self).__name__
        return ConfigError(
            f"{kind}.{name}: settings do not change",
            todo=f"make others: {kind}(**(settings.model_dump() | {{{name!r}: ...}}))",
        )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys_and_booleans(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, Mapping):
            return data
        keys = _keys_of(cls)
        if info.context != WRITTEN:
            data = cls._by_yaml_key(data, keys.aliases)
        for key, value in data.items():
            if key not in keys.known or cls.is_moved(key, value):
                moved = cls.moved.get(str(key))
                meant = str(keys.aliases.get(key, key))
                hint, near = nearest(meant, keys.known), did_you_mean(meant, keys.known)
                if moved is not None:
                    hint = moved.words if isinstance(moved, Gone) else f"it is written {moved.to} now"
                raise PydanticCustomError(
                    "unknown_key",
                    "unknown key {key}; {hint}",
                    {"key": repr(key), "name": str(key), "hint": hint, "near": bool(near), "moved": moved},
                )
        read = {key: _from_percent(value) if key in keys.shares else value for key, value in data.items()}
        return {key: value if key in keys.switches else _no_number(value) for key, value in read.items()}

    @classmethod
    def is_moved(cls, key: str, value: Any) -> bool:
        """Tell whether a key with this value is one of an older version."""
        return key in cls.moved and not (key in _keys_of(cls).known and isinstance(value, Mapping | BaseModel))

    @classmethod
    def _by_yaml_key(cls, data: Mapping[Any, Any], aliases: Mapping[str, str]) -> dict[Any, Any]:
        """Put the YAML's keys in place of the fields' own names."""
        twice = [name for name, alias in aliases.items() if name != alias and name in data and alias in data]
        if twice:
            raise ValueError(f"{twice[0]} and {aliases[twice[0]]} are the same; keep one")
        own = {name for name, alias in aliases.items() if name != alias}
        return {aliases[key] if key in own else key: _in_si(one) if key in own else one for key, one in data.items()}

    def to_yaml(self) -> str:
        """Write these settings as YAML that loads back to the same settings, quantities as people write them."""
        return _yaml(self.model_dump(mode="json", by_alias=True, context=FOR_PEOPLE))

    def canonical(self, without: Set[str] = frozenset()) -> str:
        """Write these settings, but for some keys, as a text that only equal ones share; its form never changes."""
        return _yaml(self.model_dump(mode="json", by_alias=True, exclude=set(without)))

    def chosen(self) -> dict[str, Any]:
        """Return what of these settings is otherwise than by default, as plain data, and every kind.

        A key that later versions add changes nothing in it.
        """
        plain = self.model_dump(mode="json", by_alias=True)
        found: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            value, key = getattr(self, name), field.alias or name
            if name == "kind" or value != field.get_default(call_default_factory=True):
                found[key] = value.chosen() if isinstance(value, Settings) else plain[key]
        return found


def _yaml(plain: dict[str, Any]) -> str:
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


SettingsT = TypeVar("SettingsT", bound=Settings)
