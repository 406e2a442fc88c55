"""What the rules are made of."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from runner.model import path as paths
from runner.model.content import CHUNK, Content
from runner.model.errors import AcdrunError, NotFound
from runner.model.node import Node
from runner.remote.close import closing
from runner.remote.remote import Remote

Rule = Callable[[Remote], Awaitable[None]]

RULES: list[Rule] = []
"""Every rule, in the order they stand in their files."""

TIME_NS = 1_500_000_000_123_456_789
"""A time in 2017 with every digit of a nanosecond in use."""


def rule(function: Rule) -> Rule:
    """Make a function one of the rules."""
    RULES.append(function)
    return function


@contextmanager
def refused(*kinds: type[AcdrunError]) -> Iterator[None]:
    """The block must end in one of these errors."""
    try:
        yield
    except kinds as error:
        assert str(error), f"{error.kind!r} says nothing"
        return
    raise AssertionError(f"not refused; expected {' or '.join(kind.__name__ for kind in kinds)}")


async def write(remote: Remote, path: str, data: bytes = b"data", *, mtime_ns: int | None = None) -> Node:
    """Create a file."""
    return await remote.put(path, Content.of(data, mtime_ns=mtime_ns))


async def stand(remote: Remote, folder: str) -> Node:
    """Have the folder there, and those above it: made, and where empty ones are not kept, with a file `kept` in it."""
    made = await remote.mkdirs(folder)
    if remote.can.folders:
        return made
    await write(remote, f"{folder}/kept")
    return await remote.stat(folder)


def held(remote: Remote, *folders: str) -> list[str]:
    """The paths of what `stand` has put into these folders."""
    return [] if remote.can.folders else [f"{folder}/kept" for folder in folders]


async def read(remote: Remote, path: str, *, expect: str | None = None) -> bytes:
    """The whole of a file, which must come in pieces that memory can bear."""
    pieces = []
    async with closing(remote.read(path, expect=expect)) as chunks:
        async for chunk in chunks:
            assert 0 < len(chunk) <= CHUNK, f"a piece of {len(chunk)} bytes"
            pieces.append(chunk)
    return b"".join(pieces)


@contextmanager
def bare(remote: Remote, folder: str = "") -> Iterator[None]:
    """Where no folders are kept, what a view begins at is not there while nothing is in it: then it lists nothing."""
    try:
        yield
    except NotFound:
        if remote.can.folders or folder or not remote.prefix:
            raise


async def children(remote: Remote, folder: str = "") -> dict[str, Node]:
    """What a listing shows, by name, each once; with times, where there are such that no listing carries."""
    found: dict[str, Node] = {}
    with bare(remote, folder):
        async for page in remote.list(folder):
            for node in page:
                assert node.name not in found, f"{node.name!r} is listed twice"
                found[node.name] = node
    files = [(paths.join(folder, name), node) for name, node in found.items() if node.kind == "file"]
    for node in await remote.timed(files):
        found[node.name] = node
    return found


async def tree(remote: Remote) -> dict[str, str]:
    """Every path below the remote and its kind, as a walk shows it; a gap is a failure."""
    found: dict[str, str] = {}
    with bare(remote):
        async for folder in remote.walk():
            assert not folder.gaps, [str(gap.error) for gap in folder.gaps]
            found.update({f"{folder.path}/{node.name}".lstrip("/"): node.kind for node in folder.nodes})
    return found


async def at_once(remote: Remote, calls: Sequence[Callable[[], Awaitable[object]]]) -> None:
    """Make all calls, as many at the same time as suit the service."""
    left = iter(calls)

    async def worker() -> None:
        for call in left:
            await call()

    await asyncio.gather(*(worker() for _ in range(remote.can.concurrency)))


def broken(size: int, pieces: Sequence[bytes], error: Exception | None = None) -> Content:
    """Content that declares a size, gives these pieces, and then fails if there is an error."""

    async def source() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
        if error is not None:
            raise error

    return Content(size, source)
