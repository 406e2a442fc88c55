"""What the network and the service may do to a request, and what comes of it."""

import gzip
import json

import pytest

from runner.backends.contract.rule import TIME_NS, children, read, write
from runner.backends.contract.trashing import trash_of
from runner.model.content import Content
from runner.model.errors import (
    AcdrunError,
    BadAnswer,
    Blocked,
    Changed,
    Damaged,
    Denied,
    Exists,
    LoginNeeded,
    NoSpace,
    Stale,
    Throttled,
    Truncated,
    Unavailable,
)
from runner.remote.remote import Remote
from tests.lab.gcs_forms import Answer, Asked
from tests.lab.spoilt import Spoil
from tests.rooms.gcs.conftest import Bucket

UPLOAD = "/upload/"


def complaint(code: int, reason: str) -> bytes:
    """As the service complains."""
    text = {"code": code, "message": "why", "errors": [{"reason": reason, "message": "why"}]}
    return json.dumps({"error": text}).encode()


def names(bucket: Bucket) -> list[str]:
    """The keys of the bucket."""
    return sorted(bucket.held.live)


@pytest.mark.parametrize("how", ["refused", "lost", "unsent"])
def test_a_put_arrives_whatever_happens_to_its_first_tries(bucket: Bucket, how: str) -> None:
    bucket.engine.spoil(Spoil("POST", UPLOAD, how, times=2, body=complaint(503, "backendError")))  # type: ignore[arg-type]

    node = bucket.use(lambda remote: write(remote, "file", b"content", mtime_ns=TIME_NS))

    assert (node.size, node.mtime_ns) == (7, TIME_NS)
    assert bucket.use(lambda remote: read(remote, "file", expect=node.generation)) == b"content"


@pytest.mark.torture
def test_N3_a_put_whose_answer_was_lost_is_found_and_not_sent_again(bucket: Bucket) -> None:
    bucket.engine.spoil(Spoil("POST", UPLOAD, "lost"))

    bucket.use(lambda remote: write(remote, "file", b"content"))

    assert bucket.engine.count("POST", UPLOAD) == 1


@pytest.mark.torture
def test_N16_what_another_has_stored_meanwhile_is_not_taken_for_ours(bucket: Bucket) -> None:
    bucket.use(lambda remote: write(remote, "file", b"theirs"))

    with pytest.raises(Exists):
        bucket.use(lambda remote: write(remote, "file", b"ours"))

    assert bucket.use(lambda remote: read(remote, "file")) == b"theirs"


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (500, "internalError", Unavailable),
        (408, "", Unavailable),
        (403, "forbidden", Denied),
        (401, "authError", LoginNeeded),
        (403, "quotaExceeded", NoSpace),
        (413, "uploadTooLarge", Blocked),
        (400, "invalid", Damaged),
        pytest.param(429, "rateLimitExceeded", Throttled, marks=pytest.mark.slow),
    ],
)
def test_what_goes_on_failing_ends_as_what_it_is(
    bucket: Bucket, status: int, reason: str, kind: type[AcdrunError]
) -> None:
    times = 3 if kind is Throttled else 1000
    bucket.engine.spoil(
        Spoil("POST", UPLOAD, "refused", times=times, status=status, body=complaint(status, reason))
    )

    if kind is Throttled:  # the remote slows down as long as its budget lasts
        bucket.use(lambda remote: write(remote, "file"))
        return
    with pytest.raises(kind):
        bucket.use(lambda remote: write(remote, "file"))

    assert names(bucket) == []


@pytest.mark.torture
def test_N18_a_full_account_is_no_space(bucket: Bucket) -> None:
    bucket.service.capacity = 100

    with pytest.raises(NoSpace):
        bucket.use(lambda remote: write(remote, "file", b"x" * 101))


@pytest.mark.torture
def test_N6_a_download_that_is_cut_off_is_truncated(bucket: Bucket) -> None:
    bucket.use(lambda remote: write(remote, "file", b"x" * 10_000))
    bucket.engine.spoil(Spoil("GET", "alt=media", "cut"))

    with pytest.raises(Truncated):
        bucket.use(lambda remote: read(remote, "file"))


