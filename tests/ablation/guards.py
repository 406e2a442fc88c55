"""The guards (reliability.md §6), each taken out."""

from collections.abc import Iterator
from typing import Any

from runner.app import draining
from runner.engine import acceptance
from runner.manifest import load
from runner.model import limits
from runner.model.errors import Refused
from runner.model.node import Folder
from runner.model.nodes import NONE
from runner.model.tally import Check
from runner.plan import part
from runner.plan.alias import Names
from runner.state.trashing import Trashing
from runner.tasks import barrier, guard, standing
from runner.tasks import list as list_task
from runner.tasks.barrier import Barrier
from runner.tasks.guard import Guard
from tests.ablation.switch import Ablation, Patch, both, empty, none, nothing, put

_APP = "tests/rooms/app"


def _without(name: str) -> Patch:
    """The limits that are judged by numbers, but for one."""

    def some(*args: Any) -> Iterator[Check]:
        return (check for check in limits.checks_of(*args) if (check.limit, check.level) != (name, "refused"))

    return put(guard, "checks_of", some)


def _silent_about(word: str) -> Patch:
    """The places are looked at, but for what is told with this word."""

    async def found(*args: Any) -> list[Any]:
        return [error for error in await _STANDING(*args) if word not in error.message]

    return put(standing, "_source", found)


_STANDING = standing._source


def _same_but(side: str) -> Patch:
    def same(ctx: Any, this: Any, *args: Any, **more: Any) -> list[Any]:
        return [] if this == side else _SAME(ctx, this, *args, **more)

    return put(standing, "_same", same)


_SAME = standing._same


async def _holds_any(*_: object) -> bool:
    return True


async def _missing_is_empty(self: list_task.Listing) -> Any:
    try:
        async for folder in _FOLDERS(self):
            yield folder
    except Refused:
        yield Folder("", NONE)


_FOLDERS = list_task.Listing._folders


async def _no_drift(*_: object) -> tuple[int, list[str]]:
    return 0, []


async def _nod(self: Guard, *_: object) -> Any:
    from runner.model.operation import Outcome

    return Outcome()


def _any_accepted(self: acceptance.Door, stage: Any) -> None:
    if not self._accepted:
        _OPEN(self, stage)


_OPEN = acceptance.Door.open


def _each_for_itself(self: acceptance.Door, stage: Any) -> None:
    """Whatever is refused, the others go on."""


_BARRIER = f"{_APP}/test_barrier.py"

