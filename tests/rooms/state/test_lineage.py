from pathlib import Path

from runner.state.lineage import Lineages
from runner.state.locks import Scope

HERE, THERE = Scope("local", "srv/a"), Scope("local", "srv/b")


def test_a_run_that_is_taken_up_again_counts_once_and_another_one_too(tmp_path: Path) -> None:
    with Lineages(tmp_path) as lineages:
        first = lineages.of([HERE])
        for run in ("one", "one", "two"):
            lineages.advance([HERE], run)
        now = lineages.known([HERE])

    assert (first.serial, first.writer) == (0, "")
    assert now == (first.id, 2, "two")


def test_the_order_of_the_scopes_does_not_matter_and_each_set_has_its_own_lineage(tmp_path: Path) -> None:
    with Lineages(tmp_path) as lineages:
        both = lineages.of([HERE, THERE])
        lineages.advance([HERE], "one")

        assert lineages.of([THERE, HERE, THERE]) == both
        assert lineages.known([THERE]) is None


def test_two_state_directories_never_share_a_lineage(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with Lineages(tmp_path) as ours, Lineages(tmp_path / "other") as theirs:
        assert ours.of([HERE]).id != theirs.of([HERE]).id
