"""Signatures of requests, version 4. Source: AWS, "Authenticating Requests: Using the Authorization Header"."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

UNSIGNED = "UNSIGNED-PAYLOAD"
"""In place of the body's digest, where TLS proves the body."""

EMPTY = hashlib.sha256(b"").hexdigest()


_PLAIN = re.compile(r"[A-Za-z0-9._~/-]*", re.ASCII)
"""Text that is encoded already, which most keys are."""


class Keys(NamedTuple):
    """What signs. token: of keys of limited life, "" for others."""

    id: str
    secret: str
    token: str = ""


def encoded(text: str, safe: str = "") -> str:
    """Percent-encoded as S3 wants it: every byte of UTF-8 but letters, digits and "-._~"."""
    if _PLAIN.fullmatch(text) is not None and (safe or "/" not in text):
        return text
    return quote(text, safe=safe, encoding="utf-8", errors="surrogatepass")


def signed(
    method: str,
    host: str,
    path: str,
    query: str,
    headers: Sequence[tuple[str, str]],
    body_sha256: str,
    *,
    keys: Keys,
    region: str,
    now_s: float,
) -> list[tuple[str, str]]:
    """The headers with those that sign the request.

    path: as it is sent, encoded once and not cleaned; query: encoded, its parts in order, without "?".
    headers: names in lower case; all of them are signed. now_s: seconds since 1970, by the service's clock.
    """
    stamp = _stamp(int(now_s))
    all_ = [*headers, ("x-amz-content-sha256", body_sha256), ("x-amz-date", stamp)]
    if keys.token:
        all_.append(("x-amz-security-token", keys.token))
    canonical = sorted([("host", host), *all_])
    names = ";".join([name for name, _ in canonical])
    lines = "".join([f"{name}:{value}\n" for name, value in canonical])
    if " " in lines or "\t" in lines:
        lines = "".join([f"{name}:{' '.join(value.split())}\n" for name, value in canonical])
    request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{body_sha256}"
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    seal = _seal(keys.secret, stamp[:8], region).copy()
    seal.update(text.encode())
    all_.append(
        (
            "Authorization",
            f"AWS4-HMAC-SHA256 Credential={keys.id}/{scope}, SignedHeaders={names}, Signature={seal.hexdigest()}",
        )
    )
    return all_


@lru_cache(maxsize=4)
def _stamp(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")


@lru_cache(maxsize=64)
def _seal(secret: str, day: str, region: str) -> hmac.HMAC:
    """What begins a signature, all day: to be copied. A digest made at once would hand the interpreter's lock over."""
    key = ("AWS4" + secret).encode()
    for word in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    return hmac.new(key, digestmod="sha256")
