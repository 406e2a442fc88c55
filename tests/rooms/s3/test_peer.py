"""What a bucket takes from another one of its service: no byte of it passes through us."""

from functools import partial
from pathlib import Path

import pytest

from runner.backends.contract.rule import children, read, write
from runner.backends.s3.peer import LOOKED_UP
from runner.backends.s3.probe import CopyConditions
from runner.backends.s3.wire import Ask
from runner.model.backend import Copied, Copy, Copying
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.node import Node
from runner.remote.remote import Remote
from tests.lab.spoilt import Spoil
from tests.rooms.s3.conftest import Bucket
from tests.rooms.s3.test_parts import DATA, content, put

TIME_NS = 1_500_000_000_123_456_789


FULL = Spoil("PUT", "/to/", "refused", status=412, body=b"<Error><Code>PreconditionFailed</Code></Error>")


def copies(
    bucket: Bucket, *batch: Copy, how: Copying | None = None, guarded: bool = False
) -> list[Copied | None]:
    """Copy within the bucket, from its top to below `to`; the bucket is its own peer.

    guarded: as if the server minded the preconditions of copies, as Amazon's does and none of the lab's.
    """

    async def act(remote: Remote) -> list[Copied | None]:
        if guarded:
            remote.backend._store._copying[bucket.name] = CopyConditions(True, True)  # type: ignore[attr-defined]
        return list(await remote.at("to").copy_from(remote, batch, how or Copying()))

    return bucket.use(act)


def asked(node: Node, path: str = "", known: Checksum | None = None) -> Copy:
    """A copy of a node of the bucket's top."""
    return Copy(node.name, node.generation, node.size, node.mtime_ns, path or node.name, known)


def settle(bucket: Bucket) -> None:
    """Have it found out what the server makes of copies, and forget what that took."""
    copies(bucket, Copy("none", "0" * 32, 1, None, "none"))
    bucket.engine.spoil()


def foreign(bucket: Bucket, data: bytes) -> Node:
    """Content in two parts, as other tools store it: nobody says what its digest is."""

    async def act(remote: Remote) -> Node:
        wire, name = remote.backend._wire, bucket.name  # type: ignore[attr-defined]
        began = await wire.call(Ask("POST", name, "big", query={"uploads": ""}))
        upload = began.body.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
        lines = ""
        for number, part in enumerate((data[: 9 << 20], data[9 << 20 :]), 1):
            query = {"uploadId": upload, "partNumber": str(number)}
            etag = (await wire.call(Ask("PUT", name, "big", query=query, body=part))).headers["etag"]
            lines += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        body = f"<CompleteMultipartUpload>{lines}</CompleteMultipartUpload>".encode()
        await wire.call(Ask("POST", name, "big", query={"uploadId": upload}, body=body))
        return await remote.stat("big")

    return bucket.use(act)


def test_content_is_neither_sent_nor_fetched(bucket: Bucket) -> None:
    nodes = []
    for number in range(3):
        data = b"%d" % number
        nodes.append(bucket.use(partial(write, path=f"{number}", data=data, mtime_ns=TIME_NS)))
    settle(bucket)

    done = copies(bucket, *map(asked, nodes))

    assert [one and (one.checksum, one.proof) for one in done] == [
        (Checksum.of("md5", b"%d" % n), "") for n in range(3)
    ]
    assert bucket.engine.count("GET") == 0
    assert bucket.engine.count("PUT") == 3
    assert bucket.use(lambda remote: children(remote, "to")) == {node.name: node for node in nodes}


def test_where_the_server_does_not_guard_copies_the_goal_is_looked_at_and_the_row_says_so(
    bucket: Bucket,
) -> None:
    node = bucket.use(lambda remote: write(remote, "file"))

    (first,) = copies(bucket, asked(node))
    (again,) = copies(bucket, asked(node))

    assert first is not None
    assert first.note == LOOKED_UP, "moto looks at no precondition of a copy"
    assert again is None


def test_where_it_does_a_copy_is_one_request_and_what_is_there_already_is_adopted(bucket: Bucket) -> None:
    """A server that guards copies, as Amazon does, answers 412 also to the second try of what has arrived."""
    node = bucket.use(lambda remote: write(remote, "file", mtime_ns=TIME_NS))
    other = bucket.use(lambda remote: write(remote, "other"))
    bucket.use(lambda remote: write(remote, "to/other", b"theirs"))
    bucket.engine.spoil()

    (first,) = copies(bucket, asked(node), guarded=True)
    requests = [method for method, _ in bucket.engine.sent]
    bucket.engine.spoil(FULL)
    (again,) = copies(bucket, asked(node), guarded=True)
    bucket.engine.spoil(FULL)
    (not_ours,) = copies(bucket, asked(other), guarded=True)

    assert requests == ["PUT"]
    assert first is not None
    assert first.note == ""
    assert again is not None
    assert again.note == "found complete"
    assert not_ours is None
    assert bucket.use(lambda remote: read(remote, "to/other")) == b"theirs"


