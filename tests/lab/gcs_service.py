"""Google Cloud Storage's JSON API in memory, as strict as its description, for what emulators let pass.

It checks every precondition, digest and name, keeps older and soft-deleted states, makes copies in several steps,
holds uploads to multiples of 256 KiB, unpacks packed content for who does not say that it can, answers with the asked
fields only, and refuses parameters that it does not know. Written from the API's public description alone.

It does not check: access control, lifecycle, encryption; its crc32c is that of zlib, for nobody here computes one.
"""

import base64
import gzip
import hashlib
import itertools
import json
import re
import secrets
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from tests.lab.gcs_forms import Answer, Asked, Wrong, check_name, date_of, mask_of, parts_of, picked

_GRAIN = 256 << 10
_MATCHES = ("ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch")
_ALWAYS = {"fields", "alt", "prettyPrint", "userProject", "projection", "key", "quotaUser"}
_KNOWN = {
    "list": {"prefix", "delimiter", "maxResults", "pageToken", "startOffset", "endOffset", "versions", "softDeleted"},
    "get": {"generation", "softDeleted", *_MATCHES},
    "delete": {"generation", *_MATCHES},
    "insert": {"uploadType", "name", "upload_id", "contentEncoding", "predefinedAcl", *_MATCHES},
    "rewrite": {
        "rewriteToken", "sourceGeneration", "ifSourceGenerationMatch", "maxBytesRewrittenPerCall", *_MATCHES,
    },
    "restore": {"generation", "copySourceAcl", *_MATCHES},
    "compose": {"ifGenerationMatch", "ifMetagenerationMatch"},
    "patch": {"generation", *_MATCHES},
    "bucket": {"project", "maxResults", "pageToken", "prefix"},
}  # fmt: skip


@dataclass(frozen=True)
class State:
    """One state of one object. about: what its maker says of it; md5: "" where it was put together of others."""

    name: str
    generation: int
    data: bytes
    about: Mapping[str, Any]
    md5: str
    made_ns: int
    gone_ns: int = 0
    meta: int = 1


@dataclass
class Upload:
    """One that was begun. expect: its precondition."""

    bucket: str
    about: dict[str, Any]
    expect: str | None
    size: int | None
    data: bytearray = field(default_factory=bytearray)
    done: State | None = None


@dataclass
class Bucket:
    """way: "versions", "soft" or "" for how it keeps what is removed."""

    way: str = ""
    live: dict[str, State] = field(default_factory=dict)
    past: list[State] = field(default_factory=list)


Hook = Callable[[Asked], "Answer | bytes | None"]
"""What comes back instead; bytes go out as they are, after which the connection ends; None: what is right."""


