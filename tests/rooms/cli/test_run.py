import json
import shutil
from pathlib import Path

from tests.golden import same_as_golden
from tests.rooms.cli.conftest import Acdrun, manifest, write


def test_a_plan_tells_what_is_new_and_writes_nothing(acdrun: Acdrun, place: Path) -> None:
    ended = acdrun("--plan", "m.yaml")

    assert (ended.code, ended.err) == (0, "")
    assert not (place / "dst").exists()
    same_as_golden("plan-new", ended.out, place)


def test_a_plan_tells_every_kind_of_change(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    change(place)

    ended = acdrun("--plan", "m.yaml")
    at_length = acdrun("--plan", "-v", "m.yaml")

    same_as_golden("plan-changes", ended.out, place)
    same_as_golden("plan-changes-verbose", at_length.out, place)


def test_a_run_tells_what_it_did_and_what_proves_it(acdrun: Acdrun, place: Path) -> None:
    acdrun("m.yaml")
    change(place)

    ended = acdrun("m.yaml")

    assert (ended.code, ended.err) == (3, "")
    assert (place / "dst/one.txt").read_text() == "changed"
    same_as_golden("run-changes", ended.out, place)


def test_a_plan_without_changes_says_how_that_was_proven(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest("checksum: { compare: hash }"))
    acdrun("m.yaml")

    ended = acdrun("--plan", "m.yaml")

    assert "nothing to do: 3 files (2.94KiB) are the same on both sides, proven by md5" in ended.out


def test_a_comparison_of_sizes_is_never_called_proof(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest("checksum: { compare: size, verify: none }"))

    first, second = acdrun("m.yaml"), acdrun("m.yaml")

    assert "sent 3 files (2.94KiB), unproven: only their size was compared" in first.out
    assert "unchanged 3 files (2.94KiB), by size only (content unproven)" in second.out


def test_many_changes_are_told_by_folder_and_each_when_asked(acdrun: Acdrun, place: Path) -> None:
    for folder in range(3):
        for number in range(30):
            write(place / f"src/many/{folder}/{number:02}.txt", "x" * number)

    ended, at_length = acdrun("--plan", "m.yaml"), acdrun("--plan", "-v", "m.yaml")

    same_as_golden("plan-many", ended.out, place)
    assert (
        len([line for line in at_length.out.splitlines() if "/many/" not in line and "many/1/" in line]) >= 30
    )


def test_files_are_run_one_after_the_other_and_the_gravest_code_counts(acdrun: Acdrun, place: Path) -> None:
    write(place / "other.yaml", manifest(job='before: ["false"]').replace("dst", "elsewhere"))

    ended = acdrun("other.yaml", "m.yaml")

    assert ended.code == 1
    assert (place / "dst/one.txt").exists()
    assert not (place / "elsewhere").exists()
    assert ended.out.index("elsewhere") < ended.out.index("dst")


def test_quiet_says_nothing_when_all_is_well_and_names_what_is_not(acdrun: Acdrun, place: Path) -> None:
    fine = acdrun("-q", "m.yaml")
    change(place)
    clash = acdrun("m.yaml", "--quiet")

    assert fine == (0, "", "")
    assert "sub/two.txt" in clash.out + clash.err


def test_options_may_stand_before_a_verb(acdrun: Acdrun) -> None:
    ended = acdrun("--json", "validate", "m.yaml")

    assert ended.code == 0
    assert json.loads(ended.out.splitlines()[-1])["record"] == "outcome"


def test_nothing_is_trashed_while_something_is_not_in_place(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest("links: block"))
    acdrun("m.yaml")
    (place / "src/one.txt").unlink()
    (place / "src/link").symlink_to("nowhere")

    ended = acdrun("m.yaml")

    assert ended.code == 3
    assert "link: blocked: " in ended.out


def test_a_refused_plan_shows_the_numbers_and_the_line(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest("guard: { source: { min_files: 100 } }"))

    plan, run = acdrun("--plan", "m.yaml"), acdrun("m.yaml")

    assert plan.code == run.code == 4
    said = "guard refused: source.min_files is 100 (m.yaml:9:28), but only 3 are there\n"
    assert said in plan.out
    assert said in run.out
    assert "to do it" not in plan.out


def test_a_hook_is_announced_by_the_plan_and_not_run(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest(job="before: [touch, made]\nafter: [touch, after]"))

    ended = acdrun("--plan", "m.yaml")

    assert "hook before photos: touch made runs first; what it changes is not in this plan" in ended.out
    assert "hook after photos: touch after runs last" in ended.out
    assert not (place / "made").exists()


def test_no_control_character_of_a_name_reaches_the_terminal(acdrun: Acdrun, place: Path) -> None:
    write(place / "src/\x1b[31mred\nline [bold]x[/bold]", "x")

    said = [
        acdrun(*line.split())
        for line in ("--plan m.yaml", "--plan -v m.yaml", "m.yaml", "log last", "ls dst")
    ]

    whole = "".join(ended.out + ended.err for ended in said)
    assert "\x1b" not in whole
    assert "\nline" not in whole
    assert "\\x1b[31mred\\nline [bold]x[/bold]" in whole


def test_a_missing_source_is_not_taken_for_an_empty_one(acdrun: Acdrun, place: Path) -> None:
    shutil.rmtree(place / "src")

    ended = acdrun("m.yaml")

    assert ended.code == 4
    assert "the source does not exist (m.yaml:6:9)" in ended.out
    assert "is the disk mounted, the path right?" in ended.out
    assert ended.out.count("the source does not exist") == 1


def change(place: Path) -> None:
    """One file new, one changed, one gone, one now a folder, and a link."""
    write(place / "src/new.txt", "new")
    write(place / "src/one.txt", "changed")
    (place / "src/sub/deep/three.txt").unlink()
    (place / "src/sub/two.txt").unlink()
    write(place / "src/sub/two.txt/inside", "x")
    (place / "src/link").symlink_to("one.txt")


def test_a_plan_of_a_chain_tells_what_rests_on_the_job_before(acdrun: Acdrun, place: Path) -> None:
    second = "  offsite:\n    needs: [photos]\n    pairs: [{ source: dst, destination: far, mode: mirror }]\n"
    write(place / "m.yaml", manifest() + second)
    acdrun("m.yaml")
    write(place / "src/new.txt", "new")
    write(place / "src/one.txt", "changed")
    (place / "src/sub/two.txt").rename(place / "src/sub/2.txt")
    (place / "src/sub/deep/three.txt").unlink()
    write(place / "dst/kept.txt", "")
    write(place / "far/extra.txt", "0")

    ended, at_length = acdrun("--plan", "m.yaml"), acdrun("--plan", "-v", "m.yaml")

    same_as_golden("plan-chain", ended.out, place)
    same_as_golden("plan-chain-verbose", at_length.out, place)


def test_a_plan_of_a_chain_does_not_begin_a_job_that_its_run_would_not(acdrun: Acdrun, place: Path) -> None:
    second = "  offsite:\n    needs: [photos]\n    pairs: [{ source: dst, destination: far, mode: mirror }]\n"
    write(place / "m.yaml", manifest() + second)
    acdrun("m.yaml")
    change(place)

    plan, run = acdrun("--plan", "m.yaml"), acdrun("m.yaml")

    assert (plan.code, run.code) == (3, 3)
    assert "not begun: job 'photos' will not be done whole, its trash is held" in plan.out
    assert "not begun" in run.out


def test_a_saved_plan_of_a_chain_says_that_it_rests_on_a_prediction(acdrun: Acdrun, place: Path) -> None:
    second = "  offsite:\n    needs: [photos]\n    pairs: [{ source: dst, destination: far, mode: mirror }]\n"
    write(place / "m.yaml", manifest() + second)
    acdrun("--plan", "--out", "both.plan", "m.yaml")

    shown, applied = acdrun("show", "both.plan"), acdrun("apply", "both.plan")

    assert "every listing was whole; 1 source was predicted in part" in shown.out
    assert (applied.code, (place / "far/sub/two.txt").read_text()) == (0, "two two")