def test_bytes_that_are_altered_on_the_way_are_refused_by_the_service(bucket: Bucket) -> None:
    bucket.service.hook = lambda asked: bucket.service.answer(
        asked._replace(body=asked.body.replace(b"the bytes", b"The bytes"))
    )

    with pytest.raises(Damaged):
        bucket.use(lambda remote: write(remote, "file", b"the bytes"))

    assert names(bucket) == []


def lying(bucket: Bucket) -> None:
    """From now on, whatever is stored at `file` is told, and shown, with the digest of something else."""

    def hook(asked: Asked) -> Answer | None:
        if not asked.path.startswith(UPLOAD):
            return None
        said = bucket.service.answer(asked)
        return said._replace(
            body=json.dumps(json.loads(said.body) | {"md5Hash": "XUFAKrxLKna5cZ2REBfFkg=="}).encode()
        )

    bucket.service.hook = hook


@pytest.mark.torture
@pytest.mark.parametrize("way", ["", "versions", "soft"])
def test_N9_a_reply_with_another_digest_is_damage_and_the_old_content_is_back(
    bucket: Bucket, way: str
) -> None:
    bucket.held.way = way
    old = bucket.use(lambda remote: write(remote, "file", b"old", mtime_ns=TIME_NS))
    lying(bucket)

    with pytest.raises(Damaged):
        bucket.use(lambda remote: write(remote, "fresh", b"fresh"))
    with pytest.raises(Damaged):
        bucket.use(lambda remote: remote.put("file", Content.of(b"new"), expect=old.generation))

    assert bucket.use(lambda remote: read(remote, "file")) == b"old"
    assert [name for name in names(bucket) if not name.startswith(".")] == ["file"]
    assert bucket.use(lambda remote: remote.stat("file")).mtime_ns == TIME_NS


def test_a_replacement_whose_put_fails_leaves_nothing_in_the_trash(bucket: Bucket) -> None:
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    bucket.engine.spoil(Spoil("POST", UPLOAD, "refused", status=403, body=complaint(403, "forbidden")))

    with pytest.raises(Denied):
        bucket.use(lambda remote: remote.put("file", Content.of(b"new"), expect=old.generation))

    assert names(bucket) == ["file"]


def test_a_copy_that_fails_removes_nothing(bucket: Bucket) -> None:
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    bucket.engine.spoil(Spoil("POST", "rewriteTo", "refused", times=9, status=403, body=complaint(403, "x")))

    with pytest.raises(Denied):
        bucket.use(lambda remote: remote.trash("file", expect=old.generation))

    assert bucket.use(lambda remote: read(remote, "file")) == b"old"


@pytest.mark.parametrize("how", ["lost", "refused"])
def test_a_copy_in_several_steps_is_gone_on_with_until_it_is_done(bucket: Bucket, how: str) -> None:
    bucket.service.copied = 1000
    node = bucket.use(lambda remote: write(remote, "file", b"x" * 3500, mtime_ns=TIME_NS))
    spoil = Spoil("POST", "rewriteToken", how, body=complaint(503, "backendError"))  # type: ignore[arg-type]
    bucket.engine.spoil(spoil)

    moved = bucket.use(lambda remote: remote.move("file", "to/here", expect=node.generation))

    assert (moved.size, moved.mtime_ns, moved.checksum) == (3500, TIME_NS, node.checksum)
    assert names(bucket) == ["to/here"]


def test_a_copy_whose_last_answer_was_lost_is_found(bucket: Bucket) -> None:
    node = bucket.use(lambda remote: write(remote, "file", b"old"))
    bucket.engine.spoil(Spoil("POST", "rewriteTo", "lost"))

    ref = bucket.use(lambda remote: remote.trash("file", expect=node.generation))

    assert bucket.engine.count("POST", "rewriteTo") == 1
    assert bucket.use(lambda remote: remote.restore(ref)) == "file"


def test_a_removal_whose_answer_was_lost_has_happened(bucket: Bucket) -> None:
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    bucket.engine.spoil(Spoil("DELETE", "/file", "lost"))

    ref = bucket.use(lambda remote: remote.trash("file", expect=old.generation))

    assert bucket.use(lambda remote: remote.restore(ref)) == "file"
    assert bucket.use(lambda remote: read(remote, "file")) == b"old"


ONE = {"name": "a", "size": "1", "generation": "7", "updated": "2024-01-01T00:00:00Z"}


