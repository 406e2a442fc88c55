"""Rules of names: what is stored is what was asked for, or it is refused."""

import unicodedata
from collections.abc import Sequence

from runner.backends.contract.rule import children, read, refused, rule, stand, write
from runner.model.content import Content
from runner.model.errors import Blocked, Exists, NotFound
from runner.model.node import same_content
from runner.remote.remote import Remote

ODD = (
    "with space",
    " leading",
    "trailing ",
    "dot.",
    "...",
    "-dash",
    "--flag=x",
    "'single'",
    '"double"',
    "back\\slash",
    "100%",
    "%2e%2e",
    "%2F",
    "a+b",
    "#hash",
    "question?",
    "a&b=c",
    "semi;colon",
    "co:lon",
    "star*",
    "<angle>",
    "pi|pe",
    "$HOME",
    "`cmd`",
    "~",
    "{brace}[bracket]",
    "tab\there",
    "line\nbreak",
    "bell\a",
    "CON",
    "aux.txt",
    "été",
    "日本語",
    "عربي",
    "😀",
    "👩‍👩‍👧",
    "\u202egnp.exe",
    ".hidden",
    "C:\\x",
    "\\\\host\\x",
    "．．",
)
"""Names that are somewhere special: in a shell, a URL, a query, another system."""

HOSTILE = ("..", "../x", "a/../../x", "/etc/x", "a//b", "./x", "x/.", "x/", "nul\0nul", "bad\udcff")
"""Paths with a part that no path may have. Source: reliability.md §7; cells X1 X2."""


async def _kept_or_blocked(remote: Remote, names: Sequence[str]) -> None:
    kept: dict[str, bytes] = {}
    for number, name in enumerate(names):
        data = f"content {number}".encode()
        try:
            node = await write(remote, name, data)
        except Blocked:
            continue
        assert node.name == name, f"{name!r} was stored as {node.name!r}"
        kept[name] = data
    assert kept, "no name at all was kept"
    assert set(await children(remote)) == set(kept)
    for name, data in kept.items():
        assert (await remote.stat(name)).name == name
        assert await read(remote, name) == data


@rule
async def an_odd_name_is_kept_or_refused(remote: Remote) -> None:
    """Spaces, quotes, marks, emoji: as a file it is listed, found and read under exactly its name."""
    await _kept_or_blocked(remote, ODD)


@rule
async def an_odd_folder_name_is_kept_or_refused(remote: Remote) -> None:
    """The same for folders, and files in them are reached."""
    for name in ODD:
        try:
            assert (await remote.mkdir(name)).name == name
        except Blocked:
            continue
        await write(remote, f"{name}/file", b"x")
        assert set(await children(remote, name)) == {"file"}
        assert await read(remote, f"{name}/file") == b"x"


@rule
async def a_long_name_is_kept_or_refused(remote: Remote) -> None:
    """Never cut."""
    lengths = {64, 128, 255, 256, 300}
    if remote.can.max_name is not None:
        lengths |= {remote.can.max_name, remote.can.max_name + 1}

    await _kept_or_blocked(remote, [letter * length for length in sorted(lengths) for letter in "xé"])


@rule
async def a_hostile_path_is_refused(remote: Remote) -> None:
    """By every verb, and nothing is made."""
    await write(remote, "x")

    for path in HOSTILE:
        with refused(Blocked, NotFound):
            await write(remote, path)
        with refused(Blocked, NotFound):
            await remote.mkdirs(path)
        with refused(Blocked, NotFound):
            await read(remote, path)
        with refused(Blocked, NotFound):
            await children(remote, path)
        with refused(Blocked, NotFound):
            await remote.move("x", path)
        with refused(Blocked, NotFound):
            await remote.trash(path)

    assert set(await children(remote)) == {"x"}


async def _twins(remote: Remote, first: str, second: str, *, refuse: bool | None) -> None:
    """refuse: must the second be refused? None where both are right, as long as neither is lost."""
    kept = {first: b"first"}
    await write(remote, first, b"first")

    try:
        await write(remote, second, b"second")
        kept[second] = b"second"
    except Exists:
        assert refuse is not False, "refused, although names that fold alike may stand beside each other"
    else:
        assert not refuse, "kept, although names that fold alike cannot stand beside each other"

    assert set(await children(remote)) == set(kept)
    for name, data in kept.items():
        assert await read(remote, name) == data


@rule
async def case_twins_are_kept_apart_or_the_second_is_refused(remote: Remote) -> None:
    """As `can.folds` claims; neither is lost."""
    await _twins(remote, "Name", "name", refuse=remote.can.folds)


@rule
async def where_names_fold_every_spelling_of_a_path_leads_to_the_node(remote: Remote) -> None:
    """To look, read, replace, make, rename and trash, also below a folder of another spelling; else to nothing."""
    await remote.mkdirs("Folder/Below")
    node = await write(remote, "Folder/Below/Name", b"content")
    if not remote.can.folds:
        with refused(NotFound):
            await remote.stat("folder/below/name")
        return

    assert await remote.stat("folder/BELOW/name") == node
    assert await read(remote, "folder/BELOW/name", expect=node.generation) == b"content"
    assert set(await children(remote, "FOLDER/below")) == {"Name"}
    assert (await remote.mkdir("folder/below")).name == "Below"
    again = await remote.put("folder/below/NAME", Content.of(b"again"), expect=node.generation)
    await write(remote, "folder/below/new", b"new")
    moved = await remote.move("FOLDER/below/name", "folder/BELOW/Other", expect=again.generation)
    await remote.trash("folder/below/NEW")

    assert {name: node.generation for name, node in (await children(remote, "Folder/Below")).items()} == {
        "Other": moved.generation
    }


@rule
async def what_is_in_a_folder_stays_what_it_is_when_the_folder_is_renamed(remote: Remote) -> None:
    """Same generations, so that what was planned for them still holds; the folder keeps its own too.

    Where a folder is only what keys have in common and names differ by case, nothing that was planned is renamed:
    there its files are copies, of which the generations tell the same content.
    """
    if not remote.can.moves:
        return
    await remote.mkdirs("folder/below")
    file = await write(remote, "folder/below/file", b"content")
    folder = await remote.stat("folder")

    moved = await remote.move("folder", "Folder", expect=folder.generation)

    assert moved.generation == folder.generation
    there = (await remote.stat("Folder/below/file")).generation
    copied = not remote.can.folders and not remote.can.folds
    assert same_content(there, file.generation) if copied else there == file.generation
    assert await read(remote, "Folder/below/file", expect=there) == b"content"
    await remote.trash("Folder/below/file", expect=there)


@rule
async def composition_twins_are_kept_apart_or_the_second_is_refused(remote: Remote) -> None:
    """The composed and the decomposed form of one text; not every service that ignores case ignores that."""
    composed, decomposed = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")

    await _twins(remote, composed, decomposed, refuse=None if remote.can.folds else False)


@rule
async def a_walk_keeps_twins_in_order(remote: Remote) -> None:
    """Where twins can stand beside each other, a walk has both, by code point."""
    names = ["A", "a", unicodedata.normalize("NFD", "é"), unicodedata.normalize("NFC", "é")]
    if remote.can.folds:
        names = names[1:3]
    for name in reversed(names):
        await stand(remote, name)

    assert [folder.path async for folder in remote.walk()] == ["", *names]
