"""An engine that does as it should, but for the requests it was told to spoil."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Literal, NamedTuple, cast

from runner.remote.http import Answer, Engine, LateAnswer, LinkFailure, Posting, Sending

How = Literal["lost", "refused", "cut", "altered", "unsent"]


class Spoil(NamedTuple):
    """What goes wrong with which requests.

    method, word: those of this method whose address has this word in it; times: how many of them.
    how: "lost" sends it and loses its answer; "unsent" fails before; "refused" answers `status` and `body` without
        sending it; "cut" ends the answer's body in the middle; "altered" changes a byte of what is sent.
    """

    method: str
    word: str
    how: How
    times: int = 1
    status: int = 503
    body: bytes = b"<Error><Code>SlowDown</Code><Message>less</Message></Error>"
    headers: Mapping[str, str] = {}


class Spoilt:
    """Wraps an engine. sent: method and address of every request that went out."""

    def __init__(self, inner: Engine) -> None:
        self.inner = inner
        self.sent: list[tuple[str, str]] = []
        self._left: list[list[object]] = []

    def spoil(self, *spoils: Spoil) -> None:
        """Forget what was sent, and spoil these from now on."""
        self._left = [[one, one.times] for one in spoils]
        self.sent.clear()

    def count(self, method: str, word: str = "") -> int:
        """How many requests of this method, with this word in the address, went out."""
        return sum(one == method and word in url for one, url in self.sent)

    async def send(self, sending: Sending) -> Answer:
        """See `http.Engine`."""
        spoil = self._due(sending)
        if spoil is not None and spoil.how == "unsent":
            raise LinkFailure("no connection", "connect")
        if spoil is not None and spoil.how == "refused":
            return Told(spoil.status, spoil.headers, spoil.body)
        if spoil is not None and spoil.how == "altered" and sending.body:
            body = sending.body
            sending = sending._replace(body=_flipped(body) if isinstance(body, bytes) else _altered(body))
        self.sent.append((sending.method, sending.url))
        answer = await self.inner.send(sending)
        if spoil is not None and spoil.how == "lost":
            await answer.close()
            raise LinkFailure("connection broken", "exchange")
        return Cut(answer) if spoil is not None and spoil.how == "cut" else answer

    def post(
        self, sending: Sending, most: int, told: Callable[[LateAnswer], None]
    ) -> Callable[[], None] | None:
        """See `http.Posting`; of an inner engine that has it, and never with what is "cut"."""
        posting = cast(Posting, self.inner)
        spoil = self._due(sending)
        if spoil is not None and spoil.how == "unsent":
            raise LinkFailure("no connection", "connect")
        if spoil is not None and spoil.how == "refused":
            answer = Late(spoil.status, spoil.headers, spoil.body)
            asyncio.get_running_loop().call_soon(told, answer)
            return lambda: None
        if spoil is not None and spoil.how == "altered":
            assert isinstance(sending.body, bytes)
            sending = sending._replace(body=_flipped(sending.body))

        def lost(answer: LateAnswer) -> None:
            answer.taken()
            told(Late(0, {}, b"", whole=False))

        end = posting.post(sending, most, lost if spoil is not None and spoil.how == "lost" else told)
        if end is not None:
            self.sent.append((sending.method, sending.url))
        elif spoil is not None:
            self._left.append([spoil, 1])  # it is asked again once there is a connection
        return end

    async def connect(self, sending: Sending) -> None:
        """See `http.Posting`."""
        await cast(Posting, self.inner).connect(sending)

    async def close(self) -> None:
        """Close the inner one."""
        await self.inner.close()

    def _due(self, sending: Sending) -> Spoil | None:
        for entry in self._left:
            one, left = entry
            assert isinstance(one, Spoil)
            assert isinstance(left, int)
            if left and sending.method == one.method and one.word in sending.url:
                entry[1] = left - 1
                return one
        return None


def _flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


async def _altered(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    first = True
    async for piece in body:
        yield _flipped(piece) if first else piece
        first = False


class Told:
    """An answer that nobody sent."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {"content-length": str(len(body)), **headers}
        self._body = body

    async def piece(self) -> bytes:
        """The body, in one piece."""
        body, self._body = self._body, b""
        return body

    async def close(self) -> None:
        """There is nothing to let go of."""


class Late(Told):
    """An answer that nobody sent, or that was lost."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes, *, whole: bool = True) -> None:
        super().__init__(status, headers, body)
        self.whole = whole

    def taken(self) -> bytes:
        """The body."""
        return self._body


class Cut:
    """An answer whose body breaks off."""

    def __init__(self, inner: Answer) -> None:
        self.status = inner.status
        self.headers = inner.headers
        self._inner = inner
        self._broken = False

    async def piece(self) -> bytes:
        """Half of the first piece."""
        if self._broken:
            raise LinkFailure("connection broken", "body")
        self._broken = True
        piece = await self._inner.piece()
        return piece[: (len(piece) + 1) // 2]

    async def close(self) -> None:
        """See `http.Answer`."""
        await self._inner.close()
