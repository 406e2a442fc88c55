"""Rules of identity: one folder is told from another, and always is itself."""

from runner.backends.contract.rule import refused, rule, stand, write
from runner.model.errors import NotFound
from runner.remote.remote import Remote


@rule
async def a_folder_keeps_its_identity_whatever_happens_below_it(remote: Remote) -> None:
    """For the remote's root, and for a folder in it."""
    await stand(remote, "a/b")
    before = await remote.identity(), await remote.identity("a")

    node = await write(remote, "a/file")
    await write(remote, "file")
    await stand(remote, "a/c")
    if remote.can.trashes:
        await remote.trash("a/file", expect=node.generation)
        await remote.trash("a/b")

    assert (await remote.identity(), await remote.identity("a")) == before


@rule
async def no_two_folders_have_the_same_identity(remote: Remote) -> None:
    """Not even those of one name, one inside the other, or one after the other."""
    for folder in ("a", "a/a", "b", "b/a"):
        await stand(remote, folder)

    ids = [(await remote.identity(folder)).id for folder in ("", "a", "a/a", "b", "b/a")]

    assert len(set(ids)) == 5
    assert all(ids)


@rule
async def a_folder_is_the_same_by_every_way_that_leads_to_it(remote: Remote) -> None:
    """From the remote's root down, and from a view that begins at it."""
    await stand(remote, "a/b")

    assert (
        await remote.at("a/b").identity()
        == await remote.at("a").identity("b")
        == await remote.identity("a/b")
    )


@rule
async def what_is_not_there_has_no_identity(remote: Remote) -> None:
    """Neither has a file: a place to keep in step is a folder."""
    await write(remote, "file")

    for path in ("none", "none/at all", "file"):
        with refused(NotFound):
            await remote.identity(path)