GUARDS = (
    Ablation(
        "source missing",
        both(put(list_task.Listing, "_folders", _missing_is_empty), _silent_about("does not exist")),
        (f"{_APP}/test_guards.py::test_G1_a_missing_source_is_refused",),
    ),
    Ablation(
        "source missing, before a plan is applied",
        _silent_about("does not exist"),
        (f"{_APP}/test_standing.py::test_S9_a_plan_is_not_applied_when_the_source_is_not_mounted",),
    ),
    Ablation(
        "source emptied since it was listed",
        put(standing, "_holds_any", _holds_any),
        (f"{_BARRIER}::test_S9_a_source_that_vanishes_before_the_barrier_takes_nothing_with_it",),
    ),
    Ablation(
        "sentinel",
        _silent_about("sentinel"),
        (f"{_APP}/test_guards.py::test_S9_a_source_without_its_sentinel_is_refused",),
    ),
    Ablation(
        "mount",
        put(standing, "_mounted", empty),
        (f"{_APP}/test_standing.py::test_S9_a_folder_for_disks_must_have_one",),
    ),
    Ablation(
        "identity of the source",
        _same_but("source"),
        (
            f"{_APP}/test_standing.py::test_G4_a_source_that_is_another_disk_is_refused_where_it_must_be_the_same",
        ),
    ),
    Ablation(
        "identity of the destination",
        _same_but("destination"),
        (
            f"{_APP}/test_standing.py::test_G4_another_account_as_destination_is_refused",
            f"{_APP}/test_standing.py::test_G4_a_plan_is_not_applied_to_another_account",
            f"{_APP}/test_edges.py::test_G4_a_destination_that_became_another_place_meanwhile_is_told_by_the_barrier",
        ),
    ),
    Ablation(
        "source.empty",
        _without("source.empty"),
        (f"{_APP}/test_guards.py::test_G2_an_empty_source_is_refused_while_the_destination_holds_something",),
    ),
    Ablation(
        "source.min_files",
        _without("source.min_files"),
        (f"{_APP}/test_guards.py::test_fewer_files_than_the_source_must_hold_are_refused",),
    ),
    Ablation(
        "shrink.max",
        _without("shrink.max"),
        (
            f"{_APP}/test_last_run.py::test_a_source_that_lost_most_of_what_the_last_good_run_found_is_refused",
        ),
    ),
    Ablation(
        "a filter edit",
        _without("trash.always"),
        (
            f"{_APP}/test_last_run.py"
            "::test_G7_names_that_a_new_filter_hides_are_no_trash_and_need_a_look_at_the_plan",
        ),
    ),
    Ablation(
        "trash.max",
        _without("trash.max"),
        (f"{_APP}/test_accept.py::test_G3_a_tenth_of_the_entries_may_be_trashed",),
    ),
    Ablation(
        "trash.max_files",
        _without("trash.max_files"),
        (f"{_APP}/test_accept.py::test_G3_a_thousand_files_may_be_trashed_and_one_more_may_not",),
        slow=True,
    ),
    Ablation(
        "trash.max_bytes",
        _without("trash.max_bytes"),
        (f"{_APP}/test_accept.py::test_bytes_that_may_be_trashed_can_be_limited",),
    ),
    Ablation(
        "trash.no_history",
        _without("trash.no_history"),
        (
            f"{_APP}/test_no_history.py"
            "::test_D6_a_mirror_that_lost_its_state_and_part_of_its_source_trashes_nothing_unasked",
            f"{_APP}/test_no_history.py::test_a_plan_is_refused_as_the_run_would_be",
        ),
    ),
    Ablation(
        "clocks",
        put(guard, "clock_checks", empty),
        (
            f"{_APP}/test_service_clocks.py"
            "::test_C3_nothing_is_decided_by_time_when_the_clocks_are_more_than_a_day_apart",
        ),
    ),
    Ablation(
        "clocks, before a plan is applied",
        put(standing, "_clocks", empty),
        (
            f"{_APP}/test_service_clocks.py"
            "::test_C3_a_plan_is_not_applied_where_nobody_can_tell_whether_it_has_expired",
        ),
    ),
    Ablation(
        "overwrite.max",
        _without("overwrite.max"),
        (f"{_APP}/test_guards.py::test_G8_more_overwrites_than_the_limit_are_refused",),
    ),
    Ablation(
        "overlap",
        put(load, "overlaps", empty),
        (
            "tests/rooms/manifest/test_overlaps.py::test_G6_a_destination_that_meets_its_source_is_refused",
            "tests/rooms/manifest/test_overlaps.py"
            "::test_G6_two_destinations_within_each_other_are_refused_in_any_order",
        ),
    ),
    Ablation(
        "room",
        put(standing, "_room", nothing),
        (f"{_APP}/test_standing.py::test_more_than_there_is_room_for_is_refused_before_anything_is_sent",),
    ),
    Ablation(
        "the guard speaks",
        put(Guard, "run", _nod),
        (f"{_APP}/test_guards.py::test_every_objection_is_said_at_once",),
    ),
    Ablation(
        "the door: one refusal holds all back",
        put(acceptance.Door, "open", _each_for_itself),
        (f"{_APP}/test_guards.py::test_a_refused_pair_leaves_all_pairs_unchanged",),
    ),
    Ablation(
        "the door: the plan that was accepted and no other",
        put(acceptance.Door, "open", _any_accepted),
        (
            f"{_APP}/test_accept.py::test_a_plan_that_has_changed_is_refused_again_under_another_fingerprint",
            f"{_APP}/test_accept.py::test_another_manifest_is_another_plan",
        ),
    ),
    Ablation(
        "the barrier looks at both places again",
        put(barrier, "standing", nothing),
        (
            f"{_BARRIER}::test_S9_a_source_that_vanishes_before_the_barrier_takes_nothing_with_it",
            f"{_APP}/test_edges.py::test_G4_a_destination_that_became_another_place_meanwhile_is_told_by_the_barrier",
        ),
    ),
    Ablation(
        "the barrier lists again what is to be trashed",
        put(Barrier, "_drift", _no_drift),
        (
            f"{_BARRIER}::test_G3_whoever_changes_many_files_meanwhile_keeps_all_of_the_trash",
            f"{_BARRIER}::test_D10_drift_in_the_trash_list_of_a_saved_plan_stops_before_anything_is_trashed",
            f"{_BARRIER}::test_N12_a_folder_that_cannot_be_listed_again_keeps_all_of_the_trash",
        ),
    ),
    Ablation(
        "the barrier of a run: more than a few changed",
        put(barrier, "MOST_SHARE", 2.0),
        (f"{_BARRIER}::test_G3_whoever_changes_many_files_meanwhile_keeps_all_of_the_trash",),
    ),
    Ablation(
        "the barrier of a run: more than a hundred changed",
        put(barrier, "MOST_DRIFT", 10**9),
        (f"{_APP}/test_edges.py::test_G3_more_than_a_hundred_changed_files_keep_all_of_the_trash",),
        slow=True,
    ),
    Ablation(
        "the barrier of a saved plan: a single one changed",
        put(Trashing, "exact", False),
        (f"{_BARRIER}::test_D10_drift_in_the_trash_list_of_a_saved_plan_stops_before_anything_is_trashed",),
    ),
    Ablation(
        "names that the destination cannot tell apart",
        put(part, "told_apart", lambda *_, **__: Names.none()),
        (
            "tests/rooms/plan/test_names.py::test_X4_of_twins_one_keeps_its_name_and_the_other_is_stored_under_an_alias",
            "tests/rooms/plan/test_names.py::test_X4_twins_among_which_is_a_folder_are_refused_whatever_the_policy",
        ),
    ),
    Ablation(
        "a plan is looked at again before it is applied",
        put(draining, "look_again", none),
        (
            f"{_APP}/test_standing.py::test_S9_a_plan_is_not_applied_when_the_source_is_not_mounted",
            f"{_APP}/test_standing.py::test_a_plan_is_not_applied_once_there_is_no_room",
        ),
    ),
)
