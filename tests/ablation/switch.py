"""How a rule is taken out of the program: patches that last as long as a test, or a process."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

from runner.model.task import Edge

Patch = Callable[[], contextlib.AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Ablation:
    """One rule less.

    name: of the rule, in words. patch: takes it out. missed: node ids of tests of which each must fail then.
    slow: some of them take seconds, so that only `ci/ablate` tries it.
    """

    name: str
    patch: Patch
    missed: tuple[str, ...]
    slow: bool = False


def put(target: Any, name: str, new: Any) -> Patch:
    """Something else in the place of one attribute."""
    return lambda: mock.patch.object(target, name, new)


def without(task: Any, *edges: Edge) -> Patch:
    """A task that does not wait for these."""
    return lambda: mock.patch.object(task, "after", tuple(edge for edge in task.after if edge not in edges))


def both(*patches: Patch) -> Patch:
    """All of them."""

    @contextlib.contextmanager
    def together() -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for patch in patches:
                stack.enter_context(patch())
            yield

    return together


def never(*_: Any, **__: Any) -> None:
    """Stands for a check that raises: this one does not."""


async def none(*_: Any, **__: Any) -> None:
    """Likewise, awaited."""


def empty(*_: Any, **__: Any) -> list[Any]:
    """Stands for a search for objections: there are none."""
    return []


async def nothing(*_: Any, **__: Any) -> list[Any]:
    """Likewise, awaited."""
    return []


def yes(*_: Any, **__: Any) -> bool:
    """Stands for a question that decides."""
    return True


@contextlib.contextmanager
def open_door(*_: Any, **__: Any) -> Iterator[None]:
    """Stands for a lock."""
    yield


@contextlib.asynccontextmanager
async def open_gate(*_: Any, **__: Any) -> AsyncGenerator[None, None]:
    """Stands for a lock that is asked for."""
    yield
