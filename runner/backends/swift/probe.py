"""Does the server refuse a write where something is? Swift does; others that speak its protocol may not even look."""

import os
import secrets
import time
from pathlib import Path

from runner.backends.swift.answers import Failed
from runner.backends.swift.wire import Ask, SwiftWire

_KEPT_S = 30 * 86400


async def refuses(wire: SwiftWire, container: str, prefix: str) -> bool:
    """Write an object of no name twice, and remove it, in three requests."""
    key = f"{prefix}probe-{secrets.token_hex(8)}"
    new = (("if-none-match", "*"), ("content-type", "application/octet-stream"))
    await wire.call(Ask("PUT", container, key, body=b"probe"))
    try:
        await wire.call(Ask("PUT", container, key, headers=new, body=b"probe"))
    except Failed:
        return True
    else:
        return False
    finally:
        await wire.call(Ask("DELETE", container, key))


def kept(file: Path) -> bool | None:
    """What was found out before, if not too long ago."""
    try:
        if time.time() - os.stat(file).st_mtime > _KEPT_S:
            return None
        return {b"refuses": True, b"ignores": False}.get(file.read_bytes()[:16])
    except OSError:
        return None


def keep(file: Path, found: bool) -> None:
    """Remember it for the next run."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    partial.write_bytes(b"refuses" if found else b"ignores")
    os.replace(partial, file)
