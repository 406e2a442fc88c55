"""A remote without a container: the first part of a path is one."""

from runner.backends.contract.rule import read, write
from runner.model.content import Content
from runner.remote.remote import Remote
from tests.rooms.swift.conftest import Container


def test_what_is_replaced_in_any_container_comes_back_to_it(container: Container) -> None:
    container.fields["container"] = ""
    path = f"{container.name}/a/file"

    async def act(remote: Remote) -> bytes:
        old = await write(remote, path, b"old")
        new = await remote.put(path, Content.of(b"new"), expect=old.generation)
        gone = await remote.trash(path, expect=new.generation)
        assert await remote.restore(gone) == path
        assert await read(remote, path) == b"new"
        await remote.trash(path)
        assert await remote.restore(new.replaced) == path
        return await read(remote, path)

    assert container.use(act) == b"old"
