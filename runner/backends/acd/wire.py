"""The service as calls: where it is, what it is asked, what comes back as JSON."""

import asyncio
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from runner.backends.acd.answers import load
from runner.backends.acd.nodes import AcdNode, parse
from runner.backends.acd.servers import AMAZON, Endpoints, Server
from runner.model.errors import BadAnswer, Denied
from runner.remote.http import Request
from runner.remote.wire import Wire

_KEPT_S = 3 * 86400
"""Amazon asks clients to ask for the addresses every three to five days. Source: acd-api §1."""


class AcdWire:
    """The metadata calls, and the address for the content calls.

    cache: a file that keeps Amazon's addresses between runs; None to ask at every start.
    """

    def __init__(self, wire: Wire, server: Server, cache: Path | None = None) -> None:
        self.wire = wire
        self.server = server
        self._cache = cache if server is AMAZON else None
        self._endpoints: Endpoints | None = None
        self._lock: asyncio.Lock | None = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        repeatable: bool = True,
    ) -> dict[str, Any]:
        """Make a metadata call. path: below the metadata address; body: sent as JSON, nothing when None."""
        url = (await self.endpoints()).metadata + path
        if query:
            url += "?" + urlencode(query)
        data = b"" if body is None else json.dumps(body).encode("ascii")
        headers = (("Content-Type", "application/json"),) if data else ()
        request = Request(method, url, headers=headers, body=data, repeatable=repeatable)
        return load(await self.wire.call(request))

    async def node(self, node_id: str, *, temp_link: bool = False) -> AcdNode:
        """The node as it is now, whatever its status. Raises NotFound."""
        query = {"tempLink": "true"} if temp_link else None
        return parse(await self.ask("GET", f"nodes/{node_id}", query=query))

    async def change(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> AcdNode:
        """Make a call that answers with the changed node."""
        return parse(await self.ask(method, path, body=body))

    async def endpoints(self) -> Endpoints:
        """The two addresses, asked for once."""
        if self._endpoints is None:
            if self._lock is None:
                self._lock = asyncio.Lock()
            async with self._lock:
                if self._endpoints is None:
                    self._endpoints = self._kept() or await self._discover()
        return self._endpoints

    async def _discover(self) -> Endpoints:
        data = load(await self.wire.call(Request("GET", self.server.discovery)))
        if data.get("customerExists") is False:
            raise Denied("this account has no Amazon Drive yet", remote=self.wire.remote)
        endpoints = self._checked(data.get("metadataUrl"), data.get("contentUrl"))
        if self._cache is not None:
            self._keep(self._cache, endpoints)
        return endpoints

    def _checked(self, metadata: object, content: object) -> Endpoints:
        urls = []
        for url, default in zip((metadata, content), self.server.defaults, strict=True):
            if url is not None and not isinstance(url, str):
                raise BadAnswer("the service named an address that is no text")
            urls.append(self.server.check(url) if url else default)
        return Endpoints(*urls)

    def _kept(self) -> Endpoints | None:
        try:
            if self._cache is None or time.time() - os.stat(self._cache).st_mtime > _KEPT_S:
                return None
            data = json.loads(self._cache.read_bytes()[:65536])
            return self._checked(data["metadataUrl"], data["contentUrl"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError, BadAnswer):
            return None

    @staticmethod
    def _keep(cache: Path, endpoints: Endpoints) -> None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial = cache.with_name(f".{cache.name}.{os.getpid()}.partial")
        partial.write_text(
            json.dumps({"metadataUrl": endpoints.metadata, "contentUrl": endpoints.content}), encoding="utf-8"
        )
        os.replace(partial, cache)
