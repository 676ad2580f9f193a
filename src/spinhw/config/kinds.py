"""A key whose `kind` chooses the settings model, out of a registry that other packages add to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo
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
        or_name: Whether a text, such as the name of a profile, may stand there instead.
        hidden: Kinds that no editor is to offer here, for the model around this key refuses them.
    """

    registry: Registry
    default: str | None = None
    or_name: bool = False
    hidden: tuple[str, ...] = ()

    def _read(self, value: Any, source: Any, info: core_schema.ValidationInfo) -> Any:
        if isinstance(value, source):
            return value
        if isinstance(value, BaseModel):  # Settings of the same form from elsewhere, such as those of a bench alone.
            value = value.model_dump(mode="json", by_alias=True)
        if not isinstance(value, Mapping):
            raise PydanticCustomError("mapping_type", "a mapping of keys is needed here")
        kind = value.get("kind", self.default)
        if not isinstance(kind, str) or not self.registry.knows(kind):
            known = [one for one in self.registry.names() if one not in self.hidden]
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
        return model.validated(dict(value) | {"kind": kind}, info.context)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Validate by the model that the kind names, and write what that model writes."""
        return core_schema.with_info_plain_validator_function(
            lambda value, info: self._read(value, source, info),
            serialization=core_schema.plain_serializer_function_ser_schema(_written, info_arg=True),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe every kind there is, those of other packages included."""
        models = {kind: model for kind, model in self.registry.all() if kind not in self.hidden}
        by_model = {model: handler(_referred_to(model)) for model in models.values()}
        variants = list(by_model.values())
        known: dict[str, Any] = variants[0] if len(variants) == 1 else {"oneOf": variants}
        if not variants:
            known = {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}}
        elif len(variants) > 1 and all("$ref" in one for one in variants):
            mapping = {kind: by_model[model]["$ref"] for kind, model in models.items()}
            known = {"discriminator": {"mapping": mapping, "propertyName": "kind"}} | known
        return {"anyOf": [known, {"type": "string"}]} if self.or_name else known


def _referred_to(model: type[Settings]) -> core_schema.CoreSchema:
    """Wrap the core schema of a model so that pydantic writes it once, under ``$defs``, wherever it stands."""
    return core_schema.definitions_schema(model.__pydantic_core_schema__, [])


def _written(value: Any, info: SerializationInfo) -> Any:
    return (
        value
        if isinstance(value, str)
        else value.model_dump(mode=info.mode, by_alias=info.by_alias, context=info.context)
    )