@pytest.mark.torture
@pytest.mark.parametrize(
    "body",
    [
        {"items": [ONE], "nextPageToken": "again"},  # the same page for ever
        {"items": [ONE | {"name": "b"}, ONE]},
        {"items": [ONE | {"size": "-1"}]},
        {"items": [ONE | {"size": None}]},
        {"items": [ONE | {"generation": ""}]},
        {"items": [ONE | {"name": ""}]},
        {"items": {"a": 1}},
        {"items": ["a"]},
        {"kind": "storage#buckets"},
        {"error": {"code": 200}},
        ["a"],
        b"<html>log in</html>",
        b"",
    ],
)
def test_N8_N12_a_listing_that_makes_no_sense_is_no_listing(bucket: Bucket, body: object) -> None:
    said = body if isinstance(body, bytes) else json.dumps(body).encode()
    bucket.engine.spoil(Spoil("GET", "maxResults=", "refused", times=99, status=200, body=said))

    async def whole(remote: Remote) -> list[str]:
        return [path async for page in remote.list_all() for path, _ in page]

    with pytest.raises(BadAnswer):
        bucket.use(whole)


def test_an_empty_page_is_not_the_end(bucket: Bucket) -> None:
    bucket.use(lambda remote: write(remote, "file"))
    empty = json.dumps({"nextPageToken": "W1wiYVwiLDFd"}).encode()
    bucket.engine.spoil(Spoil("GET", "maxResults=", "refused", status=200, body=empty))
    bucket.service.hook = lambda asked: (
        bucket.service.answer(asked._replace(query={**asked.query, "pageToken": "WyIiLCAtMV0="}))
        if "pageToken" in asked.query
        else None
    )

    assert set(bucket.use(children)) == {"file"}


def test_a_404_of_a_proxy_says_nothing_of_the_object(bucket: Bucket) -> None:
    page = Spoil(
        "GET",
        "/o/file",
        "refused",
        times=9,
        status=404,
        body=b"<html>",
        headers={"content-type": "text/html"},
    )
    bucket.engine.spoil(page)

    with pytest.raises(BadAnswer):
        bucket.use(lambda remote: remote.stat("file"))
    with pytest.raises(BadAnswer):
        bucket.use(lambda remote: read(remote, "file"))


def test_a_replacement_of_what_moved_on_is_stale(bucket: Bucket) -> None:
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    now = bucket.use(lambda remote: remote.put("file", Content.of(b"now"), expect=old.generation))

    for act in (
        lambda remote: remote.put("file", Content.of(b"mine"), expect=old.generation),
        lambda remote: remote.trash("file", expect=old.generation),
        lambda remote: remote.move("file", "other", expect=old.generation),
    ):
        with pytest.raises(Stale):
            bucket.use(act)
    with pytest.raises(Changed):
        bucket.use(lambda remote: read(remote, "file", expect=old.generation))

    assert bucket.use(lambda remote: read(remote, "file", expect=now.generation)) == b"now"
    assert len(bucket.use(trash_of)) == 1


def test_packed_content_is_read_as_it_is_stored(bucket: Bucket) -> None:
    packed = gzip.compress(b"content" * 100, mtime=0)
    bucket.use(lambda remote: write(remote, "page", packed))
    state = bucket.held.live["page"]
    bucket.held.live["page"] = type(state)(
        state.name,
        state.generation,
        packed,
        {**state.about, "contentEncoding": "gzip"},
        state.md5,
        state.made_ns,
    )

    node = bucket.use(lambda remote: remote.stat("page"))
    data = bucket.use(lambda remote: read(remote, "page", expect=node.generation))

    assert (data, node.size) == (packed, len(packed))
    assert bucket.use(lambda remote: remote.checksum("page", "md5")) == node.checksum


@pytest.mark.parametrize("name", ["line\nfeed", "carriage\rreturn", ".well-known/acme-challenge/x"])
def test_names_that_the_service_does_not_hold_are_blocked_before_it_is_asked(
    bucket: Bucket, name: str
) -> None:
    with pytest.raises(Blocked):
        bucket.use(lambda remote: write(remote, name))

    assert bucket.service.seen == []


def test_who_pays_is_said_with_every_request(bucket: Bucket) -> None:
    bucket.fields = {"user_project": "payer"}
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    bucket.use(lambda remote: remote.trash("file", expect=old.generation))
    bucket.use(trash_of)

    assert [line for line in bucket.service.seen if "userProject=payer" not in line] == []
