"""What lets a run begin before its plan is finished: each rule that makes it wait, taken out."""

from typing import Any

from runner.engine.acceptance import Door
from runner.engine.ahead import Ahead
from runner.engine.early import Early
from runner.engine.reading import _Pairs
from runner.engine.scheduler import Scheduler
from runner.state import queue
from tests.ablation.switch import Ablation, empty, never, none, put, yes

_EARLY = "tests/rooms/engine/test_early.py"
_FULL = f"{_EARLY}::test_more_than_there_was_room_for_is_not_begun"


def _whatever_comes(self: Early, draft: Any) -> None:
    _COUNT(self, draft)
    self._adds = True


_COUNT = Early._count


async def _go(*_: object) -> bool:
    return True


EARLY = (
    Ablation(
        "early: the destination is listed to its end",
        put(_Pairs, "_one_sided", True),
        (f"{_EARLY}::test_a_destination_that_is_not_listed_to_its_end_waits",),
    ),
    Ablation(
        "early: nothing but additions is planned",
        put(Early, "_count", _whatever_comes),
        (
            f"{_EARLY}::test_an_overwrite_waits",
            f"{_EARLY}::test_a_mirror_that_trashes_waits_for_what_may_turn_out_to_be_a_rename",
        ),
    ),
    Ablation(
        "early: no limit refuses the numbers so far",
        put(Early, "_refused", never),
        (
            f"{_EARLY}::test_too_few_files_so_far_wait_for_more",
            f"{_EARLY}::test_a_source_that_has_shown_less_than_the_last_run_found_waits",
            f"{_EARLY}::test_a_filter_edit_that_needs_a_look_waits_and_is_refused",
            f"{_EARLY}::test_clocks_that_differ_by_days_wait_and_are_refused",
        ),
    ),
    Ablation(
        "early: both places are looked at",
        put(Early, "_at_the_places", _go),
        (
            f"{_EARLY}::test_a_source_without_its_sentinel_waits_and_is_refused",
            f"{_EARLY}::test_another_place_than_last_time_waits_for_the_guard_to_tell",
            f"{_EARLY}::test_less_room_than_the_first_files_need_waits_and_is_refused",
        ),
    ),
    Ablation("early: each batch still fits", put(Early, "_still_fits", none), (_FULL,)),
    Ablation("early: what is ahead is called back", put(Ahead, "call_back", empty), (_FULL,)),
    Ablation(
        "early: no pair of the wave may be refused yet",
        put(Ahead, "_ajar", yes),
        (f"{_EARLY}::test_a_pair_of_the_same_wave_that_is_refused_keeps_all_unchanged",),
    ),
    Ablation(
        "early: nothing is written where another pair is reading",
        put(Ahead, "_apart", yes),
        (f"{_EARLY}::test_a_destination_that_another_pair_is_reading_waits",),
    ),
    Ablation(
        "early: an accepted plan is compared as a whole",
        put(Door, "ajar", yes),
        (f"{_EARLY}::test_an_accepted_plan_is_carried_out_only_as_a_whole",),
    ),
    Ablation(
        "early: what is planned late meets the end of its folder",
        put(queue, "_ENDED", "SELECT 1, 2, 3 WHERE ? IS NULL AND ? IS NULL"),
        (f"{_EARLY}::test_the_first_upload_comes_before_the_last_page_of_the_listing",),
    ),
    Ablation(
        "early: what is planned for a stage that has failed is held",
        put(Scheduler, "_hold_what_came_late", never),
        (f"{_EARLY}::test_what_is_planned_for_a_place_that_is_full_is_held",),
    ),
)
