"""Promise I1 on a store without a trash: whatever comes back or does not, the old content is somewhere."""

import contextlib

import pytest
from _pytest.mark.structures import ParameterSet

from runner.backends.contract.rule import read, write
from runner.backends.contract.trashing import trash_of
from runner.model.backend import Trashed
from runner.model.content import Content
from runner.model.errors import AcdrunError, Stale
from runner.remote.remote import Remote
from tests.lab import s3
from tests.lab.spoilt import Spoil
from tests.rooms.s3.conftest import Bucket


def _slow(word: str) -> ParameterSet:
    return pytest.param(word, marks=pytest.mark.slow)


async def _contents(remote: Remote) -> set[bytes]:
    """Of the file and of everything in the trash."""
    found = set()
    for entry in (await trash_of(remote)).values():
        await remote.restore(entry.ref, f"back/{entry.ref[-12:].replace('/', '-')}")
    async for page in remote.list_all():
        for path, _ in page:
            found.add(await read(remote, path))
    return found


def test_a_removal_whose_answer_was_lost_has_happened_and_can_be_taken_back(bucket: Bucket) -> None:
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    bucket.engine.spoil(Spoil("DELETE", "/file", "lost"))

    ref = bucket.use(lambda remote: remote.trash("file", expect=old.generation))

    assert bucket.use(lambda remote: remote.restore(ref)) == "file"
    assert bucket.use(lambda remote: read(remote, "file")) == b"old"


@pytest.mark.parametrize("how", ["lost", _slow("refused"), _slow("unsent")])
@pytest.mark.parametrize("method", ["PUT", "DELETE", pytest.param("HEAD", marks=pytest.mark.slow)])
def test_no_content_is_lost_whatever_is_lost_on_the_way(bucket: Bucket, method: str, how: str) -> None:
    """Of each kind of request all are spoilt from the first one on: the write fails, or it does not."""
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    acts = (
        lambda remote: remote.put("file", Content.of(b"new"), expect=old.generation),
        lambda remote: remote.trash("file", expect=old.generation),
    )
    for act in acts:
        body = b"<Error><Code>InternalError</Code></Error>"
        bucket.engine.spoil(Spoil(method, "/", how, times=30, status=500, body=body))  # type: ignore[arg-type]
        with contextlib.suppress(AcdrunError):
            bucket.use(act)
        bucket.engine.spoil()

    assert b"old" in bucket.use(_contents)


def test_a_write_that_is_stale_leaves_what_it_met_and_the_trash_empty(bucket: Bucket) -> None:
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
    assert bucket.use(lambda remote: read(remote, "file")) == b"now"


def test_where_versions_are_kept_nothing_is_copied_to_keep_the_old_content(bucket: Bucket) -> None:
    async def on(remote: Remote) -> None:
        await s3.keep_versions(remote.backend)

    bucket.use(on)
    old = bucket.use(lambda remote: write(remote, "file", b"old"))
    bucket.engine.spoil()

    new = bucket.use(lambda remote: remote.put("file", Content.of(b"new"), expect=old.generation))
    ref = bucket.use(lambda remote: remote.trash("file", expect=new.generation))
    kept: dict[str, Trashed] = bucket.use(trash_of)

    assert bucket.engine.count("PUT", ".acdrun-trash") == 0
    assert set(kept) == {new.replaced, ref}
    assert {entry.path for entry in kept.values()} == {"file"}
    assert bucket.use(lambda remote: remote.restore(new.replaced)) == "file"
    assert bucket.use(lambda remote: read(remote, "file")) == b"old"


def test_a_version_from_before_versions_were_kept_comes_back_too(bucket: Bucket) -> None:
    old = bucket.use(lambda remote: write(remote, "file", b"old"))

    async def on(remote: Remote) -> None:
        await s3.keep_versions(remote.backend)

    bucket.use(on)
    new = bucket.use(lambda remote: remote.put("file", Content.of(b"new"), expect=old.generation))

    assert bucket.use(lambda remote: remote.restore(new.replaced, "beside")) == "beside"
    assert bucket.use(lambda remote: read(remote, "beside")) == b"old"
