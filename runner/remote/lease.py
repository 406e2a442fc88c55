"""A lease: of all hosts that share a remote, one at a time writes to a folder of it.

A lease is a small file in `.acdrun-lock` below the remote's root. Its name ends in a number, and who holds it
puts the next number in its place every few minutes. A number can be made only once, so the same step takes a
lease, keeps it, and takes one over that nobody keeps any more: whoever makes the next number has it, and
whoever finds it made by another has lost it. Source: reliability.md §5.

It is for politeness and for saving work. What keeps data safe is the precondition of each write.
"""

import asyncio
import contextlib
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, astuple, dataclass
from typing import NamedTuple, Protocol

from runner.model.content import Content
from runner.model.errors import AcdrunError, Exists, Locked, NotFound, Stale
from runner.model.hidden import LEASES
from runner.model.node import Node
from runner.model.path import overlap
from runner.remote.remote import Remote

REFRESH_S = 5 * 60.0
"""How often the holder says that it is alive."""
AGAIN_S = 30.0
"""How soon it says so again when it could not."""
LAPSE_S = 22 * 60.0
"""A holder that could not say so for this long begins no write any more."""
STALE_S = 30 * 60.0
"""A lease that another host has seen unchanged for this long may be taken over."""
_POLL_S = 5.0
_MOST_BYTES = 4096
_NAME = re.compile(r"([0-9a-f]{32})\.(\d{8})", re.ASCII)


def ticking() -> float:
    """Seconds of a clock that nobody sets, and that goes on while the machine sleeps where there is such a one."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease.

    folder: what it writes to, below the remote's root. state: of its state directory, which tells apart
    hosts of one name. since: for people; no clock of another host is ever compared with ours.
    """

    folder: str
    run: str
    host: str
    state: str
    since: str


class Witness(Protocol):
    """Remembers what this host has seen of other hosts' leases."""

    id: str
    """Of this host's state directory."""

    def alive(self, run: str) -> bool:
        """Is this run of ours still going?"""

    def unchanged_s(self, lease: str, number: int) -> float:
        """For how long we have seen this number of that lease; 0.0 when it is new to us."""


class Sighting(NamedTuple):
    """A lease as it is now. holder: None when it cannot be read; that says nothing about who holds it."""

    key: str
    number: int
    node: Node
    holder: Holder | None

    def covers(self, folder: str) -> bool:
        """Could its holder write what is written to this folder? What cannot be read covers everything."""
        return self.holder is None or overlap(folder, self.holder.folder)

    def __str__(self) -> str:
        if self.holder is None:
            return f"the lease {self.node.name!r} cannot be read, so somebody may be writing there"
        folder, run, host, _, since = astuple(self.holder)
        return f"{folder or 'all of it'!r} is being written to by run {run} on {host}, since {since}"


async def leases(remote: Remote) -> list[Sighting]:
    """Every lease at the remote: the highest number of each. `remote` is seen from its root."""
    newest: dict[str, tuple[int, Node]] = {}
    with contextlib.suppress(NotFound):
        async for page in remote.list(LEASES):
            for node in page:
                if node.kind == "file" and (parts := _NAME.fullmatch(node.name)):
                    newest[parts[1]] = max(newest.get(parts[1], (0, node)), (int(parts[2]), node))
    return [
        Sighting(key, number, node, await _holder(remote, node)) for key, (number, node) in newest.items()
    ]


async def give_up(remote: Remote, lease: Sighting) -> None:
    """Take a lease away, whoever holds it."""
    with contextlib.suppress(NotFound):
        await remote.trash(_path(lease.key, lease.number), expect=lease.node.generation)


