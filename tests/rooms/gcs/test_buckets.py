"""A remote without a bucket: the first part of a path is one."""

import pytest

from runner.backends.contract.rule import children, read, write
from runner.backends.contract.trashing import trash_of
from runner.model.content import Content
from runner.model.errors import NotFound, UsageError
from runner.remote.remote import Remote
from tests.rooms.gcs.conftest import Bucket


@pytest.fixture
def all_of_them(bucket: Bucket) -> Bucket:
    """The whole project."""
    bucket.fields["bucket"] = ""
    bucket.service.make("other")
    return bucket


@pytest.mark.parametrize("way", ["", "versions"])
def test_what_is_replaced_and_removed_in_a_bucket_comes_back_to_it(all_of_them: Bucket, way: str) -> None:
    bucket = all_of_them
    bucket.held.way = way
    old = bucket.use(lambda remote: write(remote, "shelf/a/file", b"old"))

    new = bucket.use(lambda remote: remote.put("shelf/a/file", Content.of(b"new"), expect=old.generation))
    gone = bucket.use(lambda remote: remote.trash("shelf/a/file", expect=new.generation))

    kept = bucket.use(trash_of)
    assert set(kept) == {new.replaced, gone}
    assert {entry.path for entry in kept.values()} == {"shelf/a/file"}
    assert bucket.use(lambda remote: remote.restore(new.replaced)) == "shelf/a/file"
    assert bucket.use(lambda remote: read(remote, "shelf/a/file")) == b"old"


def test_buckets_are_folders_and_one_that_is_missing_is_made_when_asked_for(all_of_them: Bucket) -> None:
    bucket = all_of_them
    bucket.use(lambda remote: write(remote, "shelf/file", b"x"))
    bucket.use(lambda remote: remote.mkdirs("fresh"))

    async def everything(remote: Remote) -> list[str]:
        return [path async for page in remote.list_all() for path, _ in page]

    assert set(bucket.use(children)) == {"shelf", "other", "fresh"}
    assert bucket.use(everything) == ["shelf/file"]
    with pytest.raises(UsageError, match="no bucket 'missing'"):
        bucket.use(lambda remote: write(remote, "missing/file"))
    with pytest.raises(UsageError, match="in a bucket, not beside one"):
        bucket.use(lambda remote: write(remote, "beside"))
    with pytest.raises(NotFound):
        bucket.use(lambda remote: remote.restore("nothing"))


def test_without_a_project_buckets_are_neither_listed_nor_made(all_of_them: Bucket) -> None:
    bucket = all_of_them
    bucket.fields["project_number"] = ""

    with pytest.raises(UsageError) as listed:
        bucket.use(children)
    with pytest.raises(UsageError) as made:
        bucket.use(lambda remote: remote.mkdirs("fresh"))

    assert "project_number" in listed.value.hint
    assert "project_number" in made.value.hint