def test_a_copy_whose_answer_was_lost_is_found(bucket: Bucket) -> None:
    node = bucket.use(lambda remote: write(remote, "file"))
    bucket.engine.spoil(Spoil("PUT", "/to/file", "lost"), FULL)

    (done,) = copies(bucket, asked(node), guarded=True)

    assert done is not None
    assert done.note == "found complete"
    assert bucket.engine.count("GET") == 0


def test_content_in_parts_goes_over_with_its_digest(bucket: Bucket) -> None:
    node = put(bucket, content())
    settle(bucket)

    (done,) = copies(bucket, asked(node, known=node.checksum))

    assert done is not None
    assert (done.checksum, done.node.mtime_ns) == (Checksum.of("md5", DATA), node.mtime_ns)
    bucket.state = Path(f"{bucket.state}-of-another-machine")
    assert bucket.use(lambda remote: remote.stat("to/big")) == done.node


def test_content_in_parts_of_which_nobody_knows_the_digest_is_proven_by_equal_parts(bucket: Bucket) -> None:
    node = foreign(bucket, DATA)
    settle(bucket)

    (done,) = copies(bucket, asked(node))

    assert done is not None
    assert (done.checksum, done.proof) == (None, "etag")
    assert done.node.generation == node.generation
    assert bucket.engine.count("GET") == 0
    assert bucket.engine.count("PUT", "partNumber") == 2
    assert bucket.use(lambda remote: read(remote, "to/big")) == DATA


def test_what_is_larger_than_one_request_copies_goes_over_in_the_parts_it_has(bucket: Bucket) -> None:
    node = put(bucket, content())

    async def act(remote: Remote) -> list[Copied | None]:
        remote.backend._copies.most = 6 << 20  # type: ignore[attr-defined]
        return list(await remote.at("to").copy_from(remote, [asked(node)], Copying()))

    (done,) = bucket.use(act)

    assert done is not None
    assert (done.node.generation, done.checksum) == (node.generation, Checksum.of("md5", DATA))
    assert bucket.engine.count("PUT", "partNumber=4") == 2, "each part was sent once and copied once"


@pytest.mark.parametrize("word", ["PUT", "POST"])
def test_a_large_copy_that_fails_leaves_no_parts_and_no_object(bucket: Bucket, word: str) -> None:
    node = foreign(bucket, DATA)
    settle(bucket)
    body = b"<Error><Code>AccessDenied</Code></Error>"
    bucket.engine.spoil(Spoil(word, "uploadId", "refused", status=403, body=body))

    assert copies(bucket, asked(node)) == [None]

    assert bucket.engine.count("DELETE", "uploadId") == 1
    assert set(bucket.use(children)) == {"big"}


def test_a_copy_that_is_not_what_was_meant_is_taken_back(bucket: Bucket) -> None:
    """The source is replaced just before the copy, on a server that does not look at what the copy expects."""
    node = bucket.use(lambda remote: write(remote, "file", b"listed"))
    settle(bucket)

    async def act(remote: Remote) -> list[Copied | None]:
        inner = remote.backend._copies.create  # type: ignore[attr-defined]

        async def late(*args: object, **more: object) -> object:
            await remote.put("file", Content.of(b"newer"), expect=node.generation)
            return await inner(*args, **more)

        remote.backend._copies.create = late  # type: ignore[attr-defined]
        return list(await remote.at("to").copy_from(remote, [asked(node)], Copying()))

    assert bucket.use(act) == [None]
    assert set(bucket.use(children)) == {"file"}


def test_a_run_that_is_stopped_takes_no_more(bucket: Bucket) -> None:
    node = bucket.use(lambda remote: write(remote, "file"))
    settle(bucket)

    assert copies(bucket, asked(node), how=Copying(wanted=lambda: False)) == [None]
    assert bucket.engine.sent == []


def test_buckets_under_other_keys_are_no_peers(bucket: Bucket) -> None:
    mine: list[str] = []
    for secret in ("one", "two"):
        bucket.server = bucket.server._replace(key_id=f"KEY{secret}")

        async def name(remote: Remote) -> str:
            return remote.can.copies

        mine.append(bucket.use(name))

    assert len(set(mine)) == 2
    assert all("KEY" not in one for one in mine)
