"""Walking by an index: what it is believed, what it costs, and what becomes of one that is wrong."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.backends.memory import Memory, MemoryConfig, Tree
from runner.model.content import Content
from runner.model.errors import AcdrunError, BadAnswer, Exists, LoginNeeded, NotFound, StateError
from runner.model.events import Event, Note
from runner.model.node import Folder
from runner.remote.index import Index
from runner.remote.remote import Remote
from runner.state.entries import Entries
from tests.lab.faulty import Fault, Faulty

DAY_S = 86400.0


class Place:
    """A tree in memory, an index of it, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "index" / "cloud.db"
        self.tree = Tree()
        self.backend = Faulty(Memory(MemoryConfig(type="memory"), self.tree))
        self.store = Entries(self.file)
        self.told: list[Event] = []
        self.now = 1e9

    def remote(self, path: str = "", *, fresh: bool = False) -> Remote:
        """As a run sees it."""
        index = Index("cloud", self.store, "", 7 * DAY_S, self.told.append, fresh, lambda: self.now)
        return Remote("cloud", self.backend, index=index).at(path)

    def do(self, work: Any) -> Any:
        """Run it."""
        return asyncio.run(work)

    def write(self, *paths: str) -> None:
        """Somebody stores files, in folders that are made."""

        async def each() -> None:
            remote = Remote("cloud", self.backend.inner)
            for path in paths:
                await remote.mkdirs(path.rpartition("/")[0])
                await remote.put(path, Content.of(path.encode()))

        self.do(each())

    def walk(
        self, path: str = "", *, fresh: bool = False, among: Callable[[], None] = lambda: None
    ) -> list[str]:
        """The files of a walk, and how many folders were listed for it in `listed`."""
        self.backend.spoil(*self.backend._faults)

        async def whole() -> list[Folder]:
            found = []
            async for folder in self.remote(path, fresh=fresh).walk():
                found.append(folder)
                among()
            return found

        folders = self.do(whole())
        self.listed = self.backend.count("list")
        assert not any(folder.gaps for folder in folders)
        return [f"{f.path}/{n.name}".lstrip("/") for f in folders for n in f.nodes if n.kind == "file"]

    def lose(self, name: str) -> None:
        """The index forgets a node, as no feed would have it."""
        with self.store._database.transaction() as connection:
            assert connection.execute("DELETE FROM entry WHERE name = ?", (name,)).rowcount == 1


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    here = Place(tmp_path)
    here.write("a/x", "a/b/y", "z")
    yield here
    here.store.close()


ALL = ["z", "a/x", "a/b/y"]


def test_the_first_walk_lists_and_the_next_ones_ask_for_changes_only(place: Place) -> None:
    assert (place.walk(), place.listed) == (ALL, 3)
    assert (place.walk(), place.listed, place.backend.count("changes")) == (ALL, 0, 1)

    place.write("a/new")

    assert (place.walk(), place.listed) == (["z", "a/new", "a/x", "a/b/y"], 0)
    assert place.told == []


def test_each_folder_that_is_walked_is_compared_once(place: Place) -> None:
    place.walk()

    assert (place.walk("a"), place.listed) == (["x", "b/y"], 2)
    assert (place.walk("a"), place.listed) == (["x", "b/y"], 0)


@pytest.mark.parametrize("days", [7, 8, -1], ids=["max age", "older", "the clock was set back"])
def test_an_index_is_compared_again_when_its_time_has_come(place: Place, days: int) -> None:
    place.walk()
    place.now += days * DAY_S

    assert (place.walk(), place.listed) == (ALL, 3)
    assert (place.walk(), place.listed, place.told) == (ALL, 0, [])


@pytest.mark.parametrize("why", ["age", "fresh"])
def test_an_index_that_differs_is_told_of_and_begun_anew(place: Place, why: str) -> None:
    place.walk()
    place.lose("x")
    assert place.walk() == ["z", "a/b/y"]
    place.now += 7 * DAY_S if why == "age" else 0

    assert place.walk(fresh=why == "fresh") == ALL
    text = (
        "warning: the index of cloud is begun anew: 1 entry not as listed, such as 'a/x' is not in the index"
    )
    assert place.told == [Note(text)]
    assert (place.walk(), place.listed) == (ALL, 3)
    assert (place.walk(), place.listed) == (ALL, 0)


def test_what_others_change_while_it_is_compared_is_no_fault_of_the_index(place: Place) -> None:
    memory, left = place.backend.inner, [1]

    async def others() -> None:
        await memory.trash("a/x")
        await memory.move("a/b/y", "a/y")
        await memory.put("a/b/new", Content.of(b"new"), expect=None)

    def meddle() -> None:
        if left:
            left.pop()
            with contextlib.suppress(StopIteration):
                others().send(None)  # memory waits for nothing

    place.walk(among=meddle)

    assert place.told == []
    assert (place.walk(), place.listed) == (["z", "a/y", "a/b/new"], 0)


