"""Rules of the change feed: it tells what listings show, and goes on where it was left."""

from runner.backends.contract.rule import children, refused, rule, tree, write
from runner.model.backend import Change
from runner.model.content import Content
from runner.model.errors import Unsupported
from runner.model.node import Node
from runner.remote.close import closing
from runner.remote.remote import Remote


@rule
async def a_change_feed_is_there_or_not_supported(remote: Remote) -> None:
    """As claimed; where there is one it has a page, whatever is asked."""
    if remote.can.changes:
        await follow(remote, None)
        return
    with refused(Unsupported):
        await follow(remote, None)


@rule
async def a_feed_tells_everything_that_listings_show(remote: Remote) -> None:
    """Without a cursor, from what was there before to what came last; each node in its folder."""
    if not remote.can.changes:
        return
    await remote.mkdirs("a/b")
    for path in ("x", "a/x", "a/b/y", "a/b/z"):
        await write(remote, path, path.encode())

    reset, _, told = await follow(remote, None)

    assert reset, "a feed without a cursor begins anew"
    await agrees(remote, told)


@rule
async def a_cursor_leads_to_what_changed_since(remote: Remote) -> None:
    """New, replaced, renamed, moved and trashed nodes; nothing is forgotten, and nothing is missed."""
    if not remote.can.changes:
        return
    await remote.mkdirs("a/b")
    old = {
        path: await write(remote, path, path.encode()) for path in ("same", "replaced", "a/moved", "trashed")
    }
    _, cursor, told = await follow(remote, None)

    nothing = await follow(remote, cursor)
    await remote.put("replaced", Content.of(b"new"), expect=old["replaced"].generation)
    await remote.move("a/moved", "a/b/there", expect=old["a/moved"].generation)
    await remote.trash("trashed", expect=old["trashed"].generation)
    await remote.move("a/b", "c")
    await write(remote, "c/new")
    reset, last, since = await follow(remote, cursor)

    assert not nothing[0], "a cursor that is known forgets nothing"
    assert not reset, "a cursor that is known forgets nothing"
    assert since[old["trashed"].id] == Change(old["trashed"].id, (), None)
    await agrees(remote, told | since)
    assert not (await follow(remote, last))[0], "the last cursor leads on"


@rule
async def what_comes_back_from_the_trash_is_told_again(remote: Remote) -> None:
    """A folder comes back with all that it holds, of which nothing changed."""
    if not remote.can.changes or not remote.can.trashes:
        return
    await remote.mkdirs("a/b")
    await write(remote, "a/b/x")
    _, cursor, told = await follow(remote, None)

    ref = await remote.trash("a")
    _, cursor, gone = await follow(remote, cursor)
    await agrees(remote, told | gone)
    await remote.restore(ref)
    _, _, back = await follow(remote, cursor)

    await agrees(remote, told | gone | back)


@rule
async def a_cursor_that_nobody_gave_begins_anew(remote: Remote) -> None:
    """It may be of another account, or too old to be known."""
    if not remote.can.changes:
        return
    await write(remote, "x")

    reset, _, told = await follow(remote, "no such cursor")

    assert reset, "a cursor that is unknown begins anew"
    await agrees(remote, told)


async def follow(remote: Remote, cursor: str | None) -> tuple[bool, str, dict[str, Change]]:
    """Whether all is to be forgotten, the last cursor, and what the feed told of each node, by id."""
    resets, told, last = list[bool](), dict[str, Change](), ""
    async with closing(remote.changes(cursor)) as pages:
        async for page in pages:
            resets.append(page.reset)
            told.update((change.id, change) for change in page.changes)
            last = page.cursor
    assert resets, "a feed has at least one page"
    assert not any(resets[1:]), "only the first page begins anew"
    return resets[0], last, told


async def agrees(remote: Remote, told: dict[str, Change]) -> None:
    """Every folder holds what the feed says, and nothing else."""
    paths = ["", *(path for path, kind in (await tree(remote)).items() if kind == "folder")]
    for path in paths:
        folder = (await remote.stat(path)).id
        fed: dict[str, Node] = {}
        for change in told.values():
            if change.node is not None and folder in change.parents:
                fed[change.node.name] = change.node
        assert fed == await children(remote, path), f"the feed and the listing of {path!r} differ"
