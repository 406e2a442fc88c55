"""Many small requests at once, without a task for each."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Self

from runner.model.errors import AcdrunError, NotFound, Stale, Throttled
from runner.remote.exchange import headed, sent
from runner.remote.http import LateAnswer, LinkFailure, Posting, Reply, Request, Sending
from runner.remote.wire import Wire

_OF_ONE = (Stale, NotFound, Throttled)
"""What says nothing of the requests that follow, or is minded by the throttle. After anything else none does: keys may
have expired, or the service be gone.
"""


class Volley:
    """Sends requests over connections that are free, and hears of their answers by a call.

    The throttle holds for each. What does not go well is not tried again: who asks alone does that, and is told why.
    The block is left when all has been answered; when it is left by an error, what is under way is given up.

    posting: see `Wire.posting`. most: bytes of an answer. told: with the number of a request and its 2xx answer, or
    what else came of it; None where it was not sent.
    wanted: asked before each whether the run still goes on.
    """

    def __init__(
        self,
        wire: Wire,
        posting: Posting,
        most: int,
        told: Callable[[int, Reply | AcdrunError | None], None],
        wanted: Callable[[], bool] | None = None,
    ) -> None:
        self.wire, self._posting, self._most, self._told = wire, posting, most, told
        self._wanted = wanted
        self._ended = False
        self._away: set[_Flight] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._fault: Exception | None = None
        self._empty: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while kind is None and self._away:
                self._empty = asyncio.get_running_loop().create_future()
                await self._empty
        finally:
            for task in self._connecting:
                task.cancel()
            if self._connecting:
                await asyncio.wait(self._connecting)
            for flight in list(self._away):
                flight.give_up()
        if self._fault is not None and kind is None:
            raise self._fault

    async def send(self, some: Iterable[tuple[int, Request]]) -> bool:
        """Send these, each as soon as the throttle lets it; each is asked for just before. False when no more is to be
        sent, and some of these were not.
        """
        throttle = self.wire.throttle
        try:
            for number, request in some:
                ticket = await throttle.enter()
                if self._ended or (self._wanted is not None and not self._wanted()):
                    throttle.leave()
                    return False
                flight = _Flight(self, number, request, ticket)
                self._away.add(flight)
                self._send(flight)
        except Throttled:
            return False
        return not self._ended

    def _send(self, flight: "_Flight") -> None:
        request = flight.request
        assert isinstance(request.body, bytes)
        try:
            sending = sent(request, headed(request), request.body, len(request.body))
            sending_now = self._posting.post(sending, self._most, flight.answered)
        except (AcdrunError, LinkFailure):
            self._ended = True
            self.over(flight, None)
            return
        if sending_now is not None:
            flight.end = sending_now
            return
        task = asyncio.create_task(self._connect(flight, sending))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, flight: "_Flight", sending: Sending) -> None:
        try:
            while flight.end is None:
                await self._posting.connect(sending)
                flight.end = self._posting.post(sending, self._most, flight.answered)
        except LinkFailure:
            self._ended = True
            self.over(flight, None)

    def over(self, flight: "_Flight", outcome: Reply | AcdrunError | None) -> None:
        """No more will come of it; once is enough."""
        if flight not in self._away:
            return
        self._away.remove(flight)
        self.wire.throttle.leave()
        try:
            self._told(flight.number, outcome)
        except Exception as error:  # not the connection's, which called
            self._fault = self._fault or error
        if not self._away and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    def heard(self, flight: "_Flight", answer: LateAnswer) -> None:
        """An answer has come, or never will."""
        body = answer.taken()
        reply = Reply(answer.status, answer.headers, body) if answer.whole else None
        error = self.wire.heard(flight.request, reply, flight.ticket, flight.began)
        if error is not None and not isinstance(error, _OF_ONE):
            self._ended = True
        self.over(flight, reply if error is None else error)


class _Flight:
    """A request that is under way. end: gives it up, once it was sent. began: when that was, by the wire's clock."""

    __slots__ = ("_volley", "began", "end", "number", "request", "ticket")

    def __init__(self, volley: Volley, number: int, request: Request, ticket: int) -> None:
        self._volley, self.number, self.request, self.ticket = volley, number, request, ticket
        self.began = volley.wire.moment()
        self.end: Callable[[], None] | None = None

    def answered(self, answer: LateAnswer) -> None:
        """See `http.Posting.post`."""
        self._volley.heard(self, answer)

    def give_up(self) -> None:
        """Nobody waits for the answer any more."""
        if self.end is not None:
            self.end()
        self._volley.over(self, None)