def test_a_cursor_that_expired_lists_once_more(place: Place) -> None:
    place.walk()
    with place.store._database.transaction() as connection:
        connection.execute("UPDATE feed SET cursor = 'expired'")

    assert (place.walk(), place.listed) == (ALL, 3)
    assert (place.walk(), place.listed) == (ALL, 0)


@pytest.mark.parametrize("how", ["before", "half", "after"])
def test_a_feed_that_cannot_be_read_costs_the_listing_that_was_spared(place: Place, how: Any) -> None:
    place.walk()
    place.backend.spoil(Fault("changes", 0, how, error=BadAnswer("no feed")))

    assert (place.walk(), place.listed) == (ALL, 3)
    assert place.told == [Note("warning: the index of cloud cannot be used: no feed")]

    place.backend.spoil()
    assert (place.walk(), place.listed) == (ALL, 0)


def test_who_has_to_log_in_is_told_so_by_the_feed_already(place: Place) -> None:
    place.backend.spoil(Fault("changes", 0, "before", error=LoginNeeded("no token")))

    with pytest.raises(LoginNeeded):
        place.walk()


def test_a_folder_that_is_not_there_is_asked_for_and_not_found(place: Place) -> None:
    place.walk()

    for _ in range(2):
        with pytest.raises(NotFound):
            place.walk("none")
    place.write("none/file")

    assert (place.walk("none"), place.listed, place.told) == (["file"], 0, [])


def test_a_write_that_meets_what_the_index_lacks_has_it_compared(place: Place) -> None:
    place.walk()
    place.lose("x")

    async def write() -> None:
        remote = place.remote()
        with pytest.raises(Exists):
            await remote.put("a/x", Content.of(b"mine"))

    place.do(write())

    assert (place.walk(), place.listed) == (ALL, 3)
    assert len(place.told) == 1


def test_a_damaged_index_is_set_aside_and_the_walk_goes_on_where_it_was(place: Place) -> None:
    place.write(*(f"many/{number}" for number in range(4000)))
    whole = place.walk()
    place.walk()
    place.store.close()
    data = bytearray(place.file.read_bytes())
    data[8 * 4096 :] = bytes(byte ^ 0x5A for byte in data[8 * 4096 :])
    place.file.write_bytes(data)
    place.store = Entries(place.file)

    assert place.walk() == whole
    assert len(place.told) == 1
    assert place.file.with_name("cloud.db.damaged").exists()
    assert (place.walk(), place.walk(), place.listed) == (whole, whole, 0)


def test_an_index_of_a_newer_version_is_left_alone(place: Place) -> None:
    place.store._database._connection.execute("PRAGMA user_version = 2")

    with pytest.raises(StateError, match="newer"):
        Entries(place.file)


def test_only_one_of_two_readers_gets_ahead(place: Place) -> None:
    place.walk()
    other = Entries(place.file)
    before = place.store.cursor
    place.write("a/new", "a/newer")

    async def pages(cursor: str | None) -> list[Any]:
        return [page async for page in place.backend.changes(cursor)]

    first, second = place.do(pages(before))
    assert place.store.keep(first, before)
    assert not other.keep(first, before), "what one has kept would be taken back by the other"
    assert place.store.keep(second, first.cursor)
    assert other.cursor == second.cursor
    other.close()
    assert (place.walk(), place.listed) == (["z", "a/new", "a/newer", "a/x", "a/b/y"], 0)


def test_who_is_overtaken_reads_on_from_there(place: Place) -> None:
    place.walk()
    place.write("a/new")
    keep, calls = place.store.keep, []

    def overtaken(page: Any, after: str | None) -> bool:
        calls.append(page)
        if len(calls) == 1:
            assert keep(page, after)
        return keep(page, after)

    place.store.keep = overtaken  # type: ignore[method-assign]

    assert (place.walk(), place.listed, place.told) == (["z", "a/new", "a/x", "a/b/y"], 0, [])


def test_names_that_no_path_can_hold_come_back_as_they_were(place: Place) -> None:
    memory = place.backend.inner

    async def odd() -> None:
        for name in ("\ud800", "\x00", "\u00e9", "e\u0301"):
            node = await memory.put(f"a/{len(place.tree.contents)}", Content.of(b"x"), expect=None)
            children = memory._children("a")  # type: ignore[attr-defined]
            children[name] = children.pop(node.name)._replace(name=name)
            memory._tell(children[name], f"a/{name}")  # type: ignore[attr-defined]

    place.do(odd())

    async def shown(remote: Remote) -> Any:
        return [(f.path, list(f.nodes), [gap.path for gap in f.gaps]) async for f in remote.walk()]

    listing = place.do(shown(Remote("cloud", place.backend)))
    for _ in range(2):
        assert place.do(shown(place.remote())) == listing
    assert place.told == []


def test_an_error_that_is_none_of_ours_is_not_hidden(place: Place) -> None:
    place.backend.spoil(Fault("list", 0, "before", error=AcdrunError("broken")))

    async def walk() -> list[Folder]:
        return [folder async for folder in place.remote().walk()]

    (folder,) = place.do(walk())
    assert [str(gap.error) for gap in folder.gaps] == ["cloud:: broken"]
