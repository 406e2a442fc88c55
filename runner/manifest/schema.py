"""The JSON Schema of manifests, for editors and for whoever writes them by program."""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import SchemaSerializer, core_schema

from runner.backends import registry
from runner.manifest.job import ManifestModel


class _Generator(GenerateJsonSchema):
    """Shows defaults as a manifest writes them, and spares the titles that only repeat names."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        result = super().default_schema(schema)
        default = schema.get("default")
        if default is None:
            result.pop("default", None)
        elif "default" in result:
            result["default"] = _as_written(schema["schema"], default)
        return result

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        result = super().dict_schema(schema)
        # A pattern alone would let any key pass that does not match it.
        for pattern, value in result.pop("patternProperties", {}).items():
            result |= {"propertyNames": {"pattern": pattern}, "additionalProperties": value}
        return result

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """The JSON Schema of a manifest with every kind of remote; `memory`, which is for tests, is left out."""
    lasting = [kind for kind, entry in registry.KINDS.items() if not entry.fleeting]
    kinds: list[type[BaseModel]] = [registry.config(kind) for kind in lasting]
    models: list[type[BaseModel]] = [ManifestModel, *kinds]
    refs, whole = models_json_schema([(model, "validation") for model in models], schema_generator=_Generator)
    definitions = whole["$defs"]
    manifest = definitions.pop(refs[ManifestModel, "validation"]["$ref"].rpartition("/")[2])
    manifest["properties"]["remotes"]["additionalProperties"] = {
        "description": "A place that `remote:path` may name; `type` says of which kind.",
        "oneOf": [refs[kind, "validation"] for kind in kinds],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "acdrun manifest",
        **{key: value for key, value in manifest.items() if key != "title"},
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """The schema as `schemas/manifest.schema.json` holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _as_written(inner: core_schema.CoreSchema, default: Any) -> Any:
    if isinstance(default, BaseModel):
        return default.model_dump(mode="json", exclude_none=True)
    if default in ({}, ()):  # nothing to write, and the schema may refer to models that stand elsewhere
        return {} if isinstance(default, dict) else []
    return SchemaSerializer(inner).to_python(default, mode="json")
