"""What a verification finds, over every combination of facts there is."""

from collections.abc import Callable
from itertools import product
from typing import get_args

from runner.model.exits import Exit
from runner.model.finding import FINDINGS, REPAIRED, Answer, Facts, Finding, judge
from runner.model.node import Kind
from runner.model.pair import Mode

KINDS = (*get_args(Kind), None)
EVERY = [
    Facts(*values)
    for values in product(get_args(Mode), KINDS, KINDS, *[get_args(Answer)] * 4, (True, False), (True, False))
    if (values[1] or values[2]) and values[1] != "other"  # what is neither file nor folder is no source
]
FOUND: dict[Facts, Finding] = {facts: judge(facts) for facts in EVERY}


def wrong(holds: Callable[[Facts, Finding], bool]) -> list[Facts]:
    """The facts for which a rule does not hold."""
    return [facts for facts, finding in FOUND.items() if not holds(facts, finding)]


def files(f: Facts) -> bool:
    """Is there a file on both sides?"""
    return f.source == f.destination == "file"


def test_only_what_is_proven_or_left_on_purpose_is_silent() -> None:
    assert wrong(lambda f, v: (v.word in FINDINGS) == (v.exit is not Exit.CONVERGED)) == []


def test_every_finding_has_a_reason_without_blanks() -> None:
    assert wrong(lambda f, v: bool(v.reason) and "{" not in v.reason) == []


def test_files_are_proven_by_their_content_alone() -> None:
    assert wrong(lambda f, v: not files(f) or v.word != "proven" or f.content == "same") == []


def test_other_content_is_never_proven_nor_left_unsaid() -> None:
    assert wrong(lambda f, v: not files(f) or f.content != "differs" or v.word in FINDINGS) == []


def test_bytes_that_are_not_those_that_were_stored_are_damaged_whatever_else_is_so() -> None:
    assert wrong(lambda f, v: not files(f) or f.stored != "differs" or v.word == "damaged") == []


def test_what_is_repaired_is_in_the_source_and_nobody_is_known_to_have_changed_it() -> None:
    def holds(f: Facts, v: Finding) -> bool:
        gone = f.destination is None
        rotten = f.stored == "differs" or (f.size == "same" and f.time == "same")
        return v.word not in REPAIRED or (f.source is not None and (gone or (files(f) and rotten)))

    assert wrong(holds) == []


def test_only_a_mirror_has_extras() -> None:
    assert wrong(lambda f, v: v.word != "extra" or (f.mode == "mirror" and f.source is None)) == []


def test_what_the_source_changed_since_the_last_good_run_is_no_alarm() -> None:
    def holds(f: Facts, v: Finding) -> bool:
        quiet = files(f) and f.since and f.stored == "unknown" and "unknown" in (f.time, f.size)
        return not quiet or f.content != "differs" or v.exit is Exit.INCOMPLETE

    assert wrong(holds) == []
