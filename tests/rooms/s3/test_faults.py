"""What the network and the service may do to a request, and what comes of it."""

import email.utils
import time

import pytest

from runner.backends.contract.rule import read, write
from runner.model.content import Content
from runner.model.errors import (
    AcdrunError,
    BadAnswer,
    Damaged,
    Denied,
    Exists,
    LoginNeeded,
    Stale,
    Throttled,
    Truncated,
    Unavailable,
)
from runner.remote.remote import Remote
from tests.lab.spoilt import Spoil
from tests.rooms.s3.conftest import Bucket


def names(bucket: Bucket, word: str = "") -> list[str]:
    """The keys of the bucket, asked for by a stranger."""

    async def ask(remote: Remote) -> list[str]:
        return [path async for page in remote.list_all() for path, _ in page]

    return bucket.use(ask)


@pytest.mark.parametrize("how", ["refused", "lost", "unsent"])
def test_a_put_arrives_whatever_happens_to_its_first_tries(bucket: Bucket, how: str) -> None:
    bucket.engine.spoil(Spoil("PUT", "/file", how, times=2))  # type: ignore[arg-type]

    node = bucket.use(lambda remote: write(remote, "file", b"content", mtime_ns=1_500_000_000_123_456_789))

    assert node.size == 7
    assert bucket.use(lambda remote: read(remote, "file", expect=node.generation)) == b"content"


def test_a_put_whose_answer_was_lost_is_found_and_not_sent_again(bucket: Bucket) -> None:
    bucket.engine.spoil(Spoil("PUT", "/file", "lost"))

    bucket.use(lambda remote: write(remote, "file", b"content"))

    assert bucket.engine.count("PUT", "/file") == 1


def test_what_another_has_stored_meanwhile_is_not_taken_for_ours(bucket: Bucket) -> None:
    bucket.use(lambda remote: write(remote, "file", b"theirs"))

    with pytest.raises(Exists):
        bucket.use(lambda remote: write(remote, "file", b"ours"))

    assert bucket.use(lambda remote: read(remote, "file")) == b"theirs"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "InternalError", Unavailable),
        (400, "RequestTimeout", Unavailable),
        (403, "AccessDenied", Denied),
        (403, "InvalidAccessKeyId", LoginNeeded),
        (400, "BadDigest", Damaged),
        pytest.param(503, "SlowDown", Throttled, marks=pytest.mark.slow),
    ],
)
def test_what_goes_on_failing_ends_as_what_it_is(
    bucket: Bucket, status: int, code: str, kind: type[AcdrunError]
) -> None:
    body = f"<Error><Code>{code}</Code></Error>".encode()
    times = 3 if kind is Throttled else 1000
    bucket.engine.spoil(Spoil("PUT", "/file", "refused", times=times, status=status, body=body))

    if kind is Throttled:  # the remote slows down as long as its budget lasts
        bucket.use(lambda remote: write(remote, "file"))
        return
    with pytest.raises(kind):
        bucket.use(lambda remote: write(remote, "file"))

    assert names(bucket) == []


def test_a_download_that_is_cut_off_is_truncated(bucket: Bucket) -> None:
    bucket.use(lambda remote: write(remote, "file", b"x" * 10_000))
    bucket.engine.spoil(Spoil("GET", "/file", "cut"))

    with pytest.raises(Truncated):
        bucket.use(lambda remote: read(remote, "file"))


def test_bytes_that_are_altered_on_the_way_are_damaged_and_nothing_is_left(bucket: Bucket) -> None:
    """Moto does not look at Content-MD5, so what it stored is taken away again."""
    bucket.engine.spoil(Spoil("PUT", "/file", "altered", times=9))

    with pytest.raises(Damaged):
        bucket.use(lambda remote: write(remote, "file", b"content"))

    assert names(bucket) == []


