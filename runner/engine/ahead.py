"""Stages that begin before what they wait for has ended, and are called back when that ends badly."""

from collections.abc import Collection, Iterator, Mapping

from runner.engine.acceptance import Door
from runner.engine.early import Early
from runner.model.stage import Binding, Stage
from runner.model.task import Context
from runner.state.queue import Queue, Standing

_OPEN = ("waiting", "open")


class Ahead:
    """What of a run has begun early.

    The door of a wave stands ajar while each of its pairs is either ready to begin or judged already. Then the stages
    that only add are opened; the door, the guards and all that they wait for take their course, and judge the
    finished plan as ever. A stage that is ahead is over no sooner than all of that, and ends with it when it fails.
    """

    def __init__(
        self,
        stages: Mapping[int, Stage],
        bindings: Collection[Binding],
        contexts: Mapping[str, Context],
        queue: Queue,
        door: Door,
    ) -> None:
        self._stages, self._contexts, self._queue, self._door = stages, contexts, queue, door
        self._bindings = [binding for binding in bindings if binding.how in ("all", "ended")]
        self._early: dict[str, Early] = {}
        self._begun: set[int] = set()
        self.lost: dict[int, str] = {}

    def __contains__(self, stage: int) -> bool:
        return stage in self._begun

    def watch(self, early: Early) -> None:
        """A pair may come to begin early."""
        self._early[early.pair] = early

    def shut(self, pair: str) -> bool:
        """Is there no room for all that the pair has planned?"""
        return pair in self._early and self._early[pair].shut

    def open(self) -> None:
        """Begin what may begin by now."""
        if not any(early.ready and not early.begun for early in self._early.values()):
            return
        standings = self._queue.standings()
        for door in self._stages.values():
            if door.task == "accept" and standings[door.id].state in _OPEN and self._ajar(door, standings):
                for pair in self._pairs(door):
                    early = self._early.get(pair)
                    if early is not None and early.ready and not early.begun:
                        early.begun = True
                        self._begun.update(early.stages)
                        self._queue.begin_ahead(early.stages)

    def call_back(self, ended: int, why: str) -> Iterator[int]:
        """That stage did not end well: which of those that are ahead of it are not to go on."""
        for before, after, how in self._bindings:
            if before == ended and how == "all" and after in self._begun and after not in self.lost:
                self.lost[after] = why.removeprefix("held back: ")
                yield after

    def _pairs(self, door: Stage) -> set[str]:
        jobs = door.side.split("+")
        return {stage.pair for stage in self._stages.values() if stage.pair and stage.job in jobs}

    def _ajar(self, door: Stage, standings: Mapping[int, Standing]) -> bool:
        """Is the door waiting for nothing but guards of pairs that are ready, and for none that may be disturbed?"""
        reading = set[str]()
        for before, after, _ in self._bindings:
            if after == door.id and standings[before].state in _OPEN:
                stage = self._stages[before]
                early = self._early.get(stage.pair)
                if stage.task != "guard" or early is None or not early.ready:
                    return False
                reading.add(stage.pair)
        return self._apart(reading) and self._door.ajar(door)

    def _apart(self, reading: Collection[str]) -> bool:
        """Is nothing that is still being read where one of these pairs would write?"""
        scopes = [self._contexts[pair].scopes for pair in reading]
        return not any(theirs.overlaps(ours) for _, theirs in scopes for ours, _ in scopes)
