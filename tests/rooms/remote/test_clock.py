"""What a service's answers say about the time."""

import asyncio

import httpx
import pytest

from runner.model.errors import BadAnswer
from runner.remote.clock import ServiceClock
from runner.remote.http import Request
from tests.rooms.remote.world import URL, wire

NOW = 1_800_000_000.0
DATES = {
    "Fri, 15 Jan 2027 08:00:00 GMT": 0.0,
    "Fri, 15 Jan 2027 09:00:00 +0000": 3600.0,
    "Sat, 16 Jan 2027 09:00:00 GMT": 90_000.0,
    "Thu, 01 Jan 1970 00:00:00 GMT": -NOW,
}
NO_DATES = [
    "",
    "yesterday",
    "Fri, 15 Jan 2027 08:00:00",
    "Fri, 32 Jan 2027 08:00:00 GMT",
    "Wed, 15 Jan 1969 08:00:00 GMT",
    "Fri, 15 Jan 9999 08:00:00 GMT",
    "Fri, 15 Jan 2027 08:00:00 GMT" + " " * 99,
]


def heard(*answers: tuple[float, str]) -> ServiceClock:
    """After answers at these monotonic seconds, with these dates."""
    moments = iter([moment for moment, _ in answers])
    clock = ServiceClock(lambda: next(moments), lambda: NOW)
    for _, date in answers:
        clock.hear({"date": date} if date else {})
    return clock


@pytest.mark.parametrize("date", DATES)
def test_an_answer_tells_how_far_ahead_the_service_is(date: str) -> None:
    assert heard((0.0, date)).offset_s == DATES[date]


@pytest.mark.parametrize("date", NO_DATES)
def test_what_is_no_date_tells_nothing(date: str) -> None:
    assert heard((0.0, date)).offset_s is None


@pytest.mark.parametrize(("later", "offset_s"), [(59.9, 0.0), (60.0, 3600.0)])
def test_one_answer_a_minute_is_listened_to(later: float, offset_s: float) -> None:
    first, second, *_ = DATES

    assert heard((10.0, first), (10.0 + later, second)).offset_s == offset_s


def test_a_date_is_waited_for_no_minute() -> None:
    assert heard((0.0, ""), (0.1, next(iter(DATES)))).offset_s == 0.0


def test_the_wire_hears_of_answers_of_success_alone() -> None:
    """What stands between us and a service, such as a portal that wants a login, has a clock of its own."""
    statuses = iter((302, 200))

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            next(statuses), headers={"Date": "Sat, 01 Jan 2000 00:00:00 GMT"}, content=b"{}"
        )

    line = wire(answer)
    before = line.service_clock.offset_s
    with pytest.raises(BadAnswer):
        asyncio.run(line.call(Request("GET", URL)))
    refused = line.service_clock.offset_s
    asyncio.run(line.call(Request("GET", URL)))

    assert before is refused is None
    assert line.service_clock.offset_s is not None
    assert line.service_clock.offset_s < -86_400 * 365
