"""Promise I1 on every kind of bucket: whatever comes back or does not, the old content is somewhere."""

import asyncio
import contextlib

import pytest
from _pytest.mark.structures import ParameterSet

from runner.backends.contract import Rule
from runner.backends.contract.rule import RULES, TIME_NS, read, write
from runner.backends.contract.trashing import trash_of
from runner.model.content import Content
from runner.model.errors import AcdrunError, Denied, NotFound, Stale, Unsupported
from runner.remote.remote import Remote
from tests.lab import gcs, lab
from tests.lab.spoilt import Spoil
from tests.rooms.gcs.conftest import Bucket

WAYS = ["", "versions", "soft"]


def _slow(word: str) -> ParameterSet:
    return pytest.param(word, marks=pytest.mark.slow)


async def _contents(remote: Remote) -> set[bytes]:
    """Of the file and of everything in the trash, which is brought back under its own name, one by one."""
    found = set()
    for entry in (await trash_of(remote)).values():
        with contextlib.suppress(NotFound):
            node = await remote.stat("file")
            await remote.move("file", f"back/{node.generation[-9:]}", expect=node.generation)
        with contextlib.suppress(NotFound):
            await remote.restore(entry.ref, "file")
    async for page in remote.list_all():
        for path, _ in page:
            found.add(await read(remote, path))
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["lost", _slow("refused"), _slow("unsent")])
@pytest.mark.parametrize("method", ["POST", "DELETE", _slow("GET")])
def test_no_content_is_lost_whatever_is_lost_on_the_way(
    bucket: Bucket, method: str, how: str, way: str
) -> None:
    """Of each kind of request all are spoilt from the first one on: the write fails, or it does not."""
    bucket.held.way = way
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    acts = (
        lambda remote: remote.put("file", Content.of(b"new"), expect=old.generation),
        lambda remote: remote.trash("file", expect=old.generation),
    )
    for act in acts:
        bucket.engine.spoil(Spoil(method, "/", how, times=30, status=500, body=b""))  # type: ignore[arg-type]
        with contextlib.suppress(AcdrunError):
            bucket.use(act)
        bucket.engine.spoil()

    assert b"old" in bucket.use(_contents)


@pytest.mark.parametrize("way", WAYS)
def test_a_write_that_is_stale_leaves_what_it_met_and_the_trash_as_it_was(bucket: Bucket, way: str) -> None:
    bucket.held.way = way
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    bucket.use(lambda remote: remote.put("file", Content.of(b"now"), expect=old.generation))
    before = bucket.use(trash_of)

    for act in (
        lambda remote: remote.put("file", Content.of(b"mine"), expect=old.generation),
        lambda remote: remote.trash("file", expect=old.generation),
    ):
        with pytest.raises(Stale):
            bucket.use(act)

    assert bucket.use(trash_of) == before
    assert len(before) == 1
    assert bucket.use(lambda remote: read(remote, "file")) == b"now"


@pytest.mark.parametrize("way", ["versions", "soft"])
def test_what_the_bucket_keeps_itself_is_not_copied(bucket: Bucket, way: str) -> None:
    bucket.held.way = way
    old = bucket.use(lambda remote: write(remote, "file", b"old", mtime_ns=TIME_NS))
    bucket.service.seen.clear()

    new = bucket.use(lambda remote: remote.put("file", Content.of(b"new"), expect=old.generation))
    assert [line.split("?")[0] for line in bucket.service.seen] == [
        "GET /storage/v1/b/shelf", "POST /upload/storage/v1/b/shelf/o",
    ]  # fmt: skip
    ref = bucket.use(lambda remote: remote.trash("file", expect=new.generation))

    assert bucket.service.count("POST", "rewriteTo") == 0
    kept = bucket.use(trash_of)
    assert set(kept) == {new.replaced, ref}
    assert {entry.path for entry in kept.values()} == {"file"}
    assert bucket.use(lambda remote: remote.restore(new.replaced)) == "file"
    back = bucket.use(lambda remote: remote.stat("file"))
    assert (back.checksum, back.mtime_ns) == (old.checksum, TIME_NS)
    assert set(bucket.use(trash_of)) == {ref}


def test_what_is_soft_deleted_comes_back_beside_its_name_once_that_is_free(bucket: Bucket) -> None:
    bucket.held.way = "soft"
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    new = bucket.use(lambda remote: remote.put("file", Content.of(b"new"), expect=old.generation))

    with pytest.raises(Unsupported) as caught:
        bucket.use(lambda remote: remote.restore(new.replaced, "beside"))
    assert "move that away" in caught.value.hint
    assert bucket.use(lambda remote: read(remote, "file", expect=new.generation)) == b"new"
    bucket.use(lambda remote: remote.move("file", "newer", expect=new.generation))

    assert bucket.use(lambda remote: remote.restore(new.replaced, "beside")) == "beside"
    assert bucket.use(lambda remote: read(remote, "beside")) == b"old"


def test_a_manifest_may_ask_for_copies_whatever_the_bucket_keeps(bucket: Bucket) -> None:
    bucket.held.way = "soft"
    bucket.fields["trash"] = "copies"
    old = bucket.use(lambda remote: write(remote, "file", b"old"))

    ref = bucket.use(lambda remote: remote.trash("file", expect=old.generation))

    assert ref.startswith(".acdrun-trash/a-run/")
    assert set(bucket.use(trash_of)) == {ref}


def test_who_may_not_look_at_the_bucket_makes_copies(bucket: Bucket) -> None:
    bucket.held.way = "versions"
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    body = b'{"error": {"code": 403, "message": "no", "errors": [{"reason": "forbidden"}]}}'
    bucket.engine.spoil(Spoil("GET", "softDeletePolicy", "refused", times=9, status=403, body=body))

    ref = bucket.use(lambda remote: remote.trash("file", expect=old.generation))

    assert ref.startswith(".acdrun-trash/")
    with pytest.raises(Denied):
        bucket.engine.spoil(Spoil("POST", "rewriteTo", "refused", times=9, status=403, body=body))
        bucket.use(lambda remote: remote.restore(ref))


def _softly() -> list[ParameterSet]:
    return [
        pytest.param(
            rule, id=rule.__name__, marks=[pytest.mark.xfail(reason=why, strict=True)] if why else []
        )
        for rule in RULES
        if rule.__module__.endswith(".trashing")
        for why in [gcs.SOFTLY.get(rule.__name__)]
    ]


@pytest.mark.parametrize("rule", _softly())
def test_soft_delete_keeps_the_rules_of_a_trash_but_for_those_it_cannot(rule: Rule) -> None:
    async def run() -> None:
        async with lab(gcs.SOFT) as remote:
            await rule(remote)

    asyncio.run(run())
