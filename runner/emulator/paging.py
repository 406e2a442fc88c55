"""Signed, opaque texts that a client carries from one call to the next: paging tokens and checkpoints.

Nothing about them is kept here: whatever the next call needs is inside, under a signature.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

MARK_BYTES = 12


def seal(secret: bytes, purpose: str, content: Any) -> str:
    """Write JSON-able content as an opaque text for one purpose."""
    data = json.dumps(content, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mark(secret, purpose, data) + data).rstrip(b"=").decode()


def unseal(secret: bytes, purpose: str, text: str) -> Any | None:
    """Read back what `seal` wrote for that purpose; None for anything else."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    mark, data = raw[:MARK_BYTES], raw[MARK_BYTES:]
    if not hmac.compare_digest(mark, _mark(secret, purpose, data)):
        return None
    return json.loads(data)


def sign(secret: bytes, purpose: str, text: str) -> str:
    """Return a signature, in hex digits, of a text that travels beside it."""
    return _mark(secret, purpose, text.encode()).hex()


def _mark(secret: bytes, purpose: str, data: bytes) -> bytes:
    return hmac.digest(secret, purpose.encode() + b"\0" + data, hashlib.sha256)[:MARK_BYTES]
