"""Content in parts of one size, for services that take it so."""

from collections.abc import AsyncGenerator

from runner.model.content import Content
from runner.remote.close import closing


async def cut(content: Content, size: int) -> AsyncGenerator[bytes, None]:
    """The content in parts of this many bytes, the last one smaller. Raises what `content.chunks()` raises."""
    held = bytearray()
    async with closing(content.chunks()) as chunks:
        async for chunk in chunks:
            held += chunk
            while len(held) >= size:
                yield bytes(held[:size])
                del held[:size]
    if held:
        yield bytes(held)
