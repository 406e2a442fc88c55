"""A request that has come whole."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class Whole:
    """What calls ask of a request, under the HTTP library's names, with all of its body."""

    method: str
    raw_path: str
    headers: Mapping[str, str]
    body: bytes
    transport: asyncio.Transport | None

    @property
    def content_length(self) -> int:
        """Return the length of the body in bytes."""
        return len(self.body)
