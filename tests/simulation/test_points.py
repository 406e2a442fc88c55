"""Death at the named points of the matrix: between an intent and its request, a request and its reply, a reply and
its commit, inside the trash phase.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from runner.model.backend import Backend
from runner.model.content import Content
from runner.model.node import Node
from runner.state.queue import Queue
from tests.lab.worlds import Files, World
from tests.laws.killing import Guillotine, Killed, Mortal
from tests.laws.trees import world
from tests.simulation.stage import unsynced

SOURCE: Files = {"a/x": "1", "a/y": "2", "b": "3", "new": "4"}
DESTINATION: Files = {"a/x": "0", "gone1": "7", "gone2": "8", "gone3": "9"}
NEVER = 10**9


class Doomed(Mortal):
    """Dies at the n-th call of a verb, before its effect or after it: then nobody hears the reply."""

    def __init__(self, inner: Backend, axe: Guillotine, verb: str, number: int, *, after: bool) -> None:
        super().__init__(inner, axe)
        self._axe, self._verb, self._left, self._after = axe, verb, number, after

    @classmethod
    async def open(cls, config: Any, setting: object) -> "Doomed":
        """It wraps what is open already."""
        raise TypeError("open the inner backend and wrap it")

    def _falls(self, verb: str, *, after: bool) -> None:
        if verb == self._verb and after is self._after:
            self._left -= 1
            self._axe.dead |= self._left == 0
        self._axe.check()

    async def put(self, path: str, content: Content, *, expect: str | None) -> Node:
        """See `Mortal`."""
        self._falls("put", after=False)
        node = await super().put(path, content, expect=expect)
        self._falls("put", after=True)
        return node

    async def trash(self, path: str, *, expect: str | None = None) -> str:
        """See `Mortal`."""
        self._falls("trash", after=False)
        ref = await super().trash(path, expect=expect)
        self._falls("trash", after=True)
        return ref


@pytest.fixture
def here() -> Iterator[World]:
    """Both sides filled."""
    with unsynced(), world() as here:
        here.write("src", SOURCE)
        here.write("dst", DESTINATION, mtime_ns=10**18 + 10**10)
        yield here


def dies(here: World, act: Any, verb: str = "", number: int = NEVER, *, after: bool = False) -> None:
    """Act, and die there."""
    axe = Guillotine(NEVER, after=False)
    here.wrap = lambda name, inner: Doomed(inner, axe, verb if name == "dst" else "", number, after=after)
    with axe.up(), pytest.raises(Killed):
        act()
    here.wrap = lambda name, inner: inner


def sent(here: World) -> int:
    """Contents that the destination has ever stored, less those it began with."""
    return len(here.tree("dst").contents) - len(DESTINATION)


def check_end(here: World, *, uploads: int = 4) -> None:
    """As if it had never been killed."""
    assert here.files("dst") == here.files("src")
    assert sent(here) == uploads
    assert {path: len(some) for path, some in here.trash("dst").items()} == dict.fromkeys(DESTINATION, 1)


@pytest.mark.torture
@pytest.mark.parametrize("again", ["run", "apply"])
def test_P2_killed_between_the_plan_and_its_first_effect_does_everything_once(
    here: World, again: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = here.plan(here.pair(), out=here.folder / "saved.plan").path

    def die(self: Queue, *args: object, **more: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Queue, "take", die)
        dies(here, partial(here.apply, plan) if again == "apply" else here.run)
    assert sent(here) == 0

    assert (here.apply(plan) if again == "apply" else here.run()).code == 0
    check_end(here)


@pytest.mark.torture
@pytest.mark.parametrize("again", ["run", "apply"])
@pytest.mark.parametrize("number", [1, 3])
def test_P3_killed_between_an_intent_and_its_request_sends_it_once(
    here: World, again: str, number: int
) -> None:
    plan = here.plan(here.pair(), out=here.folder / "saved.plan").path
    dies(here, partial(here.apply, plan) if again == "apply" else here.run, "put", number)

    assert (here.apply(plan) if again == "apply" else here.run()).code == 0
    check_end(here)


@pytest.mark.torture
@pytest.mark.parametrize("again", ["run", "apply"])
@pytest.mark.parametrize("number", [1, 2, 4])
def test_P5_killed_between_the_last_byte_and_the_reply_sends_nothing_again(
    here: World, again: str, number: int
) -> None:
    plan = here.plan(here.pair(), out=here.folder / "saved.plan").path
    dies(here, partial(here.apply, plan) if again == "apply" else here.run, "put", number, after=True)

    assert sent(here) >= number
    assert (here.apply(plan) if again == "apply" else here.run()).code == 0
    check_end(here)


@pytest.mark.torture
@pytest.mark.parametrize("again", ["run", "apply"])
def test_P6_killed_between_the_reply_and_its_commit_sends_nothing_again(
    here: World, again: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = here.plan(here.pair(), out=here.folder / "saved.plan").path
    stored = len(here.tree("dst").contents)

    whole = Queue._finish

    def die(self: Queue, *args: Any) -> None:
        if len(here.tree("dst").contents) > stored:
            raise Killed
        whole(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Queue, "_finish", die)
        dies(here, partial(here.apply, plan) if again == "apply" else here.run)

    assert sent(here) == 4
    assert (here.apply(plan) if again == "apply" else here.run()).code == 0
    check_end(here)


@pytest.mark.torture
@pytest.mark.parametrize("again", ["run", "apply"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_P9_killed_inside_the_trash_phase_trashes_the_rest_once(
    here: World, again: str, number: int, after: bool
) -> None:
    plan = here.plan(here.pair(), out=here.folder / "saved.plan").path
    dies(here, partial(here.apply, plan) if again == "apply" else here.run, "trash", number, after=after)

    assert here.files("src").items() <= here.files("dst").items(), "I6"
    here.write("dst", {"gone3": "another, which somebody has put there meanwhile"})
    ended = here.apply(plan) if again == "apply" else here.run()

    assert ended.code == (0 if again == "run" else ended.code)
    everything = {data for some in here.trash("dst").values() for data in some} | set(
        here.files("dst").values()
    )
    assert {b"0", b"7", b"8", b"another, which somebody has put there meanwhile"} <= everything
    if again == "apply":
        assert "gone3" in here.files("dst"), "a plan trashes no generation that it has not seen"
