"""The client against a server that others wrote from the same reference, in a process of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from runner.model.content import Content
from runner.model.errors import (
    Exists,
    Stale,
)
from tests.rooms.acd.conftest import Drive, names, of, text


def test_a_thousand_small_files_are_a_thousand_requests(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> tuple[list[str], int, int]:
        left = iter(range(1000))

        async def worker() -> None:
            for number in left:
                await drive.backend.put(f"{number:04}", of(b"x" * number), expect=None)

        await asyncio.gather(*[worker() for _ in range(16)])
        uploads = len(drive.traces)
        drive.traces.clear()
        return await names(drive.backend), uploads, len(drive.traces)

    assert do(work) == ([f"{number:04}" for number in range(1000)], 1000, 5)


def test_every_verb_has_its_number_of_requests(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> dict[str, int]:
        counts: dict[str, int] = {}

        async def counted(verb: str, work: Awaitable[Any]) -> Any:
            drive.traces.clear()
            result = await work
            counts[verb] = len(drive.traces)
            return result

        backend = drive.backend
        await counted("mkdir", backend.mkdir("a"))
        await counted("mkdir again", backend.mkdir("a"))
        first = await counted("put new", backend.put("a/x", of(b"one"), expect=None))
        second = await counted("put over", backend.put("a/x", of(b"two"), expect=first.generation))
        await counted("stat", backend.stat("a/x"))
        await counted("read", text(backend, "a/x"))
        await counted("rename", backend.move("a/x", "a/y"))
        await counted("list", names(backend, "a"))
        moved = await counted("move", backend.move("a/y", "z"))
        await counted("trash", backend.trash("z", expect=moved.generation))
        await counted("list empty", names(backend, "a"))
        await counted("quota", backend.quota())
        assert second.generation != first.generation
        return counts

    assert do(work) == {
        "mkdir": 1,
        "mkdir again": 2,
        "put new": 1,
        "put over": 4,
        "stat": 1,
        "read": 2,
        "rename": 2,
        "list": 1,
        "move": 3,
        "trash": 2,
        "list empty": 2,
        "quota": 1,
    }


def test_what_was_replaced_lies_in_the_trash_and_the_name_shows_the_new(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> None:
        first = await drive.backend.put("x", of(b"one"), expect=None)
        second = await drive.backend.put("x", of(b"two"), expect=first.generation)

        assert await text(drive.backend, "x") == b"two"
        assert await names(drive.backend) == ["x"]
        old = await drive.connection.wire.node(first.id)
        assert (old.status, old.name, old.md5) == (
            "TRASH",
            "x",
            first.checksum.digest if first.checksum else "",
        )
        with pytest.raises(Stale):
            await drive.backend.put("x", of(b"three"), expect=first.generation)
        assert (await drive.backend.stat("x")).generation == second.generation

    do(work)


def test_names_of_every_sort_come_back_as_they_were(do: Callable[..., Any]) -> None:
    odd = [
        *("a b", "+a&b|c!d(e)f{g}h[i]j^k'l\"m~n*o?p:q\\r%s", "-x", ".x", " x ", "é", "日本", "😀", "a\tb"),
        *("x\u202ey", "%2F", "AND", "a OR b", "x" * 280, "𝒳" * 140, "a\\", '"', "*"),
    ]

    async def work(drive: Drive) -> list[str]:
        for name in odd:
            node = await drive.backend.put(name, of(name.encode()), expect=None)
            drive.backend._tree.forget(name)
            drive.backend._tree._files.clear()
            assert (await drive.backend.stat(name)).id == node.id
        return await names(drive.backend)

    assert do(work) == sorted(odd)


def test_a_twin_in_another_case_is_refused_and_a_case_rename_is_not(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> list[str]:
        await drive.backend.put("Notes", of(b"1"), expect=None)
        with pytest.raises(Exists):
            await drive.backend.put("notes", of(b"2"), expect=None)
        with pytest.raises(Exists):
            await drive.backend.mkdir("NOTES")
        await drive.backend.move("Notes", "nOTES")
        return await names(drive.backend)

    assert do(work) == ["nOTES"]


def test_crossed_names_move_without_meeting(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> tuple[list[str], list[str], bytes]:
        for folder in "ab":
            await drive.backend.mkdir(folder)
            for name in ("x", "y") if folder == "a" else ("x",):
                await drive.backend.put(f"{folder}/{name}", of(f"{folder}{name}".encode()), expect=None)
        await drive.backend.move("a/x", "b/y")
        return (
            await names(drive.backend, "a"),
            await names(drive.backend, "b"),
            await text(drive.backend, "b/y"),
        )

    assert do(work) == (["y"], ["x", "y"], b"ax")


def test_large_content_goes_up_and_down_in_pieces(do: Callable[..., Any]) -> None:
    size = 20 * (1 << 20) + 7

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 1 << 20):
            yield bytes([start >> 20]) * min(1 << 20, size - start)

    async def work(drive: Drive) -> tuple[int, int]:
        node = await drive.backend.put("big", Content(size, pieces), expect=None)
        total = 0
        async for chunk in drive.backend.read("big", expect=node.generation):
            total += len(chunk)
        return node.size, total

    assert do(work) == (size, size)


def test_a_signed_link_of_the_server_is_read_without_a_token(
    do: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.backends.acd.content.LINK_FROM", 3)

    async def work(drive: Drive) -> bytes:
        await drive.backend.put("x", of(b"hello"), expect=None)
        return await text(drive.backend, "x")

    assert do(work) == b"hello"
