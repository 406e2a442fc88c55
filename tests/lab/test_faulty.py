"""The faults do what they say, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from runner.model.backend import Backend
from runner.model.content import Content
from runner.model.errors import Changed, Denied, NotFound, Unavailable, Unclear
from tests.lab import Fault, Faulty, lab

Act = Callable[[Faulty], Awaitable[None]]


def run(act: Act, *faults: Fault) -> Faulty:
    async def main() -> Faulty:
        async with lab("memory") as remote:
            faulty = Faulty(remote.backend, *faults)
            await act(faulty)
            return faulty

    return asyncio.run(main())


async def read(backend: Backend, path: str, expect: str | None = None) -> bytes:
    return b"".join([chunk async for chunk in backend.read(path, expect=expect)])


def test_without_faults_it_is_the_backend_itself() -> None:
    async def act(faulty: Faulty) -> None:
        node = await faulty.put("a", Content.of(b"data"), expect=None)
        assert await faulty.stat("a") == node
        assert await read(faulty, "a") == b"data"

    assert run(act).calls == [("put", "a"), ("stat", "a"), ("read", "a")]


def test_a_fault_before_has_no_effect_and_one_after_has() -> None:
    async def act(faulty: Faulty) -> None:
        with pytest.raises(Unavailable):
            await faulty.put("before", Content.of(b"data"), expect=None)
        with pytest.raises(Unclear):
            await faulty.put("after", Content.of(b"data"), expect=None)
        with pytest.raises(NotFound):
            await faulty.inner.stat("before")
        assert await read(faulty.inner, "after") == b"data"

    run(act, Fault("put", 1), Fault("put", 2, "after"))


def test_only_the_call_and_path_that_were_named_are_spoilt() -> None:
    async def act(faulty: Faulty) -> None:
        await faulty.mkdir("a")
        await faulty.mkdir("b")
        await faulty.mkdir("a")
        with pytest.raises(Denied):
            await faulty.mkdir("b")
        await faulty.mkdir("b")

    assert run(act, Fault("mkdir", 2, path="b", error=Denied("no"))).count("mkdir") == 5


def test_call_0_is_every_call() -> None:
    async def act(faulty: Faulty) -> None:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await faulty.quota()

    run(act, Fault("quota", 0))


def test_a_wrong_digest_is_in_the_answer_and_not_in_the_store() -> None:
    async def act(faulty: Faulty) -> None:
        content = Content.of(b"data")
        node = await faulty.put("a", content, expect=None)
        assert node.checksum != content.checksum
        assert (await faulty.inner.stat("a")).checksum == content.checksum

    run(act, Fault("put", how="wrong digest"))


def test_a_source_can_be_changed_in_the_middle_of_a_read() -> None:
    async def replace(inner: Backend, path: str) -> None:
        await inner.put(path, Content.of(b"new"), expect=(await inner.stat(path)).generation)

    async def act(faulty: Faulty) -> None:
        node = await faulty.put("a", Content.of(b"x" * 3_000_000), expect=None)
        with pytest.raises(Changed):
            await read(faulty, "a", node.generation)

    run(act, Fault("read", how="meddle", meddle=replace))


def test_a_put_that_fails_midway_leaves_nothing() -> None:
    async def act(faulty: Faulty) -> None:
        with pytest.raises(Unavailable):
            await faulty.put("a", Content.of(b"data"), expect=None)
        with pytest.raises(NotFound):
            await faulty.inner.stat("a")

    run(act, Fault("put", how="half"))
