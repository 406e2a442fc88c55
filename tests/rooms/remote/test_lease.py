"""Leases: of the hosts that share a remote, one at a time writes to a folder of it."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runner.model.content import Content
from runner.model.errors import AcdrunError, Exists, Locked, Unavailable
from runner.remote.lease import LAPSE_S, REFRESH_S, STALE_S, Holder, Lease, give_up, held, leases
from runner.remote.remote import Remote
from runner.state.witness import Witness
from tests.lab.faulty import Fault, Faulty
from tests.lab.remotes import KINDS, lab


@dataclass
class Host:
    """A machine with a clock of its own, which only its tests move."""

    state: Path
    remote: Remote
    name: str
    now: float = 1000.0
    alive: set[str] = field(default_factory=set)

    def lease(self, run: str, folder: str = "data") -> Lease:
        """A lease for a run of this machine."""
        witness = Witness(self.state, lambda: self.now, boot=f"boot of {self.name}")
        witness.alive = self.alive.__contains__  # type: ignore[method-assign, assignment]
        holder = Holder(folder, run, self.name, witness.id, "2026-01-01 00:00:00 UTC")
        return Lease(self.remote, holder, witness, clock=lambda: self.now, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now += max(seconds, 1.0)
        await asyncio.sleep(0)


Hosts = Callable[[str], Host]


@asynccontextmanager
async def two_hosts(kind: str, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Two machines and the remote they share."""
    async with lab(kind) as remote:
        one, two = (Host(tmp_path / name, Remote("cloud", remote.backend), name) for name in ("web1", "web2"))
        for host in (one, two):
            host.state.mkdir()
        yield one, two


@pytest.mark.torture
@pytest.mark.parametrize("kind", KINDS)
def test_L2_a_folder_that_another_host_writes_to_is_refused_and_free_again_afterwards(
    kind: str, tmp_path: Path
) -> None:
    async def story() -> None:
        async with two_hosts(kind, tmp_path) as (web1, web2):
            first = web1.lease("run-1")
            await first.take()
            for folder in ("data", "data/below", ""):
                with pytest.raises(Locked, match=r"'data' is being written to by run run-1 on web1"):
                    await web2.lease("run-2", folder).take()
            await web2.lease("run-3", "elsewhere").take()
            await first.release()
            await web2.lease("run-4").take()
            assert {lease.holder.run for lease in await leases(web1.remote) if lease.holder} == {
                "run-3",
                "run-4",
            }

    asyncio.run(story())


