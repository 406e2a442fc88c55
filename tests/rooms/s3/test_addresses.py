"""Buckets in the host's name, as Amazon has them, on a server that is told what host was meant."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runner.backends.contract.rule import children, read, write
from runner.backends.s3.backend import S3
from runner.backends.s3.config import S3Config
from runner.backends.s3.connect import connect
from runner.model.backend import Setting
from runner.remote.fast_engine import FastEngine
from runner.remote.http import Origin, Sending, origin
from runner.remote.link import Link, LinkAnswer
from runner.remote.remote import Remote
from tests.lab import s3
from tests.lab.servers import Served, served


class Diverted(FastEngine):
    """Connects to the server whatever host is meant. hosts: that were meant."""

    def __init__(self, server: Served) -> None:
        super().__init__()
        self.hosts: list[str] = []
        self._server = server

    async def send(self, sending: Sending) -> LinkAnswer:
        """See `http.Engine`."""
        self.hosts.append(urlsplit(sending.url).netloc)
        return await super().send(sending)

    async def _connect(self, where: Origin, connect_s: float) -> Link:
        return await super()._connect(origin(self._server.url), connect_s)


def use(tmp_path: Path, act: Callable[[Remote], Awaitable[None]], bucket: str, **fields: object) -> list[str]:
    """Do that with a bucket at Amazon; the hosts that were asked, each once."""
    server = served("moto")
    engine = Diverted(server)

    async def whole() -> None:
        told = s3.fields(server, bucket) | {"endpoint": "", "region": "eu-west-1", **fields}
        config, setting = S3Config.model_validate(told), Setting("store", tmp_path, tmp_path, "a-run")
        with s3.keys(server):
            connection = await connect(config, setting, 8, engine=engine)
        remote = Remote("store", S3(connection, config, setting.run))
        try:
            await act(remote)
        finally:
            await remote.close()

    asyncio.run(whole())
    return sorted(set(engine.hosts))


async def a_life(remote: Remote) -> None:
    """Make the bucket, store, list, read, copy, trash, bring back."""
    await remote.mkdir("")
    node = await write(remote, "a b/+é", b"content")
    assert set(await children(remote, "a b")) == {"+é"}
    assert await read(remote, "a b/+é", expect=node.generation) == b"content"
    assert await remote.restore(await remote.trash("a b/+é", expect=node.generation), "back") == "back"
    assert await read(remote, "back") == b"content"


def test_at_amazon_the_bucket_is_in_the_name_of_the_host(tmp_path: Path) -> None:
    bucket = s3.new_bucket()

    hosts = use(tmp_path, a_life, bucket)

    assert hosts == [f"{bucket}.s3.eu-west-1.amazonaws.com"]


@pytest.mark.parametrize(("end", "address"), [(".with.dots", "auto"), ("", "path")])
def test_a_bucket_with_dots_or_as_configured_is_in_the_path(tmp_path: Path, end: str, address: str) -> None:
    """No certificate covers a host's name with more dots."""
    hosts = use(tmp_path, a_life, s3.new_bucket()[:30] + end, address=address)

    assert hosts == ["s3.eu-west-1.amazonaws.com"]
