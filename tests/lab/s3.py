"""Buckets on servers that speak S3's protocol; each lab has one of its own."""

import base64
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from runner.backends import registry
from runner.backends.contract import RULES, trashing
from runner.backends.s3.backend import S3
from runner.backends.s3.wire import Ask
from runner.model.backend import Backend, Setting
from tests.lab.servers import Served, served

SERVERS = ("moto", "swift", "rclone")

KINDS = [*(f"s3 {server}" for server in SERVERS), "s3 moto versions"]
"""By the server, for they differ in what they check; and with versions on, where that is said."""

_LONG = "keeps objects as files, whose names have 255 bytes"
_GHOSTS = "where versions are kept, a delimited listing has prefixes of keys that were removed"
_COMPOSED = "takes names for one that differ in composition"

FAULTS = {
    ("s3 moto", "an_odd_name_is_kept_or_refused"): "does not know keys with a line feed",
    ("s3 moto", "an_odd_folder_name_is_kept_or_refused"): "does not know keys with a line feed",
    ("s3 moto versions", "an_odd_name_is_kept_or_refused"): "does not know keys with a line feed",
    ("s3 moto versions", "an_odd_folder_name_is_kept_or_refused"): "does not know keys with a line feed",
    ("s3 moto versions", "a_name_changes_its_case"): _GHOSTS,
    ("s3 moto versions", "where_no_folders_are_kept_one_is_there_while_something_is_in_it"): _GHOSTS,
    ("s3 rclone", "a_path_as_long_as_claimed_is_kept"): _LONG,
    ("s3 rclone", "a_long_name_is_kept_or_refused"): _LONG,
    ("s3 rclone", "composition_twins_are_kept_apart_or_the_second_is_refused"): _COMPOSED,
    ("s3 rclone", "a_walk_keeps_twins_in_order"): _COMPOSED,
}
"""Rules that a server breaks, and how it differs from the service in that."""

_EACH = (
    "content_of_several_pieces_comes_back_equal",
    "a_create_never_replaces",
    "a_replace_of_another_generation_is_stale",
    "a_trash_of_another_generation_is_stale",
    "what_put_replaced_comes_back_by_what_it_returned",
    "of_creates_at_once_exactly_one_wins",
    "a_flat_listing_has_every_file_in_the_order_of_bytes",
    "a_time_is_kept_as_finely_as_claimed",
    "files_read_together_are_as_each_is_read",
    "files_stored_together_are_as_each_is_put",
)
"""Rules that every server is asked for each time; moto is asked for nearly all."""

_TRASHING = {rule.__name__ for rule in RULES if rule.__module__ == trashing.__name__}
"""Rules that versions have to do with."""

_LASTS = ("a_thousand_children_are_all_listed",)


def slow(kind: str, rule: str) -> bool:
    """Is this rule on this server for those who have time?"""
    if kind == "s3 moto versions":
        return rule not in _TRASHING
    return kind in KINDS and (rule in _LASTS or (kind != "s3 moto" and rule not in _EACH))


def fields(server: Served, bucket: str) -> dict[str, object]:
    """What a manifest says of a bucket of this server, but for the keys: see `keys`."""
    auth = {"access_key_id": {"env": "LAB_S3_ID"}, "secret_access_key": {"env": "LAB_S3_SECRET"}}
    return {"type": "s3", "endpoint": server.url, "bucket": bucket, "auth": auth}


@contextmanager
def keys(server: Served) -> Iterator[None]:
    """Have the server's keys in the environment."""
    os.environ.update(environment(server))
    yield


def environment(server: Served) -> dict[str, str]:
    """What a program is to find in its environment."""
    return {"LAB_S3_ID": server.key_id, "LAB_S3_SECRET": server.secret}


def new_bucket() -> str:
    """A name that nobody has."""
    return f"lab-{uuid4()}"


async def open_backend(kind: str, setting: Setting, **more: object) -> Backend:
    """Open a bucket that is still to be made, on the server of this kind; skips where there is none."""
    server = served(kind.split(" ")[1])
    root = {"root": "top/below"} if kind == "s3 moto" else {}
    config = registry.config("s3").model_validate(fields(server, new_bucket()) | root | more)
    with keys(server):
        backend = await S3.open(config, setting)  # type: ignore[arg-type]
    if kind.endswith("versions"):
        await backend.mkdir("")
        await keep_versions(backend)
    return backend


async def keep_versions(backend: Backend) -> None:
    """Have the bucket keep versions from now on."""
    assert isinstance(backend, S3)
    at = backend._at("")
    body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    await backend._wire.call(
        Ask("PUT", at.bucket, query={"versioning": ""}, headers=(("content-md5", digest),), body=body)
    )
