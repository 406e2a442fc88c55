"""Buckets on emulators of Google Cloud Storage; each lab has one of its own."""

import atexit
import contextlib
from functools import cache
from uuid import uuid4

import httpx

from runner.backends import registry
from runner.backends.contract import RULES, trashing
from runner.backends.gcs.backend import Gcs
from runner.model.backend import Backend, Setting
from tests.lab import servers
from tests.lab.gcs_server import serving
from tests.lab.gcs_service import Service

KINDS = ["gcs strict", "gcs strict versions", "gcs fake"]
"""`strict`: ours, see `gcs_service`, by what its bucket keeps. `fake`: fake-gcs-server of PyPI."""

SOFT = "gcs strict soft"
"""Asked for what it can do alone."""

_OWN_NAME = "soft delete brings content back under its own name only, and nothing may stand there"
_TWICE = "what a folder held is kept by soft delete too, file by file, beside the folder's copy"
_UNGUARDED = "does not look at ifSourceGenerationMatch, and copies what has moved on"

FAULTS = {
    ("gcs fake", "what_cannot_be_copied_is_left_alone"): _UNGUARDED,
}
"""Rules that a server breaks, and how it differs from the service in that."""

SOFTLY = {
    "a_restore_never_replaces": _OWN_NAME,
    "what_was_replaced_is_in_the_trash": _OWN_NAME,
    "the_trash_shows_what_was_trashed_and_where_it_was": _TWICE,
    "one_entry_of_the_trash_can_be_asked_for": _TWICE,
    "a_folder_comes_back_with_all_it_held": _TWICE,
}
"""Rules of the trash that soft delete does not keep."""

_EACH = (
    "content_of_several_pieces_comes_back_equal",
    "a_create_never_replaces",
    "a_replace_of_another_generation_is_stale",
    "what_put_replaced_comes_back_by_what_it_returned",
    "of_creates_at_once_exactly_one_wins",
    "a_flat_listing_has_every_file_in_the_order_of_bytes",
    "a_time_is_kept_as_finely_as_claimed",
)
"""Rules that every server is asked for each time; ours is asked for all."""

_TRASHING = {rule.__name__ for rule in RULES if rule.__module__ == trashing.__name__}
_LASTS = ("a_thousand_children_are_all_listed",)


def slow(kind: str, rule: str) -> bool:
    """Is this rule on this server for those who have time?"""
    if kind == "gcs strict versions":
        return rule not in _TRASHING
    return kind in KINDS and (rule in _LASTS or (kind == "gcs fake" and rule not in _EACH))


@cache
def strict() -> Service:
    """Ours, in this process."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(serving())


def url_of(server: str) -> str:
    """Where this server is; skips the test where it cannot be had."""
    return strict().url if server == "strict" else servers.fake_gcs()


def fields(url: str, bucket: str) -> dict[str, object]:
    """What a manifest says of a bucket there."""
    return {
        "type": "gcs", "endpoint": url, "bucket": bucket, "project_number": "1", "auth": {"anonymous": True},
    }  # fmt: skip


def new_bucket(url: str, way: str = "") -> str:
    """Make one that nobody has, without the code under test."""
    name = f"lab-{uuid4()}"
    if url == strict().url:
        strict().make(name, way)
    else:
        httpx.post(f"{url}/storage/v1/b?project=1", json={"name": name}).raise_for_status()
    return name


async def open_backend(kind: str, setting: Setting, **more: object) -> Backend:
    """Open an empty bucket on the server of this kind; skips where there is none."""
    _, server, *way = kind.split(" ")
    url = url_of(server)
    root = {"root": "top/below"} if kind == "gcs strict" else {}
    config = registry.config("google cloud storage").model_validate(
        fields(url, new_bucket(url, *way)) | root | more
    )
    return await Gcs.open(config, setting)  # type: ignore[arg-type]