def test_who_waits_gets_the_lease_when_it_is_let_go(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_hosts("memory", tmp_path) as (web1, web2):
            first, told = web1.lease("run-1"), list[str]()
            await first.take()

            def hear(holder: str) -> None:
                told.append(holder)
                asyncio.get_running_loop().call_soon(
                    lambda: letting_go.append(asyncio.create_task(first.release()))
                )

            letting_go: list[asyncio.Task[None]] = []
            await web2.lease("run-2").take(600, hear)
            assert len(told) == 1

    asyncio.run(story())


@pytest.mark.torture
def test_L3_a_lease_that_nobody_renews_is_taken_over_after_half_an_hour_and_not_before(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with two_hosts("memory", tmp_path) as (web1, web2):
            await web1.lease("run-1").take()  # and is killed
            with pytest.raises(Locked):
                await web2.lease("run-2").take()
            web2.now += STALE_S - 1
            with pytest.raises(Locked):
                await web2.lease("run-3").take()
            web2.now += 2
            await web2.lease("run-4").take()
            (left,) = await leases(web2.remote)
            assert left.holder is not None
            assert left.holder.run == "run-4"

    asyncio.run(story())


@pytest.mark.torture
def test_L3_a_run_of_the_same_host_that_was_killed_is_taken_over_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_hosts("memory", tmp_path) as (web1, _):
            await web1.lease("run-1").take()
            web1.alive.add("run-1")  # another configuration of the same remote: the local lock does not meet
            with pytest.raises(Locked):
                await web1.lease("run-2").take()
            web1.alive.clear()
            await web1.lease("run-3").take()

    asyncio.run(story())


@pytest.mark.torture
@pytest.mark.parametrize("days", [-2, 2])
def test_L4_a_clock_that_is_days_off_takes_nothing_over_early(days: int, tmp_path: Path) -> None:
    """Each host goes by what it has seen itself; after a restart it starts to look anew."""

    async def story() -> None:
        async with two_hosts("memory", tmp_path) as (web1, web2):
            web2.now += days * 86400
            await web1.lease("run-1").take()
            with pytest.raises(Locked):
                await web2.lease("run-2").take()
            web2.name = "web2 after a restart"
            web2.now += STALE_S * 2
            with pytest.raises(Locked):
                await web2.lease("run-3").take()

    asyncio.run(story())


def test_a_lease_that_is_renewed_is_never_taken_over(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_hosts("memory", tmp_path) as (web1, web2):
            first = web1.lease("run-1")
            await first.take()
            for _ in range(20):
                with pytest.raises(Locked):
                    await web2.lease("run-2").take()
                for host in (web1, web2):
                    host.now += REFRESH_S
                assert await first.renew()

    asyncio.run(story())


@pytest.mark.torture
def test_L5_no_write_is_begun_when_the_lease_could_not_be_renewed_for_22_minutes(tmp_path: Path) -> None:
    async def story() -> None:
        async with lab("memory") as remote:
            faulty = Faulty(remote.backend)
            shared = Remote("cloud", faulty)
            (tmp_path / "web1").mkdir()
            host = Host(tmp_path / "web1", shared, "web1")
            lease = host.lease("run-1")
            await lease.take()
            shared.watches.append(lease.check)
            view = shared.at("")
            await view.mkdirs("data")
            faulty.spoil(Fault("put", 0, error=Unavailable("no network")))
            while host.now < 1000 + LAPSE_S:
                assert not await lease.renew()
                await view.mkdir("data/still")  # the lease is not lost yet, so writing goes on
                host.now += 30
            faulty.spoil()
            host.now += 31
            before = dict(faulty.inner.tree.children)  # type: ignore[attr-defined]
            for write in (
                view.put("data/a", Content.of(b"late")),
                view.mkdir("data/late"),
                view.trash("data/still"),
                view.move("data/still", "data/moved"),
            ):
                with pytest.raises(Locked, match="could not be renewed for 22 minutes"):
                    await write
            assert faulty.inner.tree.children == before  # type: ignore[attr-defined]
            assert [node.name async for page in view.list("data") for node in page] == ["still"]

    asyncio.run(story())


@pytest.mark.torture
def test_P15_a_host_that_slept_through_its_lease_writes_nothing_more(tmp_path: Path) -> None:
    """SIGSTOP for an hour: another host has taken over and is done, and the lease's place is empty again."""

    async def story() -> None:
        async with two_hosts("memory", tmp_path) as (web1, web2):
            slept = web1.lease("run-1")
            await slept.take()
            with pytest.raises(Locked):
                await web2.lease("run-2").take()
            web2.now += STALE_S + 1
            second = web2.lease("run-3")
            await second.take()
            await second.release()
            assert not await leases(web2.remote)
            web1.now += 3600
            with pytest.raises(Locked):
                slept.check()
            with pytest.raises(Locked):
                await slept.renew()
            assert not await leases(web2.remote)

    asyncio.run(story())


def test_a_lease_that_was_taken_away_is_lost_though_its_clock_says_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_hosts("memory", tmp_path) as (web1, web2):
            first = web1.lease("run-1")
            await first.take()
            (sighting,) = await leases(web2.remote)
            await give_up(web2.remote, sighting)
            second = web2.lease("run-2")
            await second.take()
            web1.now += REFRESH_S
            with pytest.raises(Locked):
                await first.renew()
            await second.renew()

    asyncio.run(story())


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind != "s3 rclone"]
)  # which lists what is half stored
def test_of_many_that_come_at_once_at_most_one_has_it(kind: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with two_hosts(kind, tmp_path) as (web1, web2):

            async def come(host: Host, number: int) -> bool:
                try:
                    await host.lease(f"run-{number}", ("data", "data/below")[number % 2]).take()
                except Locked:
                    return False
                return True

            web1.alive |= {f"run-{n}" for n in range(8)}
            web2.alive |= web1.alive
            won = await asyncio.gather(*(come((web1, web2)[n // 2 % 2], n) for n in range(8)))
            assert sum(won) <= 1
            assert len(await leases(web1.remote)) == sum(won)

    asyncio.run(story())


def test_who_was_beaten_by_one_that_has_let_go_again_comes_back_later(tmp_path: Path) -> None:
    async def story() -> None:
        async with lab("memory") as remote:
            faulty = Faulty(remote.backend, Fault("put", error=Exists("the name is taken")))
            (tmp_path / "web1").mkdir()
            lease = Host(tmp_path / "web1", Remote("cloud", faulty), "web1").lease("run-1")
            with pytest.raises(Locked, match="another run is just taking it"):
                await lease.take()
            await lease.take()

    asyncio.run(story())


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_lost_answer_to_a_renewal_neither_loses_the_lease_nor_leaves_two(how: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with lab("memory") as remote:
            faulty = Faulty(remote.backend)
            (tmp_path / "web1").mkdir()
            host = Host(tmp_path / "web1", Remote("cloud", faulty), "web1")
            lease = host.lease("run-1")
            await lease.take()
            for verb in ("put", "trash"):
                faulty.spoil(Fault(verb, 1, how))  # type: ignore[arg-type]
                assert not await lease.renew()
                faulty.spoil()
                assert await lease.renew()
            await lease.release()
            assert [node async for page in remote.list(".acdrun-lock") for node in page] == []

    asyncio.run(story())


def test_a_lease_that_cannot_be_read_keeps_everybody_out(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_hosts("memory", tmp_path) as (web1, _):
            await web1.remote.mkdirs(".acdrun-lock")
            await web1.remote.put(f".acdrun-lock/{'a' * 32}.00000001", Content.of(b"{"))
            with pytest.raises(Locked, match="cannot be read"):
                await web1.lease("run-1").take()

    asyncio.run(story())


def test_leases_are_in_no_listing_and_in_no_trash_list(tmp_path: Path) -> None:
    async def story() -> None:
        async with two_hosts("memory", tmp_path) as (web1, _):
            async with held(web1.lease("run-1"), web1.remote, 0.0, lambda holder: None):
                await web1.remote.mkdirs("data")
                assert [node.name async for page in web1.remote.list() for node in page] == ["data"]
            assert [entry async for page in web1.remote.trashed() for entry in page] == []
            assert web1.remote.watches == []

    asyncio.run(story())


@pytest.mark.torture
@pytest.mark.parametrize("kind", KINDS)
def test_L6_two_writers_that_no_lock_keeps_apart_lose_nothing(kind: str, tmp_path: Path) -> None:
    """Each replaces the generation it has seen: one of them wins, and what it replaced is in the trash."""

    async def story() -> None:
        async with lab(kind) as remote:
            seen = await remote.put("file", Content.of(b"first"))
            ended = await asyncio.gather(
                *(remote.put("file", Content.of(text), expect=seen.generation) for text in (b"one", b"two")),
                return_exceptions=True,
            )
            assert all(isinstance(end, AcdrunError) for end in ended if isinstance(end, BaseException))
            now = b"".join([chunk async for chunk in remote.read("file")])
            trashed = [entry async for page in remote.trashed() for entry in page]
            kept = set()
            for number, entry in enumerate(trashed):
                await remote.restore(entry.ref, f"back-{number}")
                kept.add(b"".join([chunk async for chunk in remote.read(f"back-{number}")]))
            for text, end in zip((b"one", b"two"), ended, strict=True):
                if not isinstance(end, BaseException):
                    kept.add(now)
                    assert text in kept, "what was called stored is live or in the trash"
            assert b"first" in kept
            with pytest.raises(Exists):
                await remote.put("file", Content.of(b"three"))

    asyncio.run(story())
