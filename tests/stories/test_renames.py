"""A folder gets another name, and the night after sends nothing."""

import json
from pathlib import Path

from tests.stories.conftest import NIGHTLY, Machine
from tests.stories.served import served

FILES = 200


def test_a_renamed_folder_of_200_files_is_planned_and_moved_without_one_upload(
    machine: Machine, tmp_path: Path
) -> None:
    machine.write({f"2015/{n // 50}/{n}.jpg": f"picture {n}".encode() * 10 for n in range(FILES)})
    with served(tmp_path / "drive") as drive:
        text = NIGHTLY.replace("embedded", f"'{drive.ready['url']}', auth: {{token: {{env: TOKEN}}}}")
        job, token = machine.nightly(text), json.dumps(drive.ready["token"])
        first = machine.acdrun(job, TOKEN=token)
        (machine.photos / "2015").rename(machine.photos / "2016")
        drive.http.delete("admin/counts").raise_for_status()

        plan = machine.acdrun("--plan", job, TOKEN=token)
        reading = ("GET ", "POST /drive/v1/changes")
        planned = [request for request in drive.counts() if not request.startswith(reading)]
        run = machine.acdrun(job, TOKEN=token)
        counts = drive.counts()
        log = machine.acdrun("log", "last")
        again = machine.acdrun("--json", job, TOKEN=token)
        kept = {str(node["name"]) for node in drive.nodes("kind:FILE AND status:AVAILABLE")}
        trashed = {str(node["name"]) for node in drive.nodes("status:TRASH")}

    assert (first.code, plan.code, run.code, again.code) == (0, 0, 0, 0)
    assert planned == []
    assert "  > 200 files (20.4KiB) moved, not sent again\n" in plan.out
    assert "  >   2015/ → 2016/  200 files, 20.4KiB\n" in plan.out
    assert "plan: 0 new, 0 changed, 200 moved, 0 trashed; 0B to send, 20.4KiB not sent again\n" in plan.out
    assert "guard ok: trashes 0 of 200 files (0%), 200 without renames" in plan.out
    assert {request: number for request, number in counts.items() if not request.startswith(reading)} == {
        "POST /drive/v1/nodes": 5,  # the folders
        "POST /drive/v1/nodes/{id}/children": FILES,
        "PUT /drive/v1/trash/{id}": 5,
    }
    assert log.out.count(" → 2016/") == FILES
    assert "moved 200 files (20.4KiB), not sent again\n" in log.out
    assert kept == {f"{n}.jpg" for n in range(FILES)}
    assert trashed == {"2015", "0", "1", "2", "3"}
    summary = next(r for line in again.out.splitlines() if (r := json.loads(line))["record"] == "summary")
    assert (summary["changes"], summary["unchanged"]) == (0, FILES)
