"""The JSON schema of settings, for editors."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

_PLAIN = (type(None), bool, int, float, str)


class _Schema(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Leave plain values as they are: pydantic would build an adapter for each of several hundred."""
        return dft if type(dft) in _PLAIN else super().encode_default(dft)


def json_schema(settings: Any) -> dict[str, Any]:
    """Return the JSON schema of a settings model, or of several of which a file holds one, with the keys of YAML."""
    return TypeAdapter[Any](settings).json_schema(by_alias=True, schema_generator=_Schema)
