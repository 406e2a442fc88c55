"""Signatures of requests, version 4. Source: AWS, "Authenticating Requests: Using the Authorization Header"."""

import hashlib
import hmac
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

UNSIGNED = "UNSIGNED-PAYLOAD"
"""In place of the body's digest, where TLS proves the body."""

EMPTY = hashlib.sha256(b"").hexdigest()


class Keys(NamedTuple):
    """What signs. token: of keys of limited life, "" for others."""

    id: str
    secret: str
    token: str = ""


def encoded(text: str, safe: str = "") -> str:
    """Percent-encoded as S3 wants it: every byte of UTF-8 but letters, digits and "-._~"."""
    return quote(text, safe=safe, encoding="utf-8", errors="surrogatepass")


def signed(
    method: str,
    host: str,
    path: str,
    query: str,
    headers: list[tuple[str, str]],
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
    stamp = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    all_ = [*headers, ("x-amz-content-sha256", body_sha256), ("x-amz-date", stamp)]
    if keys.token:
        all_.append(("x-amz-security-token", keys.token))
    canonical = sorted([("host", host), *all_])
    names = ";".join(name for name, _ in canonical)
    lines = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in canonical)
    request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{body_sha256}"
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(_key(keys.secret, stamp[:8], region), text.encode(), hashlib.sha256).hexdigest()
    all_.append(
        (
            "Authorization",
            f"AWS4-HMAC-SHA256 Credential={keys.id}/{scope}, SignedHeaders={names}, Signature={signature}",
        )
    )
    return all_


@lru_cache(maxsize=64)
def _key(secret: str, day: str, region: str) -> bytes:
    """The signing key, which is the same all day."""
    key = ("AWS4" + secret).encode()
    for word in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return key
