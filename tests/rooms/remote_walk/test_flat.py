"""A flat listing comes to the same folders, in the same order, as a walk from folder to folder."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.model.errors import Truncated
from runner.model.hidden import LEASES
from runner.model.node import Folder, Node
from runner.model.nodes import Nodes
from runner.model.path import folded_order, join, name, order
from runner.remote import flat
from runner.remote.files import Files
from runner.remote.flat import Gathering
from runner.remote.spool import Spool
from runner.remote.walk import Admits, everything, walk

NAMES = st.sampled_from(
    ["a", "A", "b", "a-b", "a.b", "a b", "~", "é", "e\u0301", "日本", "a\x01b", "\uffff", "😀"]
)
KEYS = st.sets(st.lists(NAMES, min_size=1, max_size=5).map("/".join), max_size=40)


def node(key: str, size: int = 1) -> Node:
    """A file as a listing shows it."""
    return Node(name(key), "file", size, generation=key)


def pages(keys: Sequence[str], length: int = 3) -> list[list[tuple[str, Node]]]:
    """These keys in byte order, a few to a page."""
    found = [(key, node(key)) for key in sorted(keys, key=str.encode)]
    return [found[start : start + length] for start in range(0, len(found), length)]


def gathered(
    keys: Sequence[str], admits: Admits = everything, *, folded: bool = False, most: int = 4
) -> list[Folder]:
    """The folders, with so little room that nearly everything waits on disk."""
    return taken(pages(keys), admits, folded=folded, most=most)


def taken(
    pages: Iterable[Sequence[tuple[str, Node]]], admits: Admits, *, folded: bool, most: int
) -> list[Folder]:
    """The folders of these pages."""
    gathering = Gathering(admits, folded=folded, most=most)
    try:
        for page in pages:
            gathering.take(page)
        return list(gathering.folders())
    finally:
        gathering.close()


def walked(keys: Sequence[str], admits: Admits = everything, *, folded: bool = False) -> list[Folder]:
    """The slow truth: each folder listed by looking at every key."""

    async def list_(folder: str) -> AsyncIterator[Sequence[Node]]:
        prefix = folder + "/" if folder else ""
        below = [key[len(prefix) :] for key in keys if key.startswith(prefix)]
        folders = {key.partition("/")[0] for key in below if "/" in key}
        yield [Node(one, "folder") for one in folders]
        yield [node(join(folder, key)) for key in below if "/" not in key]

    async def all_() -> list[Folder]:
        return [folder async for folder in walk(list_, admits, 1, folded=folded)]

    return asyncio.run(all_())


def plain(folders: Sequence[Folder]) -> list[tuple[object, ...]]:
    """What can be compared: errors are told by their text."""
    return [
        (f.path, list(f.nodes), [(g.path, str(g.error)) for g in f.gaps], f.excluded, sorted(f.left_out))
        for f in folders
    ]


@given(KEYS, st.booleans(), st.integers(1, 12))
def test_it_is_what_a_walk_would_have_yielded(keys: set[str], folded: bool, most: int) -> None:
    found = gathered(sorted(keys), folded=folded, most=most)

    assert plain(found) == plain(walked(sorted(keys), folded=folded))
    key = folded_order if folded else order
    assert [f.path for f in found] == sorted((f.path for f in found), key=key)


@given(KEYS, st.sampled_from(["a", "a-b", "日本"]))
def test_a_filter_leaves_out_the_same(keys: set[str], word: str) -> None:
    def admits(path: str, node: Node) -> bool:
        return node.name != word

    assert plain(gathered(sorted(keys), admits)) == plain(walked(sorted(keys), admits))


ODD = st.sampled_from(["a", "A", "a-b", "b", "", ".", "..", "\0", "\udc80", "é", "x\n", LEASES])
ODD_KEYS = st.dictionaries(
    st.lists(ODD, min_size=1, max_size=4).map("/".join), st.integers(0, 2), max_size=40
)
DIGESTS = st.sampled_from(["generations", "none", "some"])


@given(ODD_KEYS, DIGESTS, st.booleans(), st.booleans(), st.integers(1, 9), st.integers(1, 12))
@example({"a": 0, "A": 0, "a-b": 0, "\udc80": 0}, "generations", False, False, 2, 1)
def test_columns_come_to_what_their_nodes_come_to(
    sizes: dict[str, int], digests: str, filtered: bool, folded: bool, length: int, most: int
) -> None:
    def admits(path: str, node: Node) -> bool:
        return node.name != "a-b" and node.size != 2

    keys = sorted(sizes)
    tags = [f"{number:032x}" for number, _ in enumerate(keys)]
    known = {"generations": tags, "none": [""] * len(keys), "some": ["", *tags[1:]]}[digests]
    times = ["2020-09-13T12:26:40Z" if size else "" for size in sizes.values()]
    page = Files(keys, [sizes[key] for key in keys], tags, known, times)
    pages = [page[start : start + length] for start in range(0, len(keys), length)]

    found, wanted = (
        taken(some, admits if filtered else everything, folded=folded, most=most)
        for some in (pages, map(list, pages))
    )

    assert plain(found) == plain(wanted)
    assert [tell(folder.nodes) for folder in found] == [tell(folder.nodes) for folder in wanted]


def tell(nodes: Nodes) -> list[object]:
    """All that nodes say of themselves together."""
    numbers = [(nodes.number(kind), nodes.names(kind)) for kind in ("file", "folder", "other")]
    one = nodes.only(nodes.names("file")[:1])
    return [
        len(nodes), dict(nodes.stamps), [nodes.node(name) for name in sorted(nodes.stamps)], numbers,
        set(nodes.files()), list(nodes.sizes()), nodes.size(), nodes.faulty(), nodes.timed(), nodes.digests("md5"),
        nodes.digests("sha1"), nodes.digest("md5"), nodes.digest("sha1"), nodes.state(), list(one),
        nodes.sized(Nodes.of(nodes)), nodes.has("a"), nodes.sized(one), nodes.same(Nodes.of(nodes)),
    ]  # fmt: skip


@given(st.lists(st.integers(0, 3), max_size=12), st.integers(0, 12), st.integers(0, 12))
def test_a_page_in_columns_is_a_sequence_of_its_paths_and_nodes(
    sizes: list[int], start: int, end: int
) -> None:
    keys = [f"a/{number:02}" for number, _ in enumerate(sizes)]
    listed = [
        (key, Node(name(key), "file", size, generation="x")) for key, size in zip(keys, sizes, strict=True)
    ]
    none = [""] * len(keys)
    page = Files(keys, sizes, ["x"] * len(keys), none, none)

    assert list(page) == listed
    assert list(page[start:end]) == listed[start:end]
    assert [page[number] for number in range(len(page))] == listed
    assert list(page.only([size > 1 for size in sizes])) == [one for one in listed if one[1].size > 1]


def test_names_that_no_path_can_hold_are_gaps_once_for_all_below() -> None:
    keys = ["a//b", "a//c/d", "/x", "ok/..", "../up/1", "../up/2", "./here", "nul\0/x", "ok/fine"]

    found = {folder.path: folder for folder in gathered(keys)}

    assert set(found) == {"", "a", "ok"}
    assert [one.name for one in found["ok"].nodes] == ["fine"]
    assert sorted(gap.path for folder in found.values() for gap in folder.gaps) == [
        "(no name)", "\\x2e", "\\x2e\\x2e", "a/(no name)", "nul\\x00", "ok/\\x2e\\x2e",
    ]  # fmt: skip


def test_a_file_beside_a_folder_of_its_name_is_a_gap_and_nothing_below_is_shown() -> None:
    found = gathered(["twin", "twin/below/file", "twin-", "twix"])

    assert [(f.path, [n.name for n in f.nodes], [g.path for g in f.gaps]) for f in found] == [
        ("", ["twin-", "twix"], ["twin"])
    ]


def test_marks_of_folders_and_leases_are_not_shown() -> None:
    gathering = Gathering()
    gathering.take([(key, node(key, 0)) for key in ("/", "a/", "a/b", f"{LEASES}/x.1", "z/")])

    assert [(f.path, [n.name for n in f.nodes]) for f in gathering.folders()] == [("", ["a"]), ("a", ["b"])]


def test_nothing_at_all_is_an_empty_root() -> None:
    assert plain(gathered([])) == [("", [], [], 0, [])]


def test_a_listing_that_fails_yields_nothing() -> None:
    async def list_all(folder: str) -> AsyncIterator[Sequence[tuple[str, Node]]]:
        yield [("a", node("a"))]
        raise Truncated("cut off")

    async def first() -> Folder:
        return await anext(aiter(flat.walk(list_all, everything)))

    with pytest.raises(Truncated):
        asyncio.run(first())


@given(st.lists(st.tuples(st.text(max_size=3), st.integers()), max_size=60), st.integers(1, 10))
def test_a_spool_gives_back_what_it_was_given_in_order(records: list[tuple[str, int]], most: int) -> None:
    spool = Spool(most=most)
    for record in records:
        spool.add(record, 1)

    found = list(spool.sorted())
    spool.close()

    assert found == sorted(records, key=lambda record: record[0])
