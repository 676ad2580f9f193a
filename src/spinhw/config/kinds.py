"""A key whose `kind` chooses the settings model, out of a registry that other packages add to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from spinhw.config.settings import Settings
from spinhw.errors import ConfigError
from spinhw.registry import Registry


@dataclass(frozen=True)
class ByKind:
    """Pydantic annotation: a mapping whose ``kind`` names a settings model of a registry.

    Args:
        registry: The kinds there are.
        default: Kind of a mapping that names none; None where one must be named.
    """

    registry: Registry
    default: str | None = None

    def _read(self, value: Any, info: core_schema.ValidationInfo) -> Settings:
        if isinstance(value, Settings):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("mapping_type", "a mapping of keys is needed here")
        kind = value.get("kind", self.default)
        if not isinstance(kind, str) or not self.registry.knows(kind):
            known = self.registry.names()
            raise PydanticCustomError(
                "unknown_kind",
                "unknown kind {kind}",
                {"kind": "nothing" if kind is None else str(kind), "known": known},
            )
        try:
            model: type[Settings] = self.registry.find(kind)
        except ConfigError as error:
            # pydantic passes a ValueError on, and `describe` takes its four parts out again.
            raise PydanticCustomError("broken_kind", "{text}", {"text": str(error)}) from error
        return model.model_validate(dict(value) | {"kind": kind}, context=info.context)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Validate by the model that the kind names, and write what that model writes."""
        return core_schema.with_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value, info: value.model_dump(mode=info.mode, by_alias=info.by_alias), info_arg=True
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe every kind there is, those of other packages included."""
        models = dict.fromkeys(self.registry.find(kind) for kind in self.registry.names())  # Kinds may share one.
        variants = [handler(model.__pydantic_core_schema__) for model in models]
        return variants[0] if len(variants) == 1 else {"oneOf": variants}
