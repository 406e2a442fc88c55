from runner.cli.watch import Watch
from runner.model.events import Finished, Listed, Moved, Note, Problem, StageEnded, StageStarted
from runner.report.line import Line


class Clock:
    """A clock that goes on when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def watching(*, verbose: bool = False) -> tuple[Watch, Clock, list[str]]:
    """A watch, its clock, and what it has shown."""
    clock, shown = Clock(), []  # type: Clock, list[str]
    return Watch(lambda line: shown.append(line.text), verbose=verbose, clock=clock), clock, shown


def test_a_stage_shows_done_and_total_bytes_rate_and_time_left() -> None:
    watch, clock, _ = watching()
    watch.listener(StageStarted("photos", "upload", 100, 1000 << 20))
    for _ in range(10):
        clock.now += 1
        watch.listener(Moved(10 << 20))
        watch.listener(Finished("photos", "upload", 1, 10 << 20))

    lines = [line.text for line in watch.lines()]

    assert lines == [
        "photos  upload  10/100  100MiB of 1000MiB  10MiB/s  1m30s left",
        "10s so far, 100MiB sent",
    ]


def test_several_stages_have_one_time_left_in_all() -> None:
    watch, clock, _ = watching()
    for pair, total in (("one", 10), ("two", 40)):
        watch.listener(StageStarted(pair, "trash", total, 0))
    clock.now += 10
    for pair in ("one", "two"):
        watch.listener(Finished(pair, "trash", 5, 0))

    assert watch.lines()[-1].text == "10s so far, about 1m10s left for these"


def test_reading_shows_how_far_both_listings_are() -> None:
    watch, _, _ = watching()
    watch.listener(StageStarted("photos", "match", 0, 0))
    watch.listener(Listed("photos", "source", 12345, 10))
    watch.listener(Listed("photos", "destination", 12, 1))

    assert watch.lines()[0].text == "photos  reading  source 12,345 files, destination 12 files"


def test_a_stage_that_ended_is_no_longer_shown() -> None:
    watch, _, _ = watching()
    watch.listener(StageStarted("photos", "hash", 3, 30))
    watch.listener(StageEnded("photos", "hash", "done"))

    assert [line.text for line in watch.lines()] == ["0s so far"]


def test_a_problem_is_shown_once_and_the_last_one_stays_at_the_end() -> None:
    watch, _, shown = watching()
    problem = Problem("photos", "upload", "a.txt", "unreadable", "gone")
    for event in (problem._replace(again=True), problem, problem):
        watch.listener(event)

    assert shown == ["! photos: upload a.txt: unreadable: gone"]
    assert watch.lines()[-1] == Line("1 failed; last: photos: upload a.txt: unreadable: gone", "error")


def test_repeated_tries_are_shown_when_asked_for() -> None:
    watch, _, shown = watching(verbose=True)
    watch.listener(Problem("photos", "upload", "a.txt", "unavailable", "503", again=True))

    assert shown == ["! photos: upload a.txt: unavailable: 503 (trying again)"]
    assert watch.failed == 0


def test_a_stage_that_failed_is_told_once_with_its_reason_where_that_is_asked_for() -> None:
    shown: list[str] = []
    watch = Watch(lambda line: shown.append(line.text), stages=True)
    for title in ("list destination", "match"):
        watch.listener(StageEnded("photos", title, "failed", "cloud: no token"))
    watch.listener(StageEnded("photos", "upload", "failed", ""))

    assert shown == ["! photos: list destination: cloud: no token"]


def test_notes_are_shown_without_control_characters() -> None:
    watch, _, shown = watching()
    watch.listener(Note("waiting\x1b[0m"))

    assert shown == ["acdrun: waiting\\x1b[0m"]


def test_memory_does_not_grow_with_the_bytes_that_move() -> None:
    watch, clock, _ = watching()
    for _ in range(10_000):
        clock.now += 0.1
        watch.listener(Moved(1))

    assert watch.sent == 10_000
    assert len(watch._moved) < 200
