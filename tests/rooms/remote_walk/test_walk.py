"""The walk: its order, its window, its gaps."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from runner.model.content import Content
from runner.model.errors import (
    AcdrunError,
    BadAnswer,
    Blocked,
    Denied,
    LoginNeeded,
    NotFound,
    Truncated,
    Unavailable,
    Unreadable,
)
from runner.model.node import Folder, Node
from runner.model.path import order
from runner.remote.remote import Remote
from runner.remote.walk import everything, walk
from tests.lab import Fault, Faulty, lab

Answer = Sequence[Node] | BaseException


def folder(name: str) -> Node:
    return Node(name, "folder")


def file(name: str, size: int = 1) -> Node:
    return Node(name, "file", size)


class Tree:
    """Listings by path, answered after a random or given time; counts what is under way."""

    def __init__(self, answers: dict[str, Answer], delay: Callable[[str], float] = lambda path: 0) -> None:
        self.answers = answers
        self.delay = delay
        self.sizes = {path: len(answer) for path, answer in answers.items() if isinstance(answer, Sequence)}
        self.asked: list[str] = []
        self.running = self.most = 0

    async def list(self, path: str) -> AsyncIterator[Sequence[Node]]:
        self.asked.append(path)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.delay(path))
            answer = self.answers[path]
            if isinstance(answer, BaseException):
                raise answer
            yield answer
        finally:
            self.running -= 1


def random_tree(seed: int, folders: int) -> dict[str, Answer]:
    chance = random.Random(seed)
    paths = [""]
    children: dict[str, list[Node]] = {"": []}
    while len(paths) < folders:
        above = chance.choice(paths)
        name = "".join(chance.choices("ab-.é", k=3))
        path = f"{above}/{name}".lstrip("/")
        if name.strip(".") and path not in children:
            paths.append(path)
            children[path] = [file("file")]
            children[above].append(folder(name))
    for nodes in children.values():
        chance.shuffle(nodes)
    return dict(children)


async def collect(folders: AsyncIterator[Folder]) -> list[Folder]:
    return [one async for one in folders]


def run(tree: Tree, ahead: int = 4) -> list[Folder]:
    return asyncio.run(collect(walk(tree.list, everything, ahead)))


@pytest.mark.parametrize("ahead", [1, 2, 3, 8, 100])
@pytest.mark.parametrize("seed", range(4))
def test_the_order_is_path_order_however_the_answers_come(seed: int, ahead: int) -> None:
    answers, chance = random_tree(seed, 60), random.Random(seed)
    tree = Tree(answers, lambda path: chance.choice([0, 0, 0.0005, 0.001]))

    seen = [one.path for one in run(tree, ahead)]

    assert seen == sorted(answers, key=order)
    assert sorted(tree.asked) == sorted(answers)


@pytest.mark.parametrize("seed", range(6))
def test_batches_yield_what_single_folders_do(seed: int) -> None:
    chance = random.Random(seed)
    answers = random_tree(seed, 60)
    answers[chance.choice(sorted(answers.keys() - {""}))] = Denied("no")
    asked: list[str] = []

    async def some(folders: Sequence[str]) -> list[Sequence[Node] | AcdrunError]:
        await asyncio.sleep(chance.choice([0, 0, 0.001]))
        answered = folders[: chance.randint(1, len(folders))]
        asked.extend(answered)
        return [answers[path] for path in answered]  # type: ignore[misc]

    tree = Tree(answers)
    batches = asyncio.run(collect(walk(tree.list, everything, 3, some=some)))

    assert batches == run(Tree(answers))
    assert sorted(asked) == sorted(one.path for one in batches)
    assert tree.asked == []


def test_a_batch_that_was_cut_short_and_ended_with_another_is_gone_on_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runner.remote.walk._BATCH", 2)
    answers: dict[str, Answer] = {"": [folder(name) for name in "abcd"], **{name: [] for name in "abcd"}}
    both = asyncio.Event()
    asked: list[Sequence[str]] = []

    async def some(folders: Sequence[str]) -> list[Sequence[Node] | AcdrunError]:
        asked.append(folders)
        if len(asked) == 3:
            asyncio.get_running_loop().call_soon(both.set)
        if len(asked) in (2, 3):
            await both.wait()
        return [answers[path] for path in folders if path != "d" or asked[-1] == ["d"]]  # type: ignore[misc]

    def late(*_: object) -> None:
        raise TimeoutError("it goes round and round")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    try:
        found = asyncio.run(collect(walk(Tree(answers).list, everything, 2, some=some)))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

    assert [one.path for one in found] == ["", "a", "b", "c", "d"]
    assert asked == [[""], ["a", "b"], ["c", "d"], ["d"]]


def test_a_place_that_answers_for_few_folders_is_asked_for_few() -> None:
    names = [f"{number:04}" for number in range(1000)]
    answers: dict[str, Answer] = {name: [file("a")] for name in names}
    tree = Tree(answers | {"": [folder(name) for name in names]})
    asked: list[int] = []

    async def some(folders: Sequence[str]) -> list[Sequence[Node] | AcdrunError]:
        asked.append(len(folders))
        return [[node async for page in tree.list(path) for node in page] for path in folders[:5]]

    found = asyncio.run(collect(walk(tree.list, everything, 2, some=some)))

    assert [one.path for one in found] == ["", *names]
    assert sum(asked) < 3 * len(names)


@pytest.mark.parametrize("error", [LoginNeeded("who are you"), NotFound("gone")])
def test_what_ends_a_walk_ends_it_in_its_turn(error: AcdrunError) -> None:
    """And a root that is missing is raised in a batch too."""
    answers: dict[str, Answer] = {"": [folder("a"), folder("b")], "a": [file("c")], "b": error}
    if isinstance(error, NotFound):
        answers = {"": error}
    seen: list[str] = []

    async def some(folders: Sequence[str]) -> list[Sequence[Node] | AcdrunError]:
        return [answers[path] for path in folders]  # type: ignore[misc]

    async def main() -> None:
        async for one in walk(Tree(answers).list, everything, 3, some=some):
            seen.append(one.path)

    with pytest.raises(type(error)):
        asyncio.run(main())
    assert seen == [path for path in answers if not isinstance(answers[path], AcdrunError)]


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_as_many_folders_as_allowed_are_listed_at_once(ahead: int) -> None:
    answers: dict[str, Answer] = {"": [folder(f"{n:02}") for n in range(30)]}
    answers |= {f"{n:02}": [] for n in range(30)}
    tree = Tree(answers, lambda path: 0.001)

    run(tree, ahead)

    assert tree.most == ahead


def test_a_slow_folder_does_not_idle_the_others() -> None:
    answers: dict[str, Answer] = {"": [folder(f"{n}") for n in range(9)]}
    answers |= {f"{n}": [] for n in range(9)}
    tree = Tree(answers, lambda path: 0.05 if path == "0" else 0)

    async def main() -> list[str]:
        folders = walk(tree.list, everything, 2)
        root = await anext(folders)
        slow = await anext(folders)
        return [root.path, slow.path, *tree.asked]

    assert set(asyncio.run(main())) == {"", *(f"{n}" for n in range(9))}


def test_what_is_held_is_bounded_when_nobody_takes_it() -> None:
    answers: dict[str, Answer] = {"": [folder(f"{n:04}") for n in range(2000)]}
    answers |= {f"{n:04}": [] for n in range(2000)}
    tree = Tree(answers)

    async def main() -> int:
        folders = walk(tree.list, everything, 4)
        await anext(folders)
        await asyncio.sleep(0.05)
        return len(tree.asked)

    assert asyncio.run(main()) <= 1 + 8 * 4


def test_the_nodes_held_ahead_stay_bounded_in_a_deep_and_wide_tree() -> None:
    answers: dict[str, Answer] = {}
    for depth in range(12):
        path = "/".join(["0"] * depth)
        answers[path] = [folder(f"{n}") for n in range(10)]
        for n in range(10):
            answers.setdefault(f"{path}/{n}".lstrip("/"), [file(f"{n}") for n in range(1000)])
    answers["/".join(["0"] * 12)] = []
    tree = Tree(answers)

    async def main() -> int:
        most = yielded = 0
        async for one in walk(tree.list, everything, 4):
            yielded += len(one.nodes)
            for _ in range(50):
                await asyncio.sleep(0)
            most = max(most, sum(tree.sizes[path] for path in tree.asked) - yielded)
        return most

    assert asyncio.run(main()) <= 10_000 + 4 * 1000


def test_a_walk_that_is_left_stops_its_listings() -> None:
    answers: dict[str, Answer] = {"": [folder(f"{n}") for n in range(9)]}
    answers |= {f"{n}": [] for n in range(9)}
    tree = Tree(answers, lambda path: 3600 if path else 0)

    async def main() -> None:
        folders = walk(tree.list, everything, 4)
        await anext(folders)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert tree.running == 4
        await folders.aclose()  # type: ignore[attr-defined]
        assert tree.running == 0
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_cancelled_walk_stops_its_listings() -> None:
    tree = Tree({"": [folder("a"), folder("b")], "a": [], "b": []}, lambda path: 3600 if path else 0)

    async def main() -> None:
        task = asyncio.ensure_future(collect(walk(tree.list, everything, 4)))
        while tree.running < 2:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert tree.running == 0
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


@pytest.mark.parametrize("kind", [Denied, Unreadable, Unavailable, BadAnswer, Truncated, Blocked])
def test_a_folder_that_cannot_be_listed_is_a_gap_and_the_walk_goes_on(kind: type[AcdrunError]) -> None:
    error = kind("no")
    tree = Tree({"": [folder("a"), folder("b")], "a": error, "b": [file("c")]})

    root, a, b = run(tree)

    assert root.gaps == []
    assert (a.path, list(a.nodes), a.gaps) == ("a", [], (("a", error),))
    assert (b.path, list(b.nodes)) == ("b", [file("c")])


def test_a_listing_that_breaks_off_keeps_none_of_its_nodes() -> None:
    async def main() -> list[Folder]:
        async with lab("memory") as remote:
            await remote.put("file", Content.of(b""))
            broken = Remote("broken", Faulty(remote.backend, Fault("list", how="half")))
            return await collect(broken.walk())

    (root,) = asyncio.run(main())

    assert (list(root.nodes), len(root.gaps)) == ([], 1)


def test_a_folder_that_vanished_is_unreadable_and_not_absent() -> None:
    tree = Tree({"": [folder("a")], "a": NotFound("no such folder")})

    _, a = run(tree)

    assert isinstance(a.gaps[0].error, Unreadable)


def test_a_root_that_is_missing_is_raised() -> None:
    tree = Tree({"": NotFound("no such folder")})

    with pytest.raises(NotFound):
        run(tree)


@pytest.mark.parametrize("error", [LoginNeeded("who are you"), ZeroDivisionError()])
def test_what_no_gap_can_tell_ends_the_walk(error: Exception) -> None:
    tree = Tree({"": [folder("a"), folder("b")], "a": [], "b": error})

    with pytest.raises(type(error)):
        run(tree)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "nul\0", "bad\udcff", "/"])
def test_a_name_that_no_path_can_hold_is_a_gap(name: str) -> None:
    tree = Tree({"": [Node(name, "folder"), file("good")]})

    (root,) = run(tree)

    assert list(root.nodes) == [file("good")]
    (gap,) = root.gaps
    assert isinstance(gap.error, Blocked)
    assert "/" not in gap.path
    assert gap.path not in ("", ".", "..")
    assert gap.path.encode().isascii()


@pytest.mark.parametrize("times", [2, 3, 4])
def test_a_name_that_stands_twice_is_one_gap_and_no_node(times: int) -> None:
    twins = [folder("b"), *[file("b", n) for n in range(1, times)]]
    tree = Tree({"": [*twins, file("a"), file("c")]})

    (root,) = run(tree)

    assert [node.name for node in root.nodes] == ["a", "c"]
    assert [gap.path for gap in root.gaps] == ["b"]


def test_a_filter_leaves_out_and_does_not_enter() -> None:
    tree = Tree({"": [folder("a"), folder("b"), file("c")], "a": [file("c")]})

    root, a = asyncio.run(collect(walk(tree.list, lambda path, node: path in ("a", "a/c"), 4)))

    assert (root.excluded, [node.name for node in root.nodes]) == (2, ["a"])
    assert (a.excluded, [node.name for node in a.nodes]) == (0, ["c"])
    assert tree.asked == ["", "a"]


def test_twins_that_a_filter_leaves_out_are_no_gap() -> None:
    tree = Tree({"": [file("a"), file("a")]})

    (root,) = asyncio.run(collect(walk(tree.list, lambda path, node: False, 4)))

    assert (root.excluded, root.gaps) == (2, [])


def test_a_link_is_shown_and_not_entered() -> None:
    tree = Tree({"": [Node("link", "other")]})

    (root,) = run(tree)

    assert list(root.nodes) == [Node("link", "other")]


def test_an_error_is_told_with_remote_and_path_once() -> None:
    async def main(act: Callable[[Remote], Awaitable[object]]) -> AcdrunError:
        async with lab("memory") as remote:
            try:
                await act(remote.at("a"))
            except AcdrunError as error:
                return error
        raise AssertionError("no error")

    missing = asyncio.run(main(lambda remote: remote.stat("b\n")))
    hostile = asyncio.run(main(lambda remote: remote.stat("../b")))

    assert str(missing) == "memory:a/b\\n: no such folder"
    assert str(hostile).startswith("memory:../b: the name '..'")


def test_a_failing_source_keeps_its_own_place_in_the_error() -> None:
    async def main() -> Unavailable:
        async with lab("memory") as source, lab("local") as destination:
            node = await source.put("file", Content.of(b"data"))
            spoilt = Remote("source", Faulty(source.backend, Fault("read")))
            try:
                await destination.put("copy", spoilt.content("file", node))
            except Unavailable as error:
                return error
        raise AssertionError("no error")

    error = asyncio.run(main())

    assert (error.remote, error.path) == ("source", "file")
