"""The program with one of its rules taken out. Each must be found: a rule that no seed misses is no rule.

Every entry is a switch that is thrown only here. `promise`: by what it has to be found, the id of a promise or
rule; more than one where the seeds meet several consequences.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

from runner.app import draining
from runner.backends.memory import Memory
from runner.engine import scheduler
from runner.engine.reading import Reading, read_pair
from runner.model.content import Content
from runner.model.errors import NotFound
from runner.model.exits import Exit
from runner.model.node import Node
from runner.model.operation import Operation, Outcome
from runner.model.task import All, Context, Edge
from runner.remote import listed, walk
from runner.remote.remote import Remote
from runner.state.queue import Queue
from runner.tasks import guard
from runner.tasks.barrier import Barrier
from runner.tasks.guard import Guard
from runner.tasks.mkdir import Mkdir
from runner.tasks.move import Move
from runner.tasks.prove import Prove
from runner.tasks.trash import Trash
from runner.tasks.undo.discard import Discard
from runner.tasks.upload import Upload

Patch = Callable[[], contextlib.AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One rule less. known: a seed that missed it once, tried first; most: within how many it must be missed."""

    rule: str
    promise: str
    known: int
    patch: Patch
    most: int = 400

    @property
    def seeds(self) -> Sequence[int]:
        """In the order in which they are tried."""
        return (self.known, *range(self.most))

    @property
    def promises(self) -> Sequence[str]:
        """Any of which must be found broken."""
        return self.promise.split("|")


def _without(task: Any, *edges: Edge) -> Patch:
    return lambda: mock.patch.object(task, "after", tuple(edge for edge in task.after if edge not in edges))


async def _put_blindly(self: Remote, path: str, content: Content, *, expect: str | None = None) -> Node:
    full = self._full(path)
    with contextlib.suppress(NotFound):
        expect = (await self.backend.stat(full)).generation
    return await self.backend.put(full, content, expect=expect)


async def _trash_blindly(self: Remote, path: str, *, expect: str | None = None) -> str:
    return await self.backend.trash(self._full(path), expect=None)


def _keep_nothing(self: Memory, path: str, node: Node) -> str:
    return self._next()


async def _never_there(self: Upload, op: Operation, ctx: Context) -> None:
    return None


async def _any_generation(self: Remote, path: str, generation: str | None) -> AsyncGenerator[bytes, None]:
    async for chunk in self.read(path, expect=None):
        yield chunk


async def _no_size(self: Content) -> AsyncGenerator[bytes, None]:
    from runner.model.checksum import Checksum

    data = b""
    async for chunk in self._source():
        data += chunk
        yield chunk
    self._checksum = Checksum.of(self.algorithm, data)


async def _nod(self: Guard, op: Operation, ctx: Context) -> Outcome:
    return Outcome()


async def _nod_to_one(self: object, op: Operation, ctx: Context) -> Outcome:
    return Outcome()


async def _gaps_are_fine(*args: Any) -> Reading:
    ended = await read_pair(*args)
    for title in ("list source", "list destination"):
        if isinstance(ended[title], str):
            ended[title] = ""
    return ended


async def _blocked_is_fine(*args: Any) -> Reading:
    ended = await read_pair(*args)
    ended.hold = ""
    return ended


def _always_well(*args: object, **more: object) -> Exit:
    return Exit.CONVERGED


def _forget_what_was_taken(self: Queue) -> int:
    return 0


def _unwritten(self: Queue, connection: Any, stage: int, ended: Any, retried: Any) -> None:
    """Ends are not written down: what was done stays taken, and what failed is not tried again."""


@contextlib.contextmanager
def _gapless() -> Iterator[None]:
    """What could not be listed is taken for empty."""
    whole = walk.look

    async def look(list_: Any, admits: Any, folder: str) -> Any:
        return (await whole(list_, admits, folder))._replace(gaps=())

    with mock.patch.object(walk, "look", look):
        yield


@contextlib.contextmanager
def _both(*patches: contextlib.AbstractContextManager[Any]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        yield


@contextlib.contextmanager
def _ajar() -> Iterator[None]:
    """No door between reading and writing: every pair heeds only its own guard."""
    with (
        mock.patch.object(Mkdir, "after", tuple(e for e in Mkdir.after if e != All("accept"))),
        mock.patch.object(Upload, "after", tuple(e for e in Upload.after if e != All("accept"))),
        mock.patch.object(Move, "after", tuple(e for e in Move.after if e != All("accept"))),
        mock.patch.object(Barrier, "after", tuple(e for e in Barrier.after if e != All("accept"))),
    ):
        yield


MUTATIONS = (
    Mutation("trash waits for the uploads", "I6", 12, _without(Barrier, All("upload"))),
    Mutation(
        "trash waits for whole listings",
        "I6",
        20,
        lambda: mock.patch.object(scheduler, "read_pair", _gaps_are_fine),
    ),
    Mutation("unknown is not absent", "I6|I7|false failure", 20, _gapless),
    Mutation(
        "trash waits while something is blocked",
        "I6",
        113,
        lambda: mock.patch.object(scheduler, "read_pair", _blocked_is_fine),
    ),
    Mutation(
        "an overwrite keeps the old content",
        "I1",
        0,
        lambda: mock.patch.object(Memory, "_keep", _keep_nothing),
    ),
    Mutation(
        "put has a precondition", "rule 3|I5", 4, lambda: mock.patch.object(Remote, "put", _put_blindly)
    ),
    Mutation(
        "trash has a precondition", "rule 3", 44, lambda: mock.patch.object(Remote, "trash", _trash_blindly)
    ),
    Mutation(
        "look before repeating",
        "false failure",
        11,
        lambda: mock.patch.object(Upload, "_already_there", _never_there),
    ),
    Mutation(
        "the source is watched while it is read",
        "I3",
        65,
        lambda: _both(
            mock.patch.object(listed, "chunks", _any_generation),
            mock.patch.object(Content, "chunks", _no_size),
        ),
    ),
    Mutation("the guard speaks", "guard", 5, lambda: mock.patch.object(Guard, "run", _nod)),
    Mutation("one refusal holds all back", "guard", 5, _ajar),
    Mutation("the exit code tells", "I7", 2, lambda: mock.patch.object(draining, "_code", _always_well)),
    Mutation(
        "what a dead process had taken is done again",
        "false failure",
        129,
        lambda: mock.patch.object(Queue, "reopen", _forget_what_was_taken),
    ),
    Mutation(
        "ends are written down",
        "false failure|I7",
        0,
        lambda: mock.patch.object(Queue, "_finish", _unwritten),
    ),
    Mutation(
        "a folder is trashed after what it holds",
        "false failure|I1|I7",
        1,
        _without(Trash, *(edge for edge in Trash.after if edge.how == "children")),
    ),
    Mutation(
        "a file waits for its folder",
        "false failure",
        3,
        _without(Upload, *(edge for edge in Upload.after if edge.how == "parent")),
    ),
    Mutation(
        "limits are judged", "guard", 5, lambda: mock.patch.object(guard, "checks_of", lambda *_: iter(()))
    ),
    Mutation(
        "an undo takes away what was made", "undo", 26, lambda: mock.patch.object(Discard, "run", _nod_to_one)
    ),
    Mutation("a verification reads", "verify", 4, lambda: mock.patch.object(Prove, "run", _nod_to_one)),
)
