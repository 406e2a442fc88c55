"""Writing content that comes piece by piece."""

import asyncio

from runner.backends.local.draft import Draft
from runner.backends.local.threads import Threads
from runner.model.content import Content


async def fill(draft: Draft, content: Content, threads: Threads) -> None:
    """Write all of it. While a piece is written, and read back where a proof is wanted, the next one is fetched and
    digested. However it ends, nothing is being written any more then. Raises NoSpace, and what `chunks` raises.
    """
    going: asyncio.Task[None] | None = None
    try:
        async for chunk in content.chunks():
            if going is not None:
                await going
            going = asyncio.create_task(threads.run(_write, draft, chunk, content.proven))
        if going is not None:
            await going
    except BaseException:
        if going is not None:
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)
        raise


def _write(draft: Draft, chunk: bytes, back: bool) -> None:
    draft.write(chunk, back=back)
