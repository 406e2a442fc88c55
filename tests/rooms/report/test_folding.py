from collections import Counter
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from runner.model.tally import Amount
from runner.report.folding import fold
from runner.state.account import Folded


def looks(paths: list[str]) -> Callable[[str], list[Folded]]:
    """The children of a folder as a journal counts them; every file has 2 bytes."""

    def look(below: str) -> list[Folded]:
        inside = [path.removeprefix(below) for path in paths if path.startswith(below)]
        counts = Counter(rest.partition("/")[0] + "/" * ("/" in rest) for rest in inside)
        return [Folded(below + name, number, 2 * number) for name, number in counts.most_common()]

    return look


def test_the_fullest_folders_are_opened() -> None:
    paths = ["top.txt", *(f"a/b/{n}/{m}" for n in range(3) for m in range(9)), "c/d"]

    folded, left = fold(looks(paths), Amount(29, 58), 6)

    assert [(f.path, f.number) for f in folded] == [
        ("a/b/0/", 9),
        ("a/b/1/", 9),
        ("a/b/2/", 9),
        ("c/", 1),
        ("top.txt", 1),
    ]
    assert left == Amount()


def test_what_finds_no_line_is_counted() -> None:
    folded, left = fold(looks([f"{n:03}" for n in range(100)]), Amount(100, 200), 20)

    assert len(folded) == 20
    assert left == Amount(80, 160)


names = st.lists(st.sampled_from("abc"), min_size=2, max_size=5).map(lambda parts: "/".join((*parts, "f")))


@given(st.lists(names, min_size=1, max_size=60, unique=True), st.integers(1, 20))
def test_no_file_is_counted_twice_or_lost(paths: list[str], most: int) -> None:
    folded, left = fold(looks(paths), Amount(len(paths), 2 * len(paths)), most)

    assert len(folded) <= max(most, 1)
    assert sum(f.number for f in folded) + left.number == len(paths)
    assert left.number >= 0
    assert all(sum(path.startswith(f.path) for path in paths) == f.number for f in folded)
