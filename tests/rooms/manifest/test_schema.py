"""The JSON Schema in the repository is the one the models make, and the jobs in it are valid."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from runner.backends import registry
from runner.manifest.load import load
from runner.manifest.schema import schema, schema_text

ROOT = Path(__file__).parents[3]
JOBS = sorted((ROOT / "jobs").glob("*.yaml"))
VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_the_stored_schema_is_the_one_the_models_make() -> None:
    assert (ROOT / "schemas" / "manifest.schema.json").read_text("utf-8") == schema_text()


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("file", JOBS, ids=lambda file: file.name)
def test_every_job_of_the_repository_is_valid(file: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(file.read_text("utf-8")))] == []


@pytest.mark.parametrize("file", JOBS, ids=lambda file: file.name)
def test_every_job_of_the_repository_loads_without_warning(file: Path) -> None:
    assert load(file).warnings == ()


@pytest.mark.parametrize("file", JOBS, ids=lambda file: file.name)
def test_every_job_of_the_repository_names_the_schema(file: Path) -> None:
    first = file.read_text("utf-8").partition("\n")[0]

    assert first == "# yaml-language-server: $schema=../schemas/manifest.schema.json"


def test_nightly_mirrors_this_checkout() -> None:
    (pair,) = load(ROOT / "jobs" / "nightly.yaml").pairs

    assert (pair.source.path, str(pair.destination), pair.mode) == (str(ROOT), "cloud:acdrun", "mirror")


def _objects(node: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = []
    if isinstance(node, dict):
        if "properties" in node:
            found.append((path, node))
        for key, value in node.items():
            found += _objects(value, f"{path}/{key}")
    return found


def test_every_field_is_described() -> None:
    bare = [
        f"{path}/{name}"
        for path, node in _objects(schema())
        for name, field in node["properties"].items()
        if not field.get("description")
    ]

    assert bare == []


def test_every_object_refuses_unknown_keys() -> None:
    assert [path for path, node in _objects(schema()) if node.get("additionalProperties") is not False] == []


def test_every_kind_but_memory_is_in_it() -> None:
    text = json.dumps(schema())

    assert [kind for kind in registry.KINDS if f'"{kind}"' not in text] == ["memory", "memory keys"]


@pytest.mark.parametrize(
    "change",
    [{"jobs": {}}, {"version": 2}, {"nmae": "x"}, {"remotes": {"a": {"type": "memory"}}},
     {"defaults": {"retry": {"budget": "30"}}}, {"defaults": {"filter": [{"exclude": "a", "include": "b"}]}},
     {"remotes": {"a": {"type": "acd", "auth": {"token": "secret"}}}}],
)  # fmt: skip
def test_an_editor_sees_what_the_loader_refuses(change: dict[str, Any]) -> None:
    whole = {"version": 1, "name": "x", "jobs": {"a": {"before": ["x"]}}, **change}

    assert not VALIDATOR.is_valid(whole)


def test_defaults_are_shown_as_a_manifest_writes_them() -> None:
    retry = schema()["$defs"]["RetryPolicy"]["properties"]

    assert (retry["backoff"]["default"], retry["budget"]["default"]) == ("1s..2m", "30m")