class Lease:
    """Our own lease on one folder of a remote, while we have it.

    remote: any view of it; the folder is the view's. clock, sleep: in seconds.
    """

    def __init__(
        self,
        remote: Remote,
        holder: Holder,
        witness: Witness,
        *,
        clock: Callable[[], float] = ticking,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._remote = remote.unwatched()
        self._holder, self._witness, self._clock, self._sleep = holder, witness, clock, sleep
        self._key = hashlib.sha256(holder.folder.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self._number, self._generation = 0, ""
        self._made: list[tuple[int, str]] = []
        self._fresh = 0.0
        self._lost = ""

    def check(self) -> None:
        """Raise Locked when we can no longer be sure that the lease is ours."""
        if not self._lost and self._clock() - self._fresh > LAPSE_S:
            self._lost = f"it could not be renewed for {LAPSE_S / 60:.0f} minutes"
        if self._lost:
            raise Locked(f"the lease on {self._holder.folder!r} was lost: {self._lost}", remote=self._remote.name,
                         hint="nothing more is written; run again")  # fmt: skip

    async def take(self, wait_s: float = 0.0, waiting: Callable[[str], None] = lambda holder: None) -> None:
        """Make the lease ours. Raises Locked, which names the holder, when that takes longer than `wait_s`."""
        ends, told = self._clock() + wait_s, ""
        while (holder := await self._attempt()) is not None:
            if self._clock() >= ends:
                raise Locked(
                    holder, remote=self._remote.name, hint=f"wait with --wait; a lease that nobody has renewed for"
                    f" {STALE_S / 60:.0f} minutes is taken over; acdrun unlock takes one away",
                )  # fmt: skip
            if holder != told:
                waiting(holder)
                told = holder
            await self._sleep(min(_POLL_S, max(0.0, ends - self._clock())))

    async def _attempt(self) -> str | None:
        """Who has it, in words; None when we do."""
        others = await self._others()
        if alive := [lease for lease in others if not self._abandoned(lease)]:
            return str(alive[0])
        self._number = max((lease.number for lease in others if lease.key == self._key), default=0)
        if not await self._next_number():
            return "another run is just taking it"
        for lease in others:
            with contextlib.suppress(Stale):  # it lives after all: the next look shows it
                await give_up(self._remote, lease)
        if (
            beaten := await self._others()
        ):  # who makes a lease looks afterwards: of two, at least one sees the other
            await self.release()
            return str(beaten[0])
        return None

    async def _others(self) -> list[Sighting]:
        found = await leases(self._remote)
        return [lease for lease in found if lease.covers(self._holder.folder) and not self._is_ours(lease)]

    def _is_ours(self, lease: Sighting) -> bool:
        return lease.key == self._key and lease.holder == self._holder

    def _abandoned(self, lease: Sighting) -> bool:
        """Nobody keeps it: its holder was a run of this host that has ended, or it stayed as it is for too long."""
        if lease.holder is not None and lease.holder.state == self._witness.id:
            return not self._witness.alive(lease.holder.run)
        return self._witness.unchanged_s(lease.key, lease.number) >= STALE_S

    async def keep(self) -> None:
        """Renew the lease until it is lost."""
        pause = REFRESH_S
        while not self._lost:
            await self._sleep(pause)
            try:
                pause = REFRESH_S if await self.renew() else AGAIN_S
            except Locked:
                return

    async def renew(self) -> bool:
        """Say that we are alive; False when the remote could not be told. Raises Locked when the lease is lost."""
        self.check()
        try:
            self._lost = await self._renewed()
        except AcdrunError:
            return False
        self.check()
        return True

    async def _renewed(self) -> str:
        """How the lease was lost; "" when it is ours for another while."""
        try:
            there = await self._remote.stat(_path(self._key, self._number))
        except NotFound:
            return "it was taken away"
        if there.generation != self._generation or not await self._next_number():
            return "another run has taken it over"
        await self._sweep()
        if beaten := await self._others():
            await self.release()
            return str(beaten[0])
        return ""

    async def _next_number(self) -> bool:
        """Make the file of the next number; False when somebody else has made it. Sets when we were last sure."""
        began, path = self._clock(), _path(self._key, self._number + 1)
        body = Content.of(json.dumps(asdict(self._holder)).encode("ascii"))
        try:
            await self._remote.mkdirs(LEASES)
            node = await self._remote.put(path, body, expect=None)
        except Exists:
            try:
                node = await self._remote.stat(path)
            except NotFound:
                return False  # who has made it has let go of it again
            if await _holder(self._remote, node) != self._holder:
                return False  # else an earlier try of ours, whose answer was lost
        if self._generation:
            self._made.append((self._number, self._generation))
        self._number, self._generation, self._fresh = self._number + 1, node.generation, began
        return True

    async def release(self) -> None:
        """Let go. What cannot be told to the remote lapses by itself."""
        self._made.append((self._number, self._generation))
        with contextlib.suppress(AcdrunError):
            await self._sweep()

    async def _sweep(self) -> None:
        """Remove the numbers we are done with."""
        while self._made:
            number, generation = self._made[0]
            with contextlib.suppress(NotFound, Stale):
                await self._remote.trash(_path(self._key, number), expect=generation)
            del self._made[0]


@contextlib.asynccontextmanager
async def held(
    lease: Lease, remote: Remote, wait_s: float, waiting: Callable[[str], None]
) -> AsyncIterator[None]:
    """Take the lease, renew it while the body runs, let go of it; meanwhile it is asked before each write."""
    await lease.take(wait_s, waiting)
    remote.watches.append(lease.check)
    keeping = asyncio.create_task(lease.keep())
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        remote.watches.remove(lease.check)
        await lease.release()


async def _holder(remote: Remote, node: Node) -> Holder | None:
    if node.size > _MOST_BYTES:
        return None
    try:
        chunks = [chunk async for chunk in remote.read(f"{LEASES}/{node.name}")]
        said = json.loads(b"".join(chunks))
        return Holder(*(str(said[field]) for field in ("folder", "run", "host", "state", "since")))
    except (NotFound, ValueError, KeyError, TypeError):
        return None


def _path(key: str, number: int) -> str:
    return f"{LEASES}/{key}.{number:08d}"
