"""What each kind of storage can do, as a table for people: from its capabilities, and from what they cannot say."""

from collections.abc import Iterator
from typing import NamedTuple

from runner.backends import registry
from runner.model.backend import Capabilities

_HEAD = """\
# What each kind of storage can do

Written by `ci/backends` from what the backends claim; the contract (`runner/backends/contract`) holds each of them to
it, on the servers that are named.

"""


class Words(NamedTuple):
    """What capabilities do not say. found_out: of the preconditions, which differ from server to server; conditions:
    of them, where the claim alone would say too little. page: files in one answer of a flat listing."""

    trash: str
    copy: str
    resume: str
    tested: str
    found_out: bool = False
    conditions: str = ""
    page: int = 1000


WORDS = {
    "amazon cloud drive": Words(
        trash="the service's own",
        copy="renames",
        resume="no",
        tested="the built-in server, written apart from the protocol's description; rclone 1.60 holds that to it",
    ),
    "google cloud storage": Words(
        trash="older versions or soft delete where the bucket keeps them, else copies under `.acdrun-trash`, made by"
        " the service",
        copy="files between two such remotes of one log-in, copied by the service; a move is a copy and a removal",
        resume="at the byte, from 8 MiB",
        tested="fake-gcs-server, and a stricter server written from the API's description; beside rclone 1.75",
    ),
    "local": Words(
        trash="`.acdrun-trash` at its root",
        copy="renames",
        resume="no",
        tested="ext4 and tmpfs of this machine",
    ),
    "s3": Words(
        trash="versions where the bucket keeps them, else copies under `.acdrun-trash`, made by the service",
        copy="copies within the service; a move is a copy and a removal",
        resume="part by part, from 16 MiB",
        tested="moto 5, the S3 interface of OpenStack Swift 2.38, `rclone serve s3` 1.75, beside rclone 1.75",
        found_out=True,
    ),
    "swift": Words(
        trash="versions where the container keeps them, else copies under `.acdrun-trash`, made by the service",
        copy="copies within the account; a move is a copy and a removal",
        resume="segment by segment, from 16 MiB",
        tested="OpenStack Swift 2.38 with TempAuth, and a stand-in for Keystone's log-in, beside rclone 1.75",
        conditions="of a new file, the service's own where it checks it; else looked up before each write",
        page=10_000,
    ),
}
"""By kind; one for each kind that lasts."""


def page() -> str:
    """The whole page."""
    return _HEAD + "\n".join(_table()) + "\n"


def _table() -> Iterator[str]:
    kinds = [kind for kind, entry in registry.KINDS.items() if not entry.fleeting]
    columns = [_column(registry.backend(kind).can, WORDS[kind]) for kind in kinds]
    yield "| | " + " | ".join(kinds) + " |"
    yield "|---" * (len(kinds) + 1) + "|"
    for row in columns[0]:
        yield f"| **{row}** | " + " | ".join(column[row] for column in columns) + " |"


def _column(can: Capabilities, words: Words) -> dict[str, str]:
    return {
        "hash in listings": ", ".join(can.checksums) or "none: files are read, once, and remembered",
        "times": _times(can),
        "folders": "kept" if can.folders else "none: one is there while something is in it",
        "names": "equal without case" if can.folds else "by their bytes",
        "largest file": "as the place has it" if can.max_size is None else f"{can.max_size:,} bytes",
        "longest name or path": _longest(can),
        "listing": f"all at once, {words.page:,} to a request" if can.flat else "folder by folder",
        "trash": words.trash if can.trashes else "none",
        "preconditions": _preconditions(can, words),
        "server-side copy": words.copy if can.moves else "none",
        "resume": words.resume,
        "requests at once": str(can.concurrency),
        "tested against": words.tested,
    }


def _times(can: Capabilities) -> str:
    if can.mtime_ns is None:
        return "none"
    step = "to the nanosecond" if can.mtime_ns == 1 else f"in steps of {can.mtime_ns:,} ns"
    return step if can.lists_times else f"{step}, by a request for each state of a file that is asked about"


def _longest(can: Capabilities) -> str:
    if can.max_path is not None:
        return f"{can.max_path:,} bytes of path"
    return "as the place has it" if can.max_name is None else f"{can.max_name} UTF-16 units of name"


def _preconditions(can: Capabilities, words: Words) -> str:
    if words.found_out:
        return "the service's own where it checks them, which is tried once; elsewhere looked up before each write"
    if words.conditions:
        return words.conditions
    return "checked in the same step" if can.strong else "looked up before each write"
