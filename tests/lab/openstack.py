"""Containers on a real Swift; each lab has one of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from runner.backends import registry
from runner.backends.contract import RULES, trashing
from runner.backends.swift.backend import Swift
from runner.backends.swift.wire import Ask
from runner.model.backend import Backend, Setting
from tests.lab.servers import Served, served

KINDS = ["swift", "swift versions"]
"""The second one keeps versions."""

_ATTRIBUTES = "keeps names and metadata in extended attributes, of which this machine's disk takes 4 KiB"

FAULTS = {
    ("swift versions", "a_path_as_long_as_claimed_is_kept"): _ATTRIBUTES,
    ("swift versions", "a_long_name_is_kept_or_refused"): _ATTRIBUTES,
}
"""Rules that the server here breaks, and how it differs from the service in that."""

_TRASHING = {rule.__name__ for rule in RULES if rule.__module__ == trashing.__name__}
"""Rules that versions have to do with."""

_OFTEN = (
    "a_create_never_replaces",
    "of_creates_at_once_exactly_one_wins",
    "a_copy_is_what_a_put_would_have_made",
)
"""Other rules that are kept in another way where versions are."""

_LONG = (
    "a_thousand_children_are_all_listed",
    "of_many_copies_each_is_whole",
    "an_odd_folder_name_is_kept_or_refused",
)
"""Rules of many requests, of which this server answers some hundred a second."""


def slow(kind: str, rule: str) -> bool:
    """Is this rule on this kind for those who have time?"""
    if kind == "swift versions":
        return rule not in _TRASHING and rule not in _OFTEN
    return kind in KINDS and rule in _LONG


def fields(server: Served, container: str, *, keystone: bool = False) -> dict[str, object]:
    """What a manifest says of a container of this server; the key is in the environment: see `environment`."""
    key = {"key": {"env": "LAB_SWIFT_KEY"}}
    auth: dict[str, object] = {"url": f"{server.url}/auth/v1.0", "user": server.key_id, **key}
    if keystone:
        auth = {
            "url": f"{server.url}/v3",
            "user": "tester",
            "project": "test",
            "user_domain": "Default",
            **key,
        }
    return {"type": "swift", "container": container, "auth": auth}


def environment(server: Served) -> dict[str, str]:
    """What a program is to find in its environment."""
    return {"LAB_SWIFT_KEY": server.secret}


@contextmanager
def keys(server: Served) -> Iterator[None]:
    """Have the server's key in the environment."""
    os.environ.update(environment(server))
    yield


def new_container() -> str:
    """A name that nobody has."""
    return f"lab-{uuid4()}"


async def open_backend(kind: str, setting: Setting, **more: object) -> Backend:
    """Open a container that is still to be made; skips where there is no server."""
    server = served("swift")
    root = {"root": "top/below"} if kind == "swift" else {}
    config = registry.config("swift").model_validate(fields(server, new_container()) | root | more)
    with keys(server):
        backend = await Swift.open(config, setting)  # type: ignore[arg-type]
    if kind.endswith("versions"):
        await backend.mkdir("")
        await keep_versions(backend)
    return backend


async def keep_versions(backend: Backend) -> None:
    """Have the container keep versions from now on."""
    assert isinstance(backend, Swift)
    headers = (("x-versions-enabled", "true"),)
    await backend._wire.call(Ask("POST", backend._at("").bucket, headers=headers))
