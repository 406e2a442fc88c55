"""What is decided, over every combination of facts there is."""

from itertools import product
from typing import get_args

from runner.model.node import Kind
from runner.model.pair import Mode
from runner.plan.decide import Answer, Compare, Facts, Verdict, decide
from runner.tasks import NAMES

KINDS = (*get_args(Kind), None)
EVERY = [
    Facts(*values)
    for values in product(
        get_args(Mode), get_args(Compare), KINDS, KINDS, *[get_args(Answer)] * 3, (True, False)
    )
    if values[2] or values[3]
]
VERDICTS: dict[Facts, Verdict] = {facts: decide(facts) for facts in EVERY}
"""Two files are compared in all ways; the others' answers must not matter."""


def wrong(rule: "object") -> list[Facts]:
    """The facts for which a rule (facts, verdict) does not hold."""
    assert callable(rule)
    return [facts for facts, verdict in VERDICTS.items() if not rule(facts, verdict)]


def test_every_combination_has_a_verdict_with_a_reason_and_known_tasks() -> None:
    assert wrong(lambda f, v: v.reason and "{" not in v.reason and set(v.tasks) <= set(NAMES)) == []


def test_the_sign_says_whether_there_is_work() -> None:
    assert wrong(lambda f, v: bool(v.tasks) == (v.sign in "+~>-")) == []


def test_copy_never_trashes() -> None:
    assert wrong(lambda f, v: f.mode == "mirror" or "trash" not in v.tasks) == []


def test_only_what_the_source_lacks_is_trashed() -> None:
    assert (
        wrong(lambda f, v: ("trash" not in v.tasks) or (f.source is None and f.destination != "other")) == []
    )


def test_nothing_is_uploaded_over_the_same_bytes() -> None:
    def holds(f: Facts, v: Verdict) -> bool:
        proven = f.compare == "hash" and f.size == "same" and f.checksum == "same"
        return not (proven and f.source == f.destination == "file") or "upload" not in v.tasks

    assert wrong(holds) == []


def test_what_is_compared_by_size_alone_is_never_read() -> None:
    assert wrong(lambda f, v: f.compare != "size" or not f.named or "hash" not in v.tasks) == []


def test_a_file_and_a_folder_are_never_put_in_each_others_place() -> None:
    def clash(f: Facts) -> bool:
        return f.source is not None and f.destination is not None and f.source != f.destination

    assert wrong(lambda f, v: not clash(f) or (v.sign == "!" and not v.tasks)) == []


def test_a_difference_that_was_seen_is_never_called_the_same() -> None:
    def seen(f: Facts) -> bool:
        return f.source == f.destination == "file" and (
            f.size == "differs"
            or (f.compare == "hash" and f.checksum == "differs")
            or (f.compare == "time" and f.time == "differs")
        )

    assert wrong(lambda f, v: not seen(f) or v.sign != "=") == []


def test_only_proven_content_is_renamed_without_reading_it() -> None:
    def proven(f: Facts) -> bool:
        return f.checksum == "same" or f.compare == "size" or (f.compare == "time" and f.time == "same")

    assert wrong(lambda f, v: v.tasks != ("move",) or proven(f)) == []


def test_another_spelling_is_never_uploaded_beside_or_over_the_first() -> None:
    assert (
        wrong(lambda f, v: f.named or f.source is None or f.destination is None or "upload" not in v.tasks)
        == []
    )