@dataclass
class Service:
    """Everything the service knows. One request at a time.

    tokens: the good ones; None where none is asked for. public: the key that statements of a service account are
    signed with. copied: bytes that one request copies. capacity: bytes of everything. seen: what was asked.
    """

    url: str = ""
    hook: Hook = lambda asked: None
    tokens: set[str] | None = None
    refresh: set[str] = field(default_factory=set)
    codes: dict[str, str] = field(default_factory=dict)
    public: Any = None
    copied: int = 1 << 20
    capacity: int = 1 << 40
    page: int = 1000
    buckets: dict[str, Bucket] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    rewrites: dict[str, list[Any]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    serial: "itertools.count[int]" = field(default_factory=lambda: itertools.count(time.time_ns() // 1000))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, start: str, word: str = "") -> int:
        """How many requests begin like that and hold that word."""
        return sum(one.startswith(start) and word in one for one in self.seen)

    def make(self, bucket: str, way: str = "") -> Bucket:
        """Make a bucket."""
        self.buckets[bucket] = Bucket(way)
        return self.buckets[bucket]

    def answer(self, asked: Asked) -> Answer:
        """What the service says."""
        try:
            if asked.path == "/auth":
                return self._consent(asked)
            if asked.path == "/token":
                return self._token(asked)
            if self.tokens is not None and asked.headers.get("authorization", "")[7:] not in self.tokens:
                raise Wrong(401, "authError", "Invalid Credentials")
            return self._routed(asked)
        except Wrong as wrong:
            media = asked.query.get("alt") == "media"
            text = {"code": wrong.status, "message": wrong.message, "errors": [
                {"domain": "global", "reason": wrong.reason, "message": wrong.message}]}  # fmt: skip
            if media:
                return Answer(wrong.status, {"Content-Type": "text/plain"}, wrong.message.encode())
            return Answer(
                wrong.status, {"Content-Type": "application/json"}, json.dumps({"error": text}).encode()
            )

    def _consent(self, asked: Asked) -> Answer:
        """Somebody says yes at once; the code is good for who knows what the challenge was made of."""
        query = asked.query
        right = query.get("response_type") == "code" and query.get("code_challenge_method") == "S256"
        if not right or query.get("access_type") != "offline" or "devstorage" not in query.get("scope", ""):
            raise Wrong(400, "invalid", "not what a log-in asks")
        code = secrets.token_hex(8)
        self.codes[code] = query["code_challenge"]
        goal = f"{query['redirect_uri']}?code={code}&state={quote(query['state'])}"
        return Answer(302, {"Location": goal}, b"")

    def _token(self, asked: Asked) -> Answer:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        good = form.get("refresh_token") in self.refresh
        if form.get("grant_type", "").endswith("jwt-bearer"):
            good = self._signed(form.get("assertion", ""))
        more = {}
        if form.get("grant_type") == "authorization_code":
            made = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
            good = self.codes.pop(form["code"], "") == made.rstrip(b"=").decode()
            more = {"refresh_token": f"1//{secrets.token_hex(8)}"}
            self.refresh |= set(more.values())
        if not good:
            return Answer(400, {}, b'{"error": "invalid_grant", "error_description": "canary"}')
        token = f"ya29.{secrets.token_hex(8)}"
        self.tokens = (self.tokens or set()) | {token}
        return Answer(200, {}, json.dumps(
            {"access_token": token, "token_type": "Bearer", "expires_in": 3600, **more}).encode())  # fmt: skip

    def _signed(self, statement: str) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        head, claims, signature = (base64.urlsafe_b64decode(part + "==") for part in statement.split("."))
        said = json.loads(claims)
        try:
            text = statement.rpartition(".")[0].encode()
            self.public.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        right = said["aud"] == f"{self.url}/token" and said["iat"] <= time.time() + 1 < said["exp"]
        return bool(right and said["exp"] - said["iat"] <= 3600 and json.loads(head)["alg"] == "RS256")

    def _routed(self, asked: Asked) -> Answer:
        path = re.sub(r"^/(upload/|download/)?storage/v1/", "", asked.path)
        kind = "upload" if asked.path.startswith("/upload/") else ""
        names = [unquote(part) for part in path.split("/")]
        match (asked.method, kind, *names):
            case ("POST", "", "b"):
                return self._make(asked)
            case ("GET", "", "b"):
                self._only(asked, "bucket")
                return self._json(
                    asked, {"kind": "storage#buckets", "items": [{"name": n} for n in self.buckets]}
                )
            case ("GET", "", "b", bucket):
                return self._json(asked, self._bucket_of(bucket))
            case ("GET", "", "b", bucket, "o"):
                return self._list(asked, self._bucket(bucket))
            case ("POST", "upload", "b", bucket, "o"):
                return self._insert(asked, bucket)
            case ("PUT", "upload", "b", _, "o"):
                return self._more(asked)
            case ("DELETE", "upload", "b", _, "o"):
                self.uploads.pop(asked.query.get("upload_id", ""), None)
                return Answer(499, {}, b"")
            case ("GET", "", "b", bucket, "o", name):
                return self._get(asked, bucket, name)
            case ("PATCH", "", "b", bucket, "o", name):
                return self._patch(asked, bucket, name)
            case ("DELETE", "", "b", bucket, "o", name):
                return self._delete(asked, bucket, name)
            case ("POST", "", "b", bucket, "o", name, "restore"):
                return self._restore(asked, bucket, name)
            case ("POST", "", "b", bucket, "o", name, "compose"):
                return self._compose(asked, bucket, name)
            case ("POST", "", "b", bucket, "o", name, "rewriteTo", "b", goal, "o", to):
                return self._rewrite(asked, (bucket, name), (goal, to))
        raise Wrong(404, "notFound", f"no such method: {asked.method} {asked.path}")

    def _make(self, asked: Asked) -> Answer:
        self._only(asked, "bucket")
        about = json.loads(asked.body)
        if not asked.query.get("project"):
            raise Wrong(400, "required", "Required parameter: project")
        if about["name"] in self.buckets:
            raise Wrong(409, "conflict", "You already own this bucket.")
        self.make(about["name"])
        return self._json(asked, self._bucket_of(about["name"]))

    def _bucket_of(self, name: str) -> dict[str, Any]:
        bucket = self._bucket(name)
        about: dict[str, Any] = {"kind": "storage#bucket", "name": name}
        if bucket.way == "versions":
            about["versioning"] = {"enabled": True}
        seconds = "604800" if bucket.way == "soft" else "0"
        return about | {"softDeletePolicy": {"retentionDurationSeconds": seconds}}

    def _list(self, asked: Asked, bucket: Bucket) -> Answer:
        self._only(asked, "list")
        query = asked.query
        prefix, delimiter, start = (query.get(word, "") for word in ("prefix", "delimiter", "startOffset"))
        states = list(bucket.live.values())
        if query.get("versions") == "true" and bucket.way != "soft":
            states += bucket.past
        if query.get("softDeleted") == "true":
            states = bucket.past if bucket.way == "soft" else []
        after = json.loads(base64.b64decode(query["pageToken"])) if "pageToken" in query else ["", -1]
        most, more = min(int(query.get("maxResults", 1000)), self.page), None
        items, prefixes = list[dict[str, Any]](), list[str]()
        for state in sorted(states, key=lambda one: (one.name.encode(), one.generation)):
            if not state.name.startswith(prefix) or state.name < start:
                continue
            cut = state.name.find(delimiter, len(prefix)) if delimiter else -1
            under = state.name[: cut + len(delimiter)] if cut >= 0 else ""
            mark = [under or state.name, state.generation if not under else 1 << 62]
            if mark <= after or (prefixes and under == prefixes[-1]):
                continue
            if len(items) + len(prefixes) >= most:
                break
            if under:
                prefixes.append(under)
            else:
                items.append(self._resource(asked, bucket, state))
            more = mark
        else:
            more = None
        about: dict[str, Any] = {"kind": "storage#objects"}
        about |= {"items": items} if items else {}
        about |= {"prefixes": prefixes} if prefixes else {}
        about |= {"nextPageToken": base64.b64encode(json.dumps(more).encode()).decode()} if more else {}
        return self._json(asked, about)

    def _insert(self, asked: Asked, bucket: str) -> Answer:
        self._only(asked, "insert")
        self._bucket(bucket)
        kind, expect = asked.query.get("uploadType"), asked.query.get("ifGenerationMatch")
        if kind == "multipart":
            about, data = parts_of(asked)
            about.setdefault("name", asked.query.get("name"))
            return self._json(asked, self._stored(asked, bucket, about, data, expect))
        if kind != "resumable":
            raise Wrong(400, "invalid", f"Bad uploadType {kind!r}")
        about = json.loads(asked.body or b"{}")
        about.setdefault("name", asked.query.get("name"))
        self._held(self._bucket(bucket).live.get(about["name"]), expect)
        size = asked.headers.get("x-upload-content-length")
        word = secrets.token_hex(16)
        self.uploads[word] = Upload(bucket, about, expect, int(size) if size else None)
        return Answer(200, {"Location": f"{self.url}{asked.path}?uploadType=resumable&upload_id={word}"}, b"")

    def _more(self, asked: Asked) -> Answer:
        upload = self.uploads.get(asked.query.get("upload_id", ""))
        if upload is None:
            raise Wrong(404, "notFound", "no such upload")
        if upload.done is not None:
            return self._json(asked, self._resource(asked, self.buckets[upload.bucket], upload.done))
        span = asked.headers.get("content-range", f"bytes 0-{len(asked.body) - 1}/{len(asked.body)}")
        match = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", span)
        if match is None:
            raise Wrong(400, "invalid", f"Bad Content-Range {span!r}")
        size = int(match[3]) if match[3] != "*" else None
        if size is not None and upload.size not in (None, size):
            raise Wrong(400, "invalid", "another size than was announced")
        if match[1] is not None:
            first, end = int(match[1]), int(match[2]) + 1
            if end - first != len(asked.body):
                raise Wrong(400, "invalid", "another number of bytes than Content-Range says")
            if first > len(upload.data):
                raise Wrong(503, "backendError", "bytes are missing before these")
            upload.data += asked.body[len(upload.data) - first :]
            if end != size and end % _GRAIN:
                del upload.data[len(upload.data) // _GRAIN * _GRAIN :]
        if size is not None and len(upload.data) >= size:
            about, data = dict(upload.about), bytes(upload.data)
            for pair in asked.headers.get("x-goog-hash", "").split(","):
                if pair.startswith("md5="):
                    about["md5Hash"] = pair[4:]
            resource = self._stored(asked, upload.bucket, about, data, upload.expect)
            upload.done = self.buckets[upload.bucket].live[about["name"]]
            return self._json(asked, resource)
        held = {"Range": f"bytes=0-{len(upload.data) - 1}"} if upload.data else {}
        return Answer(308, held, b"")

    def _stored(
        self, asked: Asked, bucket: str, about: Mapping[str, Any], data: bytes, expect: str | None,
        md5: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        name, place = about.get("name"), self._bucket(bucket)
        check_name(name)
        assert isinstance(name, str)
        metadata = about.get("metadata") or {}
        if sum(len(key.encode()) + len(str(value).encode()) for key, value in metadata.items()) > 8192:
            raise Wrong(400, "invalid", "metadata of more than 8 KiB")
        digest = base64.b64encode(hashlib.md5(data).digest()).decode()
        if about.get("md5Hash") not in (None, digest) and md5 is None:
            raise Wrong(400, "invalid", "Provided MD5 hash doesn't match calculated MD5 hash.")
        if (
            sum(len(s.data) for b in self.buckets.values() for s in b.live.values()) + len(data)
            > self.capacity
        ):
            raise Wrong(403, "quotaExceeded", "The quota is exceeded.")
        self._held(place.live.get(name), expect)
        self._go(place, name)
        kept = {key: value for key, value in about.items() if key not in ("name", "md5Hash", "bucket")}
        state = State(name, next(self.serial), data, kept, digest if md5 is None else md5, time.time_ns())
        place.live[name] = state
        return self._resource(asked, place, state)

    def _go(self, bucket: Bucket, name: str) -> None:
        """What stands there does not any more."""
        old = bucket.live.pop(name, None)
        if old is not None and bucket.way:
            bucket.past.append(replace(old, gone_ns=time.time_ns()))

    def _state(self, asked: Asked, bucket: str, name: str, word: str = "generation") -> State:
        place = self._bucket(bucket)
        check_name(name)
        number = asked.query.get(word)
        soft = asked.query.get("softDeleted") == "true"
        states = [*place.live.values(), *place.past] if number or soft else [*place.live.values()]
        if place.way == "soft":
            states = [s for s in states if bool(s.gone_ns) == soft]
        for state in states:
            if state.name == name and number in (None, str(state.generation)):
                return state
        raise Wrong(404, "notFound", f"No such object: {bucket}/{name}")

    def _get(self, asked: Asked, bucket: str, name: str) -> Answer:
        self._only(asked, "get")
        if asked.query.get("softDeleted") == "true" and "generation" not in asked.query:
            raise Wrong(400, "required", "Required parameter: generation")
        state = self._state(asked, bucket, name)
        self._held(state, asked.query.get("ifGenerationMatch"))
        if asked.query.get("alt") != "media":
            return self._json(asked, self._resource(asked, self.buckets[bucket], state))
        if state.gone_ns and self.buckets[bucket].way == "soft":
            raise Wrong(404, "notFound", "soft-deleted objects cannot be read")
        data, packed = state.data, state.about.get("contentEncoding", "")
        headers = {
            "Content-Type": str(state.about.get("contentType", "application/octet-stream")),
            "X-Goog-Generation": str(state.generation), "X-Goog-Stored-Content-Length": str(len(data)),
            "X-Goog-Stored-Content-Encoding": packed or "identity",
        }  # fmt: skip
        if packed == "gzip" and "gzip" not in asked.headers.get("accept-encoding", ""):
            data, packed = gzip.decompress(data), ""
        headers |= {"Content-Encoding": packed} if packed else {}
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("range", ""))
        if span is not None:
            first, end = int(span[1]), min(len(data), int(span[2] or len(data)) + 1)
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(data)}"
            return Answer(206, headers, data[first:end])
        return Answer(200, headers, data)

    def _patch(self, asked: Asked, bucket: str, name: str) -> Answer:
        self._only(asked, "patch")
        state, said = self._state(asked, bucket, name), json.loads(asked.body)
        metadata = dict(state.about.get("metadata") or {}) | (said.pop("metadata", None) or {})
        about = {**state.about, **said, "metadata": {k: v for k, v in metadata.items() if v is not None}}
        fresh = replace(state, about=about, meta=state.meta + 1)
        self.buckets[bucket].live[name] = fresh
        return self._json(asked, self._resource(asked, self.buckets[bucket], fresh))

    def _delete(self, asked: Asked, bucket: str, name: str) -> Answer:
        self._only(asked, "delete")
        state = self._state(asked, bucket, name)
        self._held(self.buckets[bucket].live.get(name), asked.query.get("ifGenerationMatch"))
        place = self.buckets[bucket]
        if state.gone_ns:
            place.past.remove(state)
        elif "generation" in asked.query:
            del place.live[name]
        else:
            self._go(place, name)
        return Answer(204, {}, b"")

    def _restore(self, asked: Asked, bucket: str, name: str) -> Answer:
        self._only(asked, "restore")
        place = self._bucket(bucket)
        for state in place.past if place.way == "soft" else []:
            if state.name == name and str(state.generation) == asked.query.get("generation"):
                self._held(place.live.get(name), asked.query.get("ifGenerationMatch"))
                self._go(place, name)
                place.live[name] = replace(state, generation=next(self.serial), gone_ns=0, meta=1)
                return self._json(asked, self._resource(asked, place, place.live[name]))
        raise Wrong(404, "notFound", f"No such object: {bucket}/{name}")

    def _compose(self, asked: Asked, bucket: str, name: str) -> Answer:
        self._only(asked, "compose")
        said, place = json.loads(asked.body), self._bucket(bucket)
        data = b"".join(place.live[one["name"]].data for one in said["sourceObjects"])
        about = {**said.get("destination", {}), "name": name}
        return self._json(
            asked, self._stored(asked, bucket, about, data, asked.query.get("ifGenerationMatch"), md5="")
        )

    def _rewrite(self, asked: Asked, at: tuple[str, str], to: tuple[str, str]) -> Answer:
        self._only(asked, "rewrite")
        check_name(to[1])
        state = self._state(asked, *at, word="sourceGeneration")
        if state.gone_ns and self.buckets[at[0]].way == "soft":
            raise Wrong(404, "notFound", "soft-deleted objects cannot be read")
        live = self.buckets[at[0]].live.get(at[1])
        self._held(live, asked.query.get("ifSourceGenerationMatch"))
        self._held(self._bucket(to[0]).live.get(to[1]), asked.query.get("ifGenerationMatch"))
        word = asked.query.get("rewriteToken") or secrets.token_hex(8)
        task = self.rewrites.setdefault(word, [at, to, state.generation, 0])
        if task[:3] != [at, to, state.generation] or ("rewriteToken" in asked.query and not task[3]):
            raise Wrong(400, "invalid", "a rewriteToken of another copy")
        task[3] += self.copied
        told = {"kind": "storage#rewriteResponse", "objectSize": str(len(state.data)),
                "totalBytesRewritten": str(min(task[3], len(state.data)))}  # fmt: skip
        if task[3] < len(state.data):
            return self._json(asked, {**told, "done": False, "rewriteToken": word})
        del self.rewrites[word]
        said = json.loads(asked.body) if asked.body and asked.body.strip() != b"null" else {}
        about = {**(said or state.about), "name": to[1]}
        resource = self._stored(
            asked, to[0], about, state.data, asked.query.get("ifGenerationMatch"), md5=state.md5
        )
        return self._json(asked, {**told, "done": True, "resource": resource})

    def _held(self, state: State | None, expect: str | None) -> None:
        """A precondition on what stands."""
        if expect is not None and expect != str(state.generation if state is not None else 0):
            raise Wrong(412, "conditionNotMet", "At least one of the pre-conditions did not hold.")

    def _bucket(self, name: str) -> Bucket:
        if name not in self.buckets:
            raise Wrong(404, "notFound", "The specified bucket does not exist.")
        return self.buckets[name]

    def _only(self, asked: Asked, kind: str) -> None:
        if strange := set(asked.query) - _KNOWN[kind] - _ALWAYS:
            raise Wrong(400, "invalidParameter", f"Unknown parameters: {sorted(strange)}")

    def _resource(self, asked: Asked, bucket: Bucket, state: State) -> dict[str, Any]:
        (name,) = [name for name, one in self.buckets.items() if one is bucket]
        crc = base64.b64encode(zlib.crc32(state.data).to_bytes(4, "big")).decode()
        about = dict(state.about) | {
            "kind": "storage#object", "bucket": name, "name": state.name, "size": str(len(state.data)),
            "generation": str(state.generation), "metageneration": str(state.meta), "crc32c": crc,
            "etag": f"C{state.generation:x}", "updated": date_of(state.made_ns), "timeCreated": date_of(state.made_ns),
            "mediaLink": f"{self.url}/download/storage/v1/b/{name}/o/{quote(state.name, safe='')}"
            f"?generation={state.generation}&alt=media",
        }  # fmt: skip
        about |= {"md5Hash": state.md5} if state.md5 else {}
        if state.gone_ns:
            about["softDeleteTime" if bucket.way == "soft" else "timeDeleted"] = date_of(state.gone_ns)
        return about

    def _json(self, asked: Asked, data: dict[str, Any]) -> Answer:
        wanted = asked.query.get("fields")
        shown = picked(data, mask_of(wanted)) if wanted else data
        return Answer(200, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(shown).encode())
