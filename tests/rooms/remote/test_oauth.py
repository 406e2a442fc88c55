"""Tokens are renewed once for all who need them."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest

from runner.model.errors import BadAnswer, LoginNeeded, Unavailable
from runner.model.secret import Secret
from runner.remote import oauth
from runner.remote.http import Reply, Request
from runner.remote.httpx_engine import HttpxEngine
from runner.remote.oauth import OAuth
from runner.remote.throttle import Throttle
from runner.remote.tokens import Token, TokenStore
from runner.remote.wire import Wire
from tests.rooms.remote.scripts import playing

TOKEN_URL = "http://127.0.0.1:1/auth/o2/token"
NOW = 1_000_000.0


class Endpoint:
    """Issues canary tokens and counts them."""

    def __init__(self, **answer: object) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.answer = answer

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(parse_qs((await request.aread()).decode()))
        await asyncio.sleep(0.01)
        fresh = {"access_token": f"Atza|canary{len(self.asked)}", "token_type": "bearer", "expires_in": 3600}
        return httpx.Response(200, json={**fresh, **self.answer})


def authoriser(
    answer: Callable[[httpx.Request], object], store: TokenStore | None, seed: Token | None = None
) -> OAuth:
    engine = HttpxEngine(transport=lambda: httpx.MockTransport(answer))  # type: ignore[arg-type]
    wire = Wire(engine, Throttle(concurrency=1), oauth.classify, remote="cloud")
    return OAuth(
        wire,
        TOKEN_URL,
        store=store,
        seed=seed,
        client_id=Secret("canary-id"),
        client_secret=Secret("canary-secret"),
        now=lambda: NOW,
    )


def token(expires_in: float, refresh: str | None = "Atzr|canary") -> Token:
    return Token(Secret("Atza|old"), Secret(refresh) if refresh else None, "bearer", NOW + expires_in)


def test_a_token_that_lasts_is_used_as_it_is(tmp_path: Path) -> None:
    endpoint, store = Endpoint(), TokenStore(tmp_path, "cloud")
    store.save(token(600))

    assert asyncio.run(authoriser(endpoint, store).bearer()) == "Bearer Atza|old"
    assert endpoint.asked == []


def test_a_token_about_to_expire_is_renewed_once_however_many_ask(tmp_path: Path) -> None:
    endpoint, store = Endpoint(), TokenStore(tmp_path, "cloud")
    store.save(token(60))
    mine = authoriser(endpoint, store)

    async def many() -> list[str]:
        return await asyncio.gather(*[mine.bearer() for _ in range(50)])

    assert set(asyncio.run(many())) == {"Bearer Atza|canary1"}
    assert endpoint.asked == [
        {
            "grant_type": ["refresh_token"],
            "refresh_token": ["Atzr|canary"],
            "client_id": ["canary-id"],
            "client_secret": ["canary-secret"],
        }
    ]


def test_the_new_token_is_kept_and_the_old_refresh_token_where_none_came(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, "cloud")
    store.save(token(0))

    asyncio.run(authoriser(Endpoint(), store).bearer())

    kept = store.load()
    assert kept is not None
    assert kept.access.reveal() == "Atza|canary1"
    assert kept.refresh == Secret("Atzr|canary")
    assert kept.expiry == NOW + 3600


def test_a_replaced_refresh_token_replaces_the_old_one(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, "cloud")
    store.save(token(0))

    asyncio.run(authoriser(Endpoint(refresh_token="Atzr|next"), store).bearer())

    kept = store.load()
    assert kept is not None
    assert kept.refresh == Secret("Atzr|next")


@pytest.mark.torture
def test_A3_a_token_that_cannot_be_kept_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TokenStore(tmp_path, "cloud")
    store.save(token(0))
    mine = authoriser(Endpoint(), store)

    def full(_: Token) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "save", full)

    with pytest.raises(OSError, match="No space"):
        asyncio.run(mine.bearer())
    assert mine._token is not None
    assert mine._token.access.reveal() == "Atza|old"


def test_a_refused_token_is_renewed_unless_somebody_already_has(tmp_path: Path) -> None:
    endpoint, store = Endpoint(), TokenStore(tmp_path, "cloud")
    store.save(token(3000))
    mine = authoriser(endpoint, store)

    async def refused_to_many() -> str:
        bearer = await mine.bearer()
        await asyncio.gather(*[mine.renew(bearer) for _ in range(20)])
        return await mine.bearer()

    assert asyncio.run(refused_to_many()) == "Bearer Atza|canary1"
    assert len(endpoint.asked) == 1


def test_another_processs_fresher_token_is_taken_without_asking(tmp_path: Path) -> None:
    endpoint, store = Endpoint(), TokenStore(tmp_path, "cloud")
    store.save(token(3000))
    mine = authoriser(endpoint, store)

    async def renewed() -> str:
        bearer = await mine.bearer()
        store.save(Token(Secret("Atza|theirs"), Secret("Atzr|theirs"), "bearer", NOW + 3600))
        await mine.renew(bearer)
        return await mine.bearer()

    assert asyncio.run(renewed()) == "Bearer Atza|theirs"
    assert endpoint.asked == []


def test_a_seed_is_used_until_it_is_renewed_and_then_only_by_its_own_offspring(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, "cloud")
    first, second = token(0, "Atzr|seed-one"), token(900, "Atzr|seed-two")

    asyncio.run(authoriser(Endpoint(), store, first).bearer())

    again = Endpoint()
    assert asyncio.run(authoriser(again, store, first).bearer()) == "Bearer Atza|canary1"
    assert again.asked == []
    assert asyncio.run(authoriser(again, store, second).bearer()) == "Bearer Atza|old"


@pytest.mark.torture
def test_A2_a_dead_refresh_token_needs_a_person(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, "cloud")
    store.save(token(0))

    def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            400, json={"error": "invalid_grant", "error_description": "Atzr|canary is dead"}
        )

    with pytest.raises(LoginNeeded) as caught:
        asyncio.run(authoriser(refuse, store).bearer())

    assert caught.value.hint == "acdrun login cloud"
    assert "canary" not in str(caught.value)


def test_without_any_token_and_without_a_refresh_token_a_person_is_needed(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, "cloud")

    with pytest.raises(LoginNeeded):
        asyncio.run(authoriser(Endpoint(), store).bearer())
    store.save(token(0, refresh=None))
    with pytest.raises(LoginNeeded):
        asyncio.run(authoriser(Endpoint(), store).bearer())


@pytest.mark.parametrize(
    "body", [b"", b"<html>canary</html>", b'{"access_token":7}', b'{"access_token":"a\\r\\nX: canary"}']
)
def test_nonsense_from_the_token_endpoint_changes_nothing(tmp_path: Path, body: bytes) -> None:
    store = TokenStore(tmp_path, "cloud")
    store.save(token(0))

    with pytest.raises(BadAnswer) as caught:
        answer = httpx.Response(200, content=body, headers={"Content-Length": str(len(body))})
        asyncio.run(authoriser(lambda _: answer, store).bearer())

    assert "canary" not in str(caught.value)
    kept = store.load()
    assert kept is not None
    assert kept.access.reveal() == "Atza|old"


def test_a_lock_that_is_held_by_another_is_waited_for(tmp_path: Path) -> None:
    store, other = TokenStore(tmp_path, "cloud"), TokenStore(tmp_path, "cloud")
    store.save(token(0))
    order = []

    async def hold() -> None:
        async with other.locked():
            order.append("held")
            await asyncio.sleep(0.2)
            order.append("released")

    async def both() -> None:
        holding = asyncio.ensure_future(hold())
        await asyncio.sleep(0.05)
        await authoriser(Endpoint(), store).bearer()
        order.append("renewed")
        await holding

    asyncio.run(both())

    assert order == ["held", "released", "renewed"]


@pytest.mark.torture
def test_A4_two_processes_renew_once_and_both_have_the_token(tmp_path: Path) -> None:
    TokenStore(tmp_path, "cloud").save(Token(Secret("Atza|old"), Secret("Atzr|canary"), "bearer", 1.0))
    issued = []

    async def issue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        issued.append(1)
        await asyncio.sleep(0.3)  # long enough for the other process to want one too
        body = json.dumps({"access_token": f"Atza|new{len(issued)}", "expires_in": 3600}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    async def both() -> list[bytes]:
        async with playing(issue) as stage:
            command = (sys.executable, "-m", "tests.rooms.remote.refresher", str(tmp_path), stage.url)
            processes = [
                await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
                for _ in range(2)
            ]
            return [(await process.communicate())[0] for process in processes]

    outputs = asyncio.run(both())

    assert outputs == [b"['Bearer Atza|new1']\n"] * 2
    assert len(issued) == 1


def test_a_token_endpoint_that_is_down_is_unavailable(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, "cloud")
    store.save(token(0))
    request = Request("POST", TOKEN_URL)

    error = oauth.classify(request, Reply(503, {}, b"down"))

    assert isinstance(error, Unavailable)
