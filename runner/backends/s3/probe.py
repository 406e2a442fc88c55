"""What a server makes of preconditions: found out once, by trying. Some ignore them and overwrite."""

import json
import os
import secrets
import time
from pathlib import Path
from typing import NamedTuple, TypeVar

from runner.backends.s3.answers import Failed
from runner.backends.s3.nodes import bare, md5_of, opaque
from runner.backends.s3.objects import source_of
from runner.backends.s3.wire import Ask, S3Wire
from runner.model.checksum import Checksum
from runner.model.errors import AcdrunError, BadAnswer, Blocked, Unavailable, Unsupported
from runner.remote.dated import At

_KEPT_S = 30 * 86400


class Conditions(NamedTuple):
    """Whether a PUT that must not replace, one that must, and a DELETE are refused when they should be.

    digests: ETags of what is stored in one piece are its MD5.
    """

    create: bool = False
    replace: bool = False
    remove: bool = False
    digests: bool = True

    @property
    def strong(self) -> bool:
        """Is every write checked by the service itself?"""
        return self.create and self.replace and self.remove


async def probe(wire: S3Wire, bucket: str, prefix: str) -> Conditions:
    """Write, try to replace and remove one object of no name, in five requests."""
    key = f"{prefix}probe-{secrets.token_hex(8)}"
    reply = await wire.call(Ask("PUT", bucket, key, body=b"probe"))
    etag = bare(reply.headers.get("etag", ""))
    try:
        create = await _refused(
            wire, Ask("PUT", bucket, key, headers=(("if-none-match", "*"),), body=b"probe")
        )
        wrong = (("if-match", '"00000000000000000000000000000000"'),)
        replace = await _refused(wire, Ask("PUT", bucket, key, headers=wrong, body=b"probe"))
        remove = await _refused(wire, Ask("DELETE", bucket, key, headers=wrong))
    finally:
        await wire.call(Ask("DELETE", bucket, key))
    digests = not opaque(reply.headers) and md5_of(etag) == Checksum.of("md5", b"probe")
    return Conditions(create, replace, remove, digests)


class CopyConditions(NamedTuple):
    """Whether a copy is refused when its source is not the state that was meant, and when something is at its goal."""

    source: bool = False
    goal: bool = False


async def probe_copies(wire: S3Wire, bucket: str, prefix: str) -> CopyConditions:
    """Copy one object of no name to another, and try to do so again, in six requests.

    Some take `If-None-Match: *` for a word about the source, and refuse every copy.
    """
    key = f"{prefix}probe-{secrets.token_hex(8)}"
    copy = f"{key}-copy"
    source = ("x-amz-copy-source", source_of(At(bucket, key)))
    wrong = ("x-amz-copy-source-if-match", '"00000000000000000000000000000000"')
    try:
        await wire.call(Ask("PUT", bucket, key, body=b"probe"))
        new = Ask("PUT", bucket, copy, headers=(source, ("if-none-match", "*")))
        goal = not await _refused(wire, new) and await _refused(wire, new)
        return CopyConditions(await _refused(wire, Ask("PUT", bucket, copy, headers=(source, wrong))), goal)
    finally:
        for one in (copy, key):
            await wire.call(Ask("DELETE", bucket, one))


T = TypeVar("T", Conditions, CopyConditions)


async def _refused(wire: S3Wire, ask: Ask) -> bool:
    try:
        await wire.call(ask)
    except Failed:
        return True
    except (Unsupported, BadAnswer, Blocked):
        return False
    except Unavailable:
        raise
    except AcdrunError:
        return False
    return False


def kept(file: Path, kind: type[T]) -> T | None:
    """What was found out before, if not too long ago."""
    try:
        if time.time() - os.stat(file).st_mtime > _KEPT_S:
            return None
        data = json.loads(file.read_bytes()[:4096])
        return kind(*(data[name] is True for name in kind._fields))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(file: Path, found: Conditions | CopyConditions) -> None:
    """Remember it for the next run."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(found._asdict()), encoding="utf-8")
    os.replace(partial, file)
