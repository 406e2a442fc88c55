"""The client against an emulator that fails on request, as the real service did."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.backends.acd.backend import Acd
from runner.backends.acd.config import AcdConfig
from runner.backends.acd.embedded import Embedded
from runner.model.backend import Setting
from runner.model.errors import (
    Damaged,
    LoginNeeded,
    NotFound,
    Throttled,
    Truncated,
    Unavailable,
)
from runner.model.policy import RetryPolicy
from runner.remote import retry
from runner.remote.retry import Retry
from runner.remote.tokens import TokenStore
from tests.rooms.acd.conftest import LISTINGS, POLICY, UPLOADS, Drive, names, of, text

BIG = bytes(range(256)) * 4096


@pytest.mark.torture
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_N4_an_upload_that_worked_but_was_answered_badly_is_adopted(
    do: Callable[..., Any], status: int
) -> None:
    async def work(drive: Drive) -> tuple[list[str], int]:
        await drive.backend.put("x", of(b"hello"), expect=None)
        return await names(drive.backend), drive.verbs().count("POST cdproxy/nodes")

    fault = {"match": UPLOADS, "do": "status", "status": status, "after_effect": True, "times": 1}
    assert do(work, fault) == (["x"], 1)


@pytest.mark.torture
def test_N4_an_upload_that_failed_outright_is_sent_again_by_the_next_attempt(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> list[str]:
        with pytest.raises(Unavailable):
            await drive.backend.put("x", of(b"hello"), expect=None)
        await drive.backend.put("x", of(b"hello"), expect=None)
        return await names(drive.backend)

    assert do(work, {"match": UPLOADS, "do": "status", "status": 500, "times": 1}, settle_s=0.1) == ["x"]


@pytest.mark.torture
def test_N13_what_the_index_does_not_show_yet_is_found_all_the_same(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> tuple[list[str], int]:
        node = await drive.backend.put("x", of(b"one"), expect=None)
        lagging = await names(drive.backend)
        assert (await drive.backend.stat("x")).id == node.id
        again = await drive.backend.put("x", of(b"two"), expect=node.generation)
        return lagging, (await drive.backend.stat("x")).size - again.size

    assert do(work, {"match": UPLOADS, "do": "late", "seconds": 5, "times": 1}) == ([], 0)


@pytest.mark.torture
def test_N9_a_wrong_digest_leaves_nothing_under_the_name(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> list[str]:
        with pytest.raises(Damaged):
            await drive.backend.put("x", of(b"hello"), expect=None)
        return await names(drive.backend)

    assert do(work, {"match": UPLOADS, "do": "wrong_md5", "times": 1}) == []


def test_a_cut_connection_is_tried_again_or_looked_after(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> tuple[list[str], int]:
        await drive.backend.put("x", of(b"hello"), expect=None)
        return await names(drive.backend), len(await text(drive.backend, "x"))

    cut = {"match": {"path": "/drive/v1/nodes"}, "do": "cut", "times": 2}
    assert do(work, cut) == (["x"], 5)


@pytest.mark.torture
@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.999999])
def test_N2_an_upload_that_is_cut_in_mid_body_shows_nothing_and_is_sent_again(
    do: Callable[..., Any], fraction: float
) -> None:
    async def work(drive: Drive) -> tuple[list[str], bytes]:
        try:
            await drive.backend.put("x", of(BIG), expect=None)
        except Unavailable:  # all of it was in the sockets' buffers: nobody knows, so it was looked for first
            assert await names(drive.backend) == []
            await drive.backend.put("x", of(BIG), expect=None)
        return await names(drive.backend), await text(drive.backend, "x")

    cut = {"match": UPLOADS, "do": "cut", "fraction": fraction, "times": 1}
    assert do(work, cut, settle_s=0.1) == (["x"], BIG)


@pytest.mark.torture
def test_N6_a_cut_download_is_truncated_never_short(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> None:
        await drive.backend.put("x", of(b"hello" * 100_000), expect=None)
        with pytest.raises((Truncated, Unavailable)):
            await text(drive.backend, "x")

    do(
        work,
        {"match": {"method": "GET", "path": "/cdproxy/nodes/*"}, "do": "cut", "fraction": 0.5, "times": 99},
    )


@pytest.mark.torture
def test_N5_a_storm_of_429_is_weathered_without_a_lost_file(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> tuple[int, bool]:
        await asyncio.gather(*[drive.backend.put(f"{n}", of(b"x"), expect=None) for n in range(60)])
        return len(await names(drive.backend)), len(drive.traces) < 60 + 40 + 5

    storm = {"match": UPLOADS, "do": "status", "status": 429, "message": "Rate exceeded", "times": 20}
    assert do(work, storm) == (60, True)


@pytest.mark.torture
def test_N12_a_listing_that_fails_in_the_middle_is_no_listing(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> None:
        await asyncio.gather(*[drive.backend.put(f"{n:03}", of(b""), expect=None) for n in range(250)])
        with pytest.raises(Unavailable):
            await names(drive.backend)

    page_two = {**LISTINGS, "query": "startToken"}
    do(work, {"match": page_two, "do": "status", "status": 500, "times": 99})


def test_an_expired_listing_begins_again(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> list[str]:
        await asyncio.gather(*[drive.backend.put(f"{n:03}", of(b""), expect=None) for n in range(250)])
        return await names(drive.backend)

    page_two = {**LISTINGS, "query": "startToken"}
    expired = {
        "match": page_two,
        "do": "status",
        "status": 400,
        "message": "Next token is expired",
        "times": 1,
    }
    assert do(work, expired) == [f"{n:03}" for n in range(250)]


@pytest.mark.torture
def test_A1_a_refused_token_is_renewed_once_for_all_workers(do: Callable[..., Any], tmp_path: Path) -> None:
    async def work(drive: Drive) -> tuple[int, int]:
        await asyncio.gather(*[drive.backend.put(f"{n}", of(b"x"), expect=None) for n in range(32)])
        return len(await names(drive.backend)), drive.verbs().count("POST auth/o2/token")

    expired = {"match": UPLOADS, "do": "status", "status": 401, "message": "Token has expired", "times": 8}
    assert do(work, expired) == (32, 1)
    assert json.loads((tmp_path / "tokens" / "cloud.json").read_text())["access_token"].startswith("Atza|")


def test_a_stale_token_in_the_file_is_renewed_before_the_first_call(
    do: Callable[..., Any], tmp_path: Path
) -> None:
    async def work(drive: Drive) -> None:
        store = TokenStore(tmp_path, "cloud")
        token = store.load()
        assert token is not None
        assert token.refresh is not None
        request = drive.connection.wire.wire
        await request._authoriser.renew(await request._authoriser.bearer())  # type: ignore[union-attr]
        fresh = store.load()
        assert fresh is not None
        assert fresh.access != token.access
        assert fresh.expiry is not None
        assert fresh.expiry > time.time() + 600
        await names(drive.backend)

    do(work)


def test_without_a_token_a_person_is_needed(emulator: Embedded, tmp_path: Path) -> None:
    async def work() -> None:
        config = AcdConfig(type="acd", server=emulator.url)
        backend = await Acd.open(config, Setting("cloud", tmp_path, tmp_path, "run"))
        try:
            await names(backend)
        finally:
            await backend.close()

    with pytest.raises(LoginNeeded) as caught:
        asyncio.run(work())
    assert caught.value.hint == "acdrun login cloud"


def test_an_endless_storm_ends_as_throttled(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> None:
        tight = RetryPolicy(backoff=POLICY.backoff, budget=timedelta(seconds=1))
        with retry.following(Retry(tight)), pytest.raises(Throttled):
            await drive.backend.stat("x")

    do(work, {"match": LISTINGS, "do": "status", "status": 429, "times": 99})


def test_a_trashed_folder_takes_its_content_out_of_sight(do: Callable[..., Any]) -> None:
    async def work(drive: Drive) -> list[str]:
        await drive.backend.mkdir("a")
        await drive.backend.put("a/x", of(b"1"), expect=None)
        await drive.backend.trash("a")
        with pytest.raises(NotFound):
            await drive.backend.stat("a/x")
        with pytest.raises(NotFound):
            await drive.backend.put("a/y", of(b"1"), expect=None)
        return await names(drive.backend)

    assert do(work) == []
