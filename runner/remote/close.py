"""Iterators that are left early let go of what they hold at once, not when memory is collected."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")


class closing(AbstractAsyncContextManager[AsyncIterator[T]]):
    """Close an iterator on the way out, if it is one that can be closed."""

    def __init__(self, iterator: AsyncIterator[T]) -> None:
        self._iterator = iterator

    async def __aenter__(self) -> AsyncIterator[T]:
        return self._iterator

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        aclose = getattr(self._iterator, "aclose", None)
        if aclose is not None:
            await aclose()
