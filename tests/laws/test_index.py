"""Law: walking by the index shows what a listing shows, whoever writes, and wherever the feed breaks off."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from runner.backends.acd import feed
from runner.backends.acd.backend import Acd
from runner.backends.acd.config import AcdConfig
from runner.backends.acd.connect import Connection, connect
from runner.model.backend import ChangePage, Setting
from runner.model.content import Content
from runner.model.errors import AcdrunError
from runner.model.events import Event
from runner.model.node import Folder, Node
from runner.model.policy import RetryPolicy
from runner.remote import retry
from runner.remote.index import Index
from runner.remote.remote import Remote
from runner.remote.retry import Retry
from runner.remote.tokens import Token, TokenStore
from runner.remote.walk import Admits, everything
from runner.state.entries import Entries
from tests.emulator.conftest import Drive

NAMES = st.sampled_from(["a", "a-b", "b", "B", "\u00e9", "x\n", "\u202e"])
WHICH = st.integers(0, 7)
FEED = {"method": "POST", "path": "/drive/v1/changes"}


class Killed(BaseException):
    """Nothing of the program may answer it."""


class Mortal(Entries):
    """Dies at the n-th page, before it is written down or after."""

    left = 0
    after = False

    def keep(self, page: ChangePage, after: str | None) -> bool:
        """Write a page down, or die."""
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        kept = super().keep(page, after)
        if self.left == 0:
            raise Killed
        return kept


class Counted(Acd):
    """Counts folders that are listed by requests."""

    listed = 0

    async def list(self, folder: str) -> AsyncGenerator[Sequence[Node], None]:
        """Count, and list."""
        Counted.listed += 1
        async for page in super().list(folder):
            yield page


def no_b(path: str, node: Node) -> bool:
    """A filter."""
    return node.name not in ("b", "B")


class Following(RuleBasedStateMachine):
    """A drive that others write to as well, and an index of it that lives as long as the drive does.

    folders, nodes: ids of what stands in the world, trashed or not; whole: no page was lost since the last
    comparison, so that the next walk has to go by the index.
    """

    drive: Drive

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.runner = self.stack.enter_context(asyncio.Runner())
        self.home = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="acdrun-law-")))
        TokenStore(self.home, "cloud").save(
            Token.parse(json.dumps(self.drive.ready["token"]), "the ready line")
        )
        self.root = f"law-{uuid4()}"
        self.folders = [self.drive.mkdir(self.root)]
        self.nodes: list[str] = []
        self.told: list[Event] = []
        self.entries = self.stack.enter_context(contextlib.closing(Mortal(self.home / "index" / "cloud.db")))
        self.connection: Connection = self.runner.run(self._connect())
        self.whole = False

    async def _connect(self) -> Connection:
        config = AcdConfig(type="acd", server=self.drive.url)
        return await connect(config, Setting("cloud", self.home, self.home, "run"), 16)

    def remote(self, *, fresh: bool = False, indexed: bool = True) -> Remote:
        """A view of the drive, as a run of its own has it."""
        index = Index("cloud", self.entries, self.root, 3600.0, self.told.append, fresh) if indexed else None
        return Remote("cloud", Counted(self.connection, self.root), index=index)

    def walk(
        self, remote: Remote, admits: Admits = everything, *, folded: bool = False, path: str = ""
    ) -> Any:
        """What a walk shows; `NotFound` where there is no such folder."""

        async def whole() -> list[Any]:
            with retry.following(Retry(RetryPolicy(calls=1))):
                return [shown(folder) async for folder in remote.at(path).walk(admits, folded=folded)]

        try:
            return self.runner.run(whole())
        except AcdrunError as error:
            return type(error).__name__

    def folder(self, which: int) -> str:
        """The id of one of the folders."""
        return self.folders[which % len(self.folders)]

    def node(self, which: int) -> str:
        """The id of one of the nodes."""
        return self.nodes[which % len(self.nodes)]

    @rule(name=NAMES, which=WHICH)
    def somebody_makes_a_folder(self, name: str, which: int) -> None:
        """Somewhere, if the name is free."""
        body = {"name": name, "kind": "FOLDER", "parents": [self.folder(which)]}
        answer = self.drive.send("POST", "drive/v1/nodes", body)
        if answer.status_code == 201:
            self.folders.append(answer.json()["id"])
            self.nodes.append(answer.json()["id"])

    @rule(name=NAMES, which=WHICH, pending=st.sampled_from([False, False, True]))
    def somebody_stores_a_file(self, name: str, which: int, pending: bool) -> None:
        """Which may stay incomplete for a while."""
        if pending:
            self.drive.fault(match={"method": "POST", "path": "/cdproxy/nodes"}, do="pending", times=1)
        self.drive.upload(name, b"x", self.folder(which))
        found = self.drive.all("drive/v1/nodes", filters=f'parents:"{self.folder(which)}"')
        self.nodes += [node["id"] for node in found if node["id"] not in self.nodes]
        self.drive.http.delete("admin/faults")

    @precondition(lambda self: self.nodes)
    @rule(which=WHICH, where=WHICH, name=NAMES, what=st.sampled_from(
        ["overwrite", "rename", "move", "trash", "restore", "add", "remove", "release"]))  # fmt: skip
    def somebody_changes_a_node(self, which: int, where: int, name: str, what: str) -> None:
        """Whatever the drive lets them; two parents, and none, are among it."""
        node, folder = self.node(which), self.folder(where)
        match what:
            case "overwrite":
                self.drive.overwrite(node, name.encode())
            case "rename":
                self.drive.send("PATCH", f"drive/v1/nodes/{node}", {"name": name})
            case "move":
                self.drive.send("PATCH", f"drive/v1/nodes/{node}", {"parents": [folder]})
            case "trash":
                self.drive.send("PUT", f"drive/v1/trash/{node}")
            case "restore":
                self.drive.send("POST", f"drive/v1/trash/{node}/restore")
            case "add":
                self.drive.send("PUT", f"drive/v1/nodes/{folder}/children/{node}")
            case "remove":
                self.drive.send("DELETE", f"drive/v1/nodes/{folder}/children/{node}")
            case "release":
                self.drive.send("PATCH", f"drive/v1/nodes/{node}", {"status": "AVAILABLE"})

    @rule(name=NAMES, which=WHICH)
    def we_store_a_file(self, name: str, which: int) -> None:
        """Where the index says that a folder is."""

        async def write() -> None:
            remote = self.remote()
            with contextlib.suppress(AcdrunError), retry.following(Retry(RetryPolicy(calls=1))):
                paths = [folder.path async for folder in remote.walk()]
                path = paths[which % len(paths)]
                await remote.put(f"{path}/{name}".lstrip("/"), Content.of(b"ours"))

        self.runner.run(write())
        self.whole = False

    @rule()
    def the_checkpoint_expires(self) -> None:
        """The service has forgotten it."""
        with self.entries._database.transaction() as connection:
            connection.execute("UPDATE feed SET cursor = top || '/CMaFjdTWKRoA'")
        self.whole = False

    @rule(number=st.integers(1, 3), after=st.booleans())
    def we_die_while_the_feed_is_read(self, number: int, after: bool) -> None:
        """At a page, before it is written down together with its cursor, or after."""
        self.entries.left, self.entries.after = number, after
        with contextlib.suppress(Killed):
            self.walk(self.remote())
        self.entries.left = 0
        self.whole = False

    @rule(fraction=st.sampled_from([0.0, 0.3, 0.9, 1.0]), times=st.integers(1, 2))
    def an_answer_of_the_feed_is_cut_off(self, fraction: float, times: int) -> None:
        """It is asked again from where it had come."""
        self.somebody_makes_a_folder("b", times)
        self.somebody_makes_a_folder("a", times + 1)
        truth = self.walk(self.remote(indexed=False))
        self.drive.fault(match=FEED, do="cut", after_effect=True, fraction=fraction, times=times)
        assert self.walk(self.remote()) == truth
        self.drive.http.delete("admin/faults")
        self.whole = False

    @rule(which=WHICH, name=NAMES)
    def others_write_while_it_is_compared(self, which: int, name: str) -> None:
        """Which is no fault of the index."""
        self.told.clear()

        async def compare() -> None:
            with retry.following(Retry(RetryPolicy(calls=1))):
                first = True
                async for _ in self.remote(fresh=True).walk():
                    if first:
                        self.drive.send(
                            "PATCH", f"drive/v1/nodes/{self.folder(which)}", {"description": name}
                        )
                        if self.nodes:
                            self.somebody_changes_a_node(which, 0, name, "move")
                            self.somebody_changes_a_node(which + 1, 0, name, "trash")
                        self.somebody_makes_a_folder(name, 0)
                    first = False

        with contextlib.suppress(AcdrunError):
            self.runner.run(compare())
        assert self.told == []
        self.whole = False

    @invariant()
    def the_index_shows_what_a_listing_shows(self) -> None:
        """In every order, with filters, below the root; and where nothing went wrong it costs no listing."""
        self.told.clear()
        truth = self.walk(self.remote(indexed=False))
        Counted.listed = 0
        assert self.walk(self.remote()) == truth
        if self.whole:
            assert Counted.listed == 0 or isinstance(truth, str)
        self.whole = True
        assert self.walk(self.remote(), folded=True) == self.walk(self.remote(indexed=False), folded=True)
        assert self.walk(self.remote(), no_b) == self.walk(self.remote(indexed=False), no_b)
        below = next((path for path, *_ in truth if path), "") if not isinstance(truth, str) else ""
        assert self.walk(self.remote(), path=below) == self.walk(self.remote(indexed=False), path=below)
        assert self.told == []

    def teardown(self) -> None:
        """Let go."""
        self.runner.run(self.connection.close())
        self.stack.close()


def shown(folder: Folder) -> tuple[Any, ...]:
    """All there is to a folder, comparable."""
    gaps = [(gap.path, str(gap.error)) for gap in folder.gaps]
    nodes = [(*node, node.changed_ns) for node in folder.nodes]
    return folder.path, nodes, gaps, folder.excluded, sorted(folder.left_out)


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drive]:
    """A drive of its own."""
    running = Drive(tmp_path_factory.mktemp("drive"))
    yield running
    running.stop()


def test_the_index_is_the_listing(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "LINE", 4)
    Following.drive = drive

    run_state_machine_as_test(
        Following,
        settings=settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
