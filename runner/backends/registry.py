"""The kinds of storage: one line each, loaded only when a manifest names them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.model.config import RemoteConfig
from runner.model.importing import imported

if TYPE_CHECKING:
    from runner.model.backend import Backend
    from runner.remote.login import Provider


class Kind(NamedTuple):
    """config, backend: "module:name" of the pydantic model and of the `Backend` it configures.

    login: "module:name" of what makes a `Provider` of the model; "" for a kind without OAuth.
    words: "module:name" of a mapping from other tools' words for fields to ours, where they differ; "" for none.
    fleeting: it forgets everything when the process ends: it is for tests, and nobody is to be pointed at it.
    """

    config: str
    backend: str
    also: tuple[str, ...] = ()
    login: str = ""
    words: str = ""
    fleeting: bool = False


KINDS = {
    "amazon cloud drive": Kind(
        "acd.config:AcdConfig", "acd.backend:Acd", also=("acd",), login="acd.login:provider"
    ),
    "google cloud storage": Kind(
        "gcs.config:GcsConfig", "gcs.backend:Gcs", also=("gcs",), login="gcs.login:provider"
    ),
    "local": Kind("local.config:LocalConfig", "local.backend:Local"),
    "s3": Kind("s3.config:S3Config", "s3.backend:S3"),
    "swift": Kind("swift.config:SwiftConfig", "swift.backend:Swift", words="swift.config:WORDS"),
    "memory": Kind("memory:MemoryConfig", "memory:Memory", fleeting=True),
    "memory keys": Kind("memory_keys:KeysConfig", "memory_keys:Keys", fleeting=True),
}


def kind_of(config: RemoteConfig) -> str:
    """The full name of a remote's kind."""
    kind = full_name(getattr(config, "type"))  # noqa: B009  (each kind's own model declares it)
    assert kind is not None
    return kind


def config(kind: str) -> type[RemoteConfig]:
    """The configuration model of a kind, by its full name."""
    model: type[RemoteConfig] = _load(KINDS[kind].config)
    return model


def backend(kind: str) -> "type[Backend]":
    """The backend class of a kind, by its full name."""
    driver: type[Backend] = _load(KINDS[kind].backend)
    return driver


def provider(kind: str, config: RemoteConfig) -> "Provider | None":
    """What a log-in to this remote needs; None when there is none to be made."""
    if not KINDS[kind].login:
        return None
    make: Callable[[RemoteConfig], Provider | None] = _load(KINDS[kind].login)
    return make(config)


def field(kind: str, word: str) -> str:
    """Our name for the field of a kind that other tools call so; the word itself where theirs is ours."""
    words: Mapping[str, str] = _load(KINDS[kind].words) if KINDS[kind].words else {}
    return words.get(word, word)


def full_name(word: str) -> str | None:
    """The kind a manifest means by `word`: its name or its short form; None when there is none."""
    for kind, entry in KINDS.items():
        if word == kind or word in entry.also:
            return kind
    return None


def _load(spec: str) -> Any:
    module, _, name = spec.partition(":")
    return getattr(imported(f"runner.backends.{module}"), name)
