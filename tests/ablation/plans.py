"""What is held against a saved plan, and what keeps two runs apart, each taken out."""

from runner.app import applying, draining, plans, running
from runner.model.exits import Exit
from runner.remote import lease
from runner.remote.lease import Lease
from runner.state import foreign, locks
from runner.state.saved import Outside
from tests.ablation.switch import Ablation, both, never, open_door, open_gate, put, yes

_STORY = "tests/stories/test_saved_plans.py::test_D9_a_plan_is_refused_before_anything_is_asked_of_the_drive"
_ROOM = "tests/rooms/app/test_plans.py"
_LEASE = "tests/rooms/remote/test_lease.py"

PLANS = (
    Ablation(
        "a plan is what was sealed",
        put(Outside, "sealed_with", yes),
        (
            f"{_STORY}[edited]",
            f"{_STORY}[flipped]",
            "tests/rooms/state/test_seal.py::test_D9_a_row_more_or_less_is_seen",
        ),
    ),
    Ablation(
        "a plan was sealed by a key known here",
        put(running, "trusted", lambda *_, **__: ""),
        (f"{_STORY}[foreign]", f"{_STORY}[unsealed]"),
    ),
    Ablation(
        "a plan holds our tables and nothing else",
        put(foreign, "_check", never),
        (f"{_STORY}[a trigger in it]", f"{_STORY}[of a newer version]"),
    ),
    Ablation(
        "a plan is whole",
        both(put(plans, "look", never), put(foreign, "look", never)),
        (f"{_STORY}[a text]", f"{_STORY}[truncated]"),
    ),
    Ablation(
        "a plan expires",
        put(applying, "_in_time", never),
        (
            f"{_STORY}[expired]",
            f"{_STORY}[from the future]",
            f"{_ROOM}::test_D9_a_plan_of_yesterday_is_refused",
        ),
    ),
    Ablation(
        "a plan is of this manifest",
        put(applying, "_same_manifest", never),
        (f"{_STORY}[manifest edited]", f"{_STORY}[of another job]"),
    ),
    Ablation(
        "a plan continues what it was made from",
        put(applying, "_nothing_written_since", never),
        (f"{_STORY}[run since]", f"{_STORY}[state directory of yesterday]"),
    ),
    Ablation(
        "a plan is applied once",
        put(applying, "_GO_ON", tuple(Exit)),
        (f"{_STORY}[applied]", f"{_ROOM}::test_D9_a_plan_is_applied_once"),
    ),
    Ablation(
        "what was begun is finished with its own plan",
        put(applying, "_same_plan", never),
        (f"{_ROOM}::test_a_plan_that_was_begun_is_finished_only_with_the_manifest_it_was_begun_with",),
    ),
    Ablation(
        "the lock",
        put(draining, "locked", open_door),
        (
            "tests/rooms/app/test_jobs.py"
            "::test_L1_a_run_whose_destination_is_being_written_to_is_refused_with_nothing_left_behind",
            f"{_ROOM}::test_a_plan_needs_no_lock_and_applying_one_does",
        ),
    ),
    Ablation(
        "the lock of who writes for a run",
        put(locks, "beside", lambda lock: lock.with_suffix(".nobody")),
        ("tests/rooms/state/test_hands.py::test_L1_nobody_gets_the_place_before_the_writer_has_ended",),
    ),
    Ablation(
        "the lease",
        put(draining, "leased", open_gate),
        ("tests/rooms/app/test_edges.py::test_L2_a_run_holds_its_lease_while_it_writes",),
        slow=True,
    ),
    Ablation(
        "a lease lapses",
        put(Lease, "check", never),
        (
            f"{_LEASE}::test_L5_no_write_is_begun_when_the_lease_could_not_be_renewed_for_22_minutes",
            f"{_LEASE}::test_P15_a_host_that_slept_through_its_lease_writes_nothing_more",
        ),
    ),
    Ablation(
        "a lease that is seen to live is not taken over",
        put(lease, "STALE_S", 0.0),
        (
            f"{_LEASE}::test_L3_a_lease_that_nobody_renews_is_taken_over_after_half_an_hour_and_not_before",
            f"{_LEASE}::test_L4_a_clock_that_is_days_off_takes_nothing_over_early",
        ),
    ),
)
