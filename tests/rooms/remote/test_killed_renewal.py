"""A service that replaces refresh tokens, and a process that dies with the new one in its hand.

Source: reliability.md §9, A3.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from runner.model.errors import LoginNeeded
from runner.model.secret import Secret
from runner.remote import oauth
from runner.remote.httpx_engine import HttpxEngine
from runner.remote.oauth import OAuth
from runner.remote.throttle import Throttle
from runner.remote.tokens import Token, TokenStore
from runner.remote.wire import Wire
from tests.rooms.remote.killed_renewal import POINTS
from tests.rooms.remote.scripts import Script, playing

KEPT = POINTS[POINTS.index("renamed") :]


class Rotating:
    """A token endpoint at which each refresh token is good for one exchange. given: how many there were."""

    def __init__(self) -> None:
        self.given = 0

    def answering(self, heads: list[bytes]) -> Script:
        """A script for its connections; heads: of the requests, as `playing` collects them."""

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            (length,) = [
                line for line in heads[-1].lower().split(b"\r\n") if line.startswith(b"content-length:")
            ]
            fields = parse_qs((await reader.readexactly(int(length.split(b":")[1]))).decode())
            if fields["refresh_token"] == [f"Atzr|canary{self.given}"]:
                self.given += 1
                told = {
                    "access_token": f"Atza|canary{self.given}",
                    "refresh_token": f"Atzr|canary{self.given}",
                }
                status, body = b"200 OK", json.dumps(told | {"expires_in": 3600}).encode()
            else:
                status, body = b"400 Bad Request", b'{"error": "invalid_grant"}'
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
            await writer.drain()

        return script


async def renewed(state: Path, url: str) -> str:
    """What the next process gets."""
    engine = HttpxEngine()
    try:
        wire = Wire(engine, Throttle(concurrency=1), oauth.classify, remote="cloud")
        return await OAuth(wire, url, store=TokenStore(state, "cloud")).bearer()
    finally:
        await engine.close()


@pytest.mark.torture
@pytest.mark.parametrize("point", POINTS)
def test_A3_a_kill_between_a_new_token_and_its_file_leaves_the_old_one_or_the_new_one_whole(
    tmp_path: Path, point: str
) -> None:
    store, endpoint = TokenStore(tmp_path, "cloud"), Rotating()
    store.save(Token(Secret("Atza|old"), Secret("Atzr|canary0"), "bearer", 1.0))

    async def whole() -> tuple[int | None, bytes, Token | None, str | LoginNeeded]:
        heads: list[bytes] = []
        async with playing(endpoint.answering(heads)) as stage:
            stage.requests = heads
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.rooms.remote.killed_renewal", str(tmp_path), stage.url, point,
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            said, _ = await process.communicate()
            left = store.load()
            for path in store.path.parent.glob(".*.partial"):
                os.utime(path, (1, 1))
            try:
                return process.returncode, said, left, await renewed(tmp_path, stage.url)
            except LoginNeeded as error:
                return process.returncode, said, left, error

    code, said, left, after = asyncio.run(whole())

    assert code == (0 if point == "never" else -9)
    assert said == (b"Bearer Atza|canary1\n" if point == "never" else b"")
    assert left is not None
    assert left.refresh == Secret("Atzr|canary1" if point in KEPT else "Atzr|canary0")
    if point in KEPT:
        assert after == "Bearer Atza|canary1"
        assert endpoint.given == 1
    else:
        assert isinstance(after, LoginNeeded)
        assert after.hint == "acdrun login cloud"
    assert [path.name for path in store.path.parent.iterdir() if "partial" in path.name] == []
