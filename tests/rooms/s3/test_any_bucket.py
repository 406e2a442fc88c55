"""A remote without a bucket: the first part of a path is one."""

from runner.backends.contract.rule import read, write
from runner.model.content import Content
from runner.remote.remote import Remote
from tests.rooms.s3.conftest import Bucket


def test_what_is_replaced_in_any_bucket_comes_back_to_it(bucket: Bucket) -> None:
    bucket.fields["bucket"] = ""
    path = f"{bucket.name}/a/file"

    async def act(remote: Remote) -> bytes:
        old = await write(remote, path, b"old")
        new = await remote.put(path, Content.of(b"new"), expect=old.generation)
        gone = await remote.trash(path, expect=new.generation)
        assert await remote.restore(gone) == path
        assert await read(remote, path) == b"new"
        await remote.trash(path)
        assert await remote.restore(new.replaced) == path
        return await read(remote, path)

    assert bucket.use(act) == b"old"
