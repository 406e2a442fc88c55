"""The service as calls: addresses, signatures, and the two things that are put right on the way, region and clock."""

import asyncio
import email.utils
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import NamedTuple

from runner.backends.s3.answers import Elsewhere, Expired, NoBucket, Skewed
from runner.backends.s3.config import S3Config
from runner.backends.s3.sign import EMPTY, UNSIGNED, Keys, encoded, signed
from runner.model.errors import AcdrunError, BadAnswer, Denied, Exists
from runner.remote.http import JSON_LIMIT, Reply, Request, Stream
from runner.remote.wire import Download, Wire

_IN_THREAD = 1 << 18
_UPLOAD_IDLE_S = 300.0


class Ask(NamedTuple):
    """One request in the service's words.

    key: "" for the bucket itself; bucket: "" for the account. query: decoded; headers: names in lower case.
    repeatable: see `Request`; as_stored: likewise.
    """

    method: str
    bucket: str = ""
    key: str = ""
    query: Mapping[str, str] = {}
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | Stream = b""
    repeatable: bool = True
    as_stored: bool = False


class S3Wire:
    """Signs each request anew, so that one that was held back for long is not too old when it is sent again.

    renew: looks for the keys again where they came from, once those that were found have expired.
    now: seconds since 1970.
    """

    def __init__(
        self,
        wire: Wire,
        config: S3Config,
        keys: Keys,
        region: str,
        *,
        renew: Callable[[], Awaitable[Keys]] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.wire = wire
        named = config.endpoint if "://" in config.endpoint else f"https://{config.endpoint}"
        self.endpoint = (named if config.endpoint else f"https://s3.{region}.amazonaws.com").rstrip("/")
        self._named = self.endpoint if config.endpoint else ""
        self._address = config.address
        self._keys = keys
        self._renew = renew
        self._renewing = asyncio.Lock()
        self._region = region
        self._regions: dict[str, str] = {}
        self._now = now
        self._ahead_s = 0.0

    async def call(self, ask: Ask, *, most: int = JSON_LIMIT) -> Reply:
        """Ask, and return the whole answer, of at most `most` bytes. Raises what `answers` makes of a complaint."""
        for _ in range(4):
            keys = self._keys
            try:
                return await self.wire.call(await self._request(ask), most=most)
            except Expired as error:
                await self._renewed(keys, error)
            except (Elsewhere, Skewed) as error:
                self._put_right(ask, error)
            except NoBucket as error:
                hint = f"make it first: acdrun mkdir {self.wire.remote}:BUCKET, or without BUCKET if one is configured"
                raise NoBucket(f"there is no bucket {ask.bucket!r} at {self.endpoint}", hint=hint) from error
        raise BadAnswer("the service sends from one region to another")

    @asynccontextmanager
    async def stream(self, ask: Ask) -> AsyncIterator[Download]:
        """Ask, and let the body be read piece by piece."""
        for _ in range(4):
            keys = self._keys
            try:
                async with self.wire.stream(await self._request(ask)) as download:
                    yield download
                    return
            except Expired as error:
                await self._renewed(keys, error)
            except (Elsewhere, Skewed) as error:
                self._put_right(ask, error)
        raise BadAnswer("the service sends from one region to another")

    async def make_bucket(self, bucket: str) -> None:
        """Make it; one that is there already is left as it is."""
        with suppress(Exists):
            await self.call(Ask("PUT", bucket, body=self._location(bucket)))

    def _location(self, bucket: str) -> bytes:
        """What a new bucket is to be told of its place: nothing in the one region that needs no name."""
        region = self._regions.get(bucket, self._region)
        if region == "us-east-1":
            return b""
        inner = f"<LocationConstraint>{region}</LocationConstraint>"
        return f"<CreateBucketConfiguration>{inner}</CreateBucketConfiguration>".encode()

    async def _renewed(self, refused: Keys, error: Expired) -> None:
        """Have other keys than these; one looks for them, the others wait. Raises the error where there are none."""
        async with self._renewing:
            if self._keys != refused:
                return
            found = await self._renew() if self._renew is not None else refused
            if found == refused:
                raise error
            self._keys = found

    def _put_right(self, ask: Ask, error: AcdrunError) -> None:
        """Believe the service once in what region a bucket is, and what time it is."""
        if isinstance(error, Elsewhere):
            if self._regions.get(ask.bucket, self._region) == error.region:
                raise Denied(
                    f"the service refuses the region {error.region!r}, which it named itself: {error.message}"
                )
            self._regions[ask.bucket] = error.region
            return
        assert isinstance(error, Skewed)
        try:
            theirs = email.utils.parsedate_to_datetime(error.date).timestamp()
        except (ValueError, TypeError, OverflowError):
            theirs = 0.0
        if not theirs or abs(theirs - self._now() - self._ahead_s) < 1:
            raise Denied(f"the service finds the time of the request wrong: {error.message}")
        self._ahead_s = theirs - self._now()

    async def _request(self, ask: Ask) -> Request:
        body = ask.body
        if isinstance(body, bytes) and len(body) >= _IN_THREAD and not self.endpoint.startswith("https://"):
            return self.prepared(ask, await asyncio.to_thread(lambda: hashlib.sha256(body).hexdigest()))
        return self.prepared(ask)

    def prepared(self, ask: Ask, digest: str = "") -> Request:
        """The request, signed as of now. digest: SHA-256 of its body, where somebody has found it out already."""
        region = self._regions.get(ask.bucket, self._region)
        base, host, above = _bucket_at(self._named, self._address, ask.bucket, region)
        path = f"{above}/{encoded(ask.key, safe='/')}" if ask.key or not above else above
        query = ""
        if ask.query:
            query = "&".join([f"{encoded(name)}={encoded(ask.query[name])}" for name in sorted(ask.query)])
        headers = signed(
            ask.method,
            host,
            path,
            query,
            ask.headers,
            digest or _digest(base, ask.body),
            keys=self._keys,
            region=region,
            now_s=self._now() + self._ahead_s,
        )
        return Request(
            ask.method,
            f"{base}{path}?{query}" if query else base + path,
            headers=tuple(headers),
            body=ask.body,
            repeatable=ask.repeatable,
            authorised=False,
            as_stored=ask.as_stored,
            idle_s=_UPLOAD_IDLE_S if ask.body else 60.0,
        )


def _digest(base: str, body: bytes | Stream) -> str:
    """What is streamed cannot be digested before; its Content-MD5 is signed, and http:// is for this machine."""
    if not body:
        return EMPTY
    if isinstance(body, Stream) or base.startswith("https://"):
        return UNSIGNED
    return hashlib.sha256(body).hexdigest()


@lru_cache(maxsize=256)
def _bucket_at(endpoint: str, address: str, bucket: str, region: str) -> tuple[str, str, str]:
    """The address up to the path, its host, and the path up to the key.

    endpoint: "" for Amazon's; address: of the configuration; bucket: "" for the account.
    """
    base = endpoint or f"https://s3.{region}.amazonaws.com"
    scheme, _, host = base.partition("://")
    if bucket and (address == "host" or (address == "auto" and not endpoint and "." not in bucket)):
        host = f"{bucket}.{host}"
        return f"{scheme}://{host}", host, ""
    return base, host, f"/{encoded(bucket)}" if bucket else ""