def test_a_replacement_that_is_altered_on_the_way_leaves_the_old_content(bucket: Bucket) -> None:
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    bucket.engine.spoil(
        Spoil("PUT", "/file?", "altered", times=9), Spoil("PUT", f"{bucket.name}/file", "altered", times=9)
    )

    with pytest.raises(Damaged):
        bucket.use(lambda remote: remote.put("file", Content.of(b"new"), expect=old.generation))

    assert bucket.use(lambda remote: read(remote, "file")) == b"old"


def test_a_replacement_whose_put_fails_leaves_nothing_in_the_trash(bucket: Bucket) -> None:
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    body = b"<Error><Code>AccessDenied</Code></Error>"
    bucket.engine.spoil(Spoil("PUT", f"{bucket.name}/file", "refused", status=403, body=body))

    with pytest.raises(Denied):
        bucket.use(lambda remote: remote.put("file", Content.of(b"new"), expect=old.generation))

    async def trash(remote: Remote) -> list[object]:
        return [entry async for page in remote.trashed() for entry in page]

    assert bucket.use(trash) == []


def test_a_copy_that_fails_under_a_good_status_removes_nothing(bucket: Bucket) -> None:
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    body = b"<Error><Code>AccessDenied</Code></Error>"
    bucket.engine.spoil(Spoil("PUT", ".acdrun-trash", "refused", times=9, status=200, body=body))

    with pytest.raises(Denied):
        bucket.use(lambda remote: remote.trash("file", expect=old.generation))

    assert bucket.use(lambda remote: read(remote, "file")) == b"old"


def test_a_clock_that_is_wrong_is_put_right_once(bucket: Bucket) -> None:
    later = email.utils.formatdate(time.time() + 3600, usegmt=True)
    body = b"<Error><Code>RequestTimeTooSkewed</Code></Error>"
    skewed = Spoil("PUT", "/file", "refused", status=403, body=body, headers={"date": later})
    bucket.engine.spoil(skewed)

    assert bucket.use(lambda remote: write(remote, "file")).size == 4

    bucket.engine.spoil(skewed._replace(word="/other", times=9))
    with pytest.raises(Denied, match="time of the request"):
        bucket.use(lambda remote: write(remote, "other"))


def test_a_bucket_in_another_region_is_asked_there(bucket: Bucket) -> None:
    body = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>"
    bucket.engine.spoil(Spoil("PUT", "/file", "refused", status=400, body=body))

    assert bucket.use(lambda remote: write(remote, "file")).size == 4

    bucket.engine.spoil(Spoil("PUT", "/other", "refused", times=9, status=400, body=body))
    with pytest.raises(Denied, match="eu-west-3"):
        bucket.use(lambda remote: write(remote, "other"))


LISTING = "<ListBucketResult><IsTruncated>{}</IsTruncated>{}{}</ListBucketResult>"
ENTRY = (
    "<Contents><Key>{}</Key><Size>1</Size><ETag>x</ETag><LastModified>2024-01-01</LastModified></Contents>"
)
TOKEN = "<NextContinuationToken>again</NextContinuationToken>"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (LISTING.format("true", TOKEN, ENTRY.format("a")), BadAnswer),  # the same page for ever
        (LISTING.format("true", "", ENTRY.format("a")), Truncated),
        (LISTING.format("false", "", ENTRY.format("b") + ENTRY.format("a")), BadAnswer),
        (
            LISTING.format("false", "", "<Contents><Key>a</Key><Size>-1</Size><ETag>x</ETag></Contents>"),
            BadAnswer,
        ),
        ("<Other/>", BadAnswer),
        ("<html>log in</html>", BadAnswer),
        ("", BadAnswer),
    ],
)
def test_a_listing_that_makes_no_sense_is_no_listing(
    bucket: Bucket, body: str, kind: type[AcdrunError]
) -> None:
    bucket.engine.spoil(Spoil("GET", "list-type", "refused", times=99, status=200, body=body.encode()))

    with pytest.raises(kind):
        names(bucket)


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

    assert bucket.use(lambda remote: read(remote, "file", expect=now.generation)) == b"now"
