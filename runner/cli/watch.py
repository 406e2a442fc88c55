"""Watching a run: what its events add up to. Live region and plain lines are drawn from it."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from runner.model.events import (
    Event,
    Finished,
    Grown,
    Listed,
    Listener,
    Moved,
    Note,
    Problem,
    StageEnded,
    StageStarted,
)
from runner.model.path import show
from runner.model.show import show_duration, show_rate, show_size
from runner.report.line import Line

_QUICK = ("guard", "accept")
"""Stages that are over before anybody could read of them."""

_WINDOW_S = 20.0


@dataclass(slots=True)
class Going:
    """A stage that is worked on: operations and bytes done, and in all."""

    total: int
    size: int
    since: float
    number: int = 0
    bytes: int = 0


class Watch:
    """Listens to a run.

    shown: gets each problem and note once, as a line. verbose: tells of tries that are repeated as well.
    stages: tells of whole stages that failed, too. clock: monotonic seconds.
    """

    def __init__(
        self,
        shown: Callable[[Line], None],
        *,
        verbose: bool = False,
        stages: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shown = shown
        self._verbose = verbose
        self._stages = stages
        self._clock = clock
        self._began = clock()
        self._going: dict[tuple[str, str], Going] = {}
        self._listed: dict[tuple[str, str], tuple[int, int]] = {}
        self._moved: deque[tuple[float, int]] = deque([(self._began, 0)])
        self._told: set[tuple[str, str, str]] = set()
        self.sent = 0
        self.failed = 0
        self.last = ""

    @property
    def listener(self) -> Listener:
        """What a use case is given to tell."""
        return self._hear

    def _hear(self, event: Event) -> None:
        match event:
            case Moved(size):
                self._went(size)
            case Finished(pair, task, number, size):
                if stage := self._going.get((pair, task)):
                    stage.number += number
                    stage.bytes += size
            case StageStarted() | Grown():
                self._has_to_do(event)
            case StageEnded(pair, title, state, why, hint):
                self._going.pop((pair, title.partition(" ")[0]), None)
                if state == "failed" and why and self._stages:
                    self._stage_failed(pair, title, why)
                    if hint:
                        self._shown(Line(f"  hint: {show(hint)}", "warn"))
            case Listed(pair, side, files, folders):
                self._listed[pair, side] = files, folders
            case Problem():
                self._trouble(event)
            case Note(message):
                self._shown(Line(f"acdrun: {show(message)}", "warn"))

    def _has_to_do(self, event: StageStarted | Grown) -> None:
        going = self._going.get((event.pair, event.task))
        if isinstance(event, StageStarted) and event.task not in _QUICK:
            self._going[event.pair, event.task] = Going(event.total, event.size, self._clock())
        elif isinstance(event, Grown) and going:
            going.total, going.size = event.total, event.size

    def _went(self, size: int) -> None:
        self.sent += size
        now = self._clock()
        if now - self._moved[-1][0] > 0.25:
            self._moved.append((now, self.sent))
            while now - self._moved[0][0] > _WINDOW_S:
                self._moved.popleft()

    def _stage_failed(self, pair: str, title: str, why: str) -> None:
        if (pair, "", why) not in self._told:  # matching fails with the listing it matches, for its reason
            self._told.add((pair, "", why))
            self._shown(Line(f"! {pair or 'job'}: {title}: {show(why)}", "error"))

    def _trouble(self, event: Problem) -> None:
        key = (event.pair, event.task, event.path)
        if event.again and not self._verbose:
            return
        if not event.again:
            if key in self._told:
                return
            self._told.add(key)
            self.failed += 1
        again = " (trying again)" if event.again else ""
        what = f"{event.task} {show(event.path)}".rstrip()
        self.last = f"{event.pair}: {what}: {event.kind}: {show(event.message)}"
        self._shown(Line(f"! {self.last}{again}", "dim" if event.again else "error"))

    def lines(self) -> list[Line]:
        """What goes on now: a line per stage, a line in all, failures last."""
        now = self._clock()
        rows = [Line(self._stage_text(*key, stage, now)) for key, stage in list(self._going.items())]
        rows.append(Line(self.total_text(now), "head"))
        if self.failed:
            rows.append(Line(f"{self.failed:,} failed; last: {self.last}", "error"))
        return rows

    def total_text(self, now: float) -> str:
        """The run in one line."""
        parts = [f"{show_duration(int(now - self._began))} so far"]
        if self.sent:
            parts.append(f"{show_size(self.sent)} sent")
        left = [
            left
            for (pair, _), stage in list(self._going.items())
            if (pair, "match") not in self._going and (left := self._left_s(stage, now)) is not None
        ]
        if len(left) > 1:
            parts.append(f"about {show_duration(round(max(left)))} left for these")
        return ", ".join(parts)

    def _stage_text(self, pair: str, task: str, stage: Going, now: float) -> str:
        name = f"{pair or 'job'}  {'reading' if task == 'match' else task}"
        if task == "match":
            sides = [
                (side, self._listed[pair, side][0])
                for side in ("source", "destination")
                if (pair, side) in self._listed
            ]
            return name + "  " + ", ".join(f"{side} {files:,} files" for side, files in sides)
        if not stage.total:
            return name
        text = f"{name}  {stage.number:,}/{stage.total:,}"
        if stage.size:
            done = max(
                stage.bytes, min(self.sent, stage.size) if task == "upload" and len(self._going) == 1 else 0
            )
            text += f"  {show_size(done)} of {show_size(stage.size)}"
        if task == "upload" and (rate := self._rate(now)):
            text += f"  {show_rate(rate)}"
        left_s = None if (pair, "match") in self._going else self._left_s(stage, now)  # more may come yet
        return text + (f"  {show_duration(round(left_s))} left" if left_s is not None else "")

    def _rate(self, now: float) -> float:
        then, sent = self._moved[0]
        return (self.sent - sent) / (now - then) if now - then > 1 else 0.0

    def _left_s(self, stage: Going, now: float) -> float | None:
        """Seconds to the end at the speed so far, by bytes where there are any, else by operations."""
        spent_s = now - stage.since
        done, whole = (stage.bytes, stage.size) if stage.size else (stage.number, stage.total)
        if spent_s < 2 or not done or done >= whole:
            return None
        return spent_s * (whole - done) / done
