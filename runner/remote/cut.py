"""Content in parts of one size, for services that take it so."""

from collections.abc import AsyncGenerator

from runner.model.content import Content
from runner.remote.close import closing


async def cut(content: Content, size: int) -> AsyncGenerator[bytes, None]:
    """The content in parts of this many bytes, the last one smaller. Raises what `content.chunks()` raises."""
    held, number = list[bytes](), 0
    async with closing(content.chunks()) as chunks:
        async for chunk in chunks:
            rest = memoryview(chunk)
            while number + len(rest) >= size:
                part = b"".join([*held, rest[: size - number]])
                rest, held, number = rest[size - number :], [], 0
                yield part
                del part  # it is held in memory once
            if rest:
                held.append(bytes(rest) if len(rest) < len(chunk) else chunk)
                number += len(rest)
    if held:
        yield b"".join(held)
