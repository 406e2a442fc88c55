import os
from pathlib import Path

import pytest

from runner.backends.memory import Memory
from runner.model.content import Content
from runner.model.errors import Unreadable
from runner.model.node import Node
from tests.rooms.cli.conftest import Acdrun, acdrun, manifest, place, write

__all__ = ["acdrun", "place"]


def test_held_trash_says_how_many_uploads_did_not_succeed(
    acdrun: Acdrun, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = f"remotes: {{ cloud: {{ type: memory, store: {place.name} }} }}"
    write(place / "m.yaml", manifest("retry: { attempts: 1 }", top=top).replace("dst", '"cloud:x"'))
    acdrun("m.yaml")
    (place / "src/one.txt").unlink()
    write(place / "src/new.txt", "new")
    true = Memory.put

    async def put(self: Memory, path: str, content: Content, *, expect: str | None) -> Node:
        if path.endswith("new.txt"):
            raise Unreadable("not today")
        return await true(self, path, content, expect=expect)

    monkeypatch.setattr(Memory, "put", put)

    ended = acdrun("m.yaml")

    assert ended.code == 3
    assert "  nothing was trashed: 1 upload did not succeed\n" in ended.out
    assert "  ! new.txt: unreadable: not today\n" in ended.out
    assert "photos: upload new.txt: unreadable: not today" in ended.err
    assert ended.out.count("not today") == 1


def test_a_name_that_is_no_text_is_blocked_and_shown_in_escapes(acdrun: Acdrun, place: Path) -> None:
    with open(os.path.join(os.fsencode(place / "src"), b"bad\xff"), "wb"):
        pass

    plan, run = acdrun("--plan", "m.yaml"), acdrun("m.yaml")

    assert plan.code == run.code == 3
    assert "bad\\udcff: blocked: a name that is not valid UTF-8" in plan.out
    assert "1 blocked" in plan.out
    assert (place / "dst/one.txt").exists()


def test_a_readback_is_told_beside_the_servers_own_digest(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest("checksum: { verify: readback }"))

    ended = acdrun("m.yaml")

    assert "sent 3 files (2.94KiB), each read back and compared" in ended.out


def test_every_count_of_a_run_stands_in_its_record(acdrun: Acdrun, place: Path) -> None:
    write(place / "m.yaml", manifest('filter: [{ exclude: "*.bak" }]').replace("mirror", "copy"))
    write(place / "src/x.bak", "x")
    write(place / "dst/theirs", "x")

    ended = acdrun("m.yaml")

    assert "1 file only at the destination, left there; 1 entry excluded by the filter" in ended.out


def test_a_stage_of_nothing_is_told_as_such(acdrun: Acdrun, place: Path) -> None:
    for path in sorted((place / "src").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()

    plan, run = acdrun("--plan", "m.yaml"), acdrun("m.yaml")
    again = acdrun("--plan", "m.yaml")

    assert (plan.code, run.code) == (0, 0)
    assert "nothing to do: there are no files on the source side" in again.out


def test_a_move_names_both_paths(acdrun: Acdrun, place: Path) -> None:
    top = f"remotes: {{ cloud: {{ type: memory, store: {place.name}, folds: true }} }}"
    write(place / "m.yaml", manifest(top=top).replace("dst", '"cloud:x"'))
    acdrun("m.yaml")
    (place / "src/one.txt").rename(place / "src/ONE.txt")

    plan, run = acdrun("--plan", "m.yaml"), acdrun("m.yaml")

    assert "  > 1 file (3B) moved, not sent again\n  >   one.txt → ONE.txt  3B\n" in plan.out
    assert "plan: 0 new, 0 changed, 1 moved, 0 trashed; 0B to send, 3B not sent again\n" in plan.out
    assert run.code == 0
    assert "  moved 1 file (3B), not sent again\n" in run.out


def test_what_a_plan_concludes_from_an_earlier_job_is_said(acdrun: Acdrun, place: Path) -> None:
    second = "  later:\n    needs: [photos]\n    pairs: [{ source: dst, destination: again, mode: copy }]\n"
    (place / "dst").mkdir()
    write(place / "m.yaml", manifest() + second)

    plan = acdrun("--plan", "m.yaml")

    assert "later runs after photos\n" in plan.out
    assert "  predicted: 5 paths of the source are as photos will leave them\n" in plan.out
    assert "  +   sub/two.txt  7B  (predicted)\n" in plan.out


def test_pairs_that_could_not_begin_say_so_once(acdrun: Acdrun, place: Path) -> None:
    second = "  later:\n    needs: [photos]\n    pairs: [{ source: dst, destination: again, mode: copy }]\n"
    write(place / "m.yaml", manifest(job='before: ["false"]') + second)

    run = acdrun("m.yaml")

    assert run.code == 1
    assert run.out.count("! not begun: ") == 2
    assert run.out.count("'false' ended with exit code 1") == 1
