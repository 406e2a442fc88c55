"""Memory and time of many operations: the journal holds them, the process does not."""

import subprocess
import sys
from pathlib import Path

import pytest

NUMBER = 100_000

MEASURE = """
import asyncio, contextlib, resource, sys, time
from pathlib import Path
from runner.engine.drain import Drain
from runner.model.operation import Outcome
from runner.model.stage import Binding, Stage
from runner.state.journal import Draft, Header, Journal, OpRow
from runner.state.queue import Queue

number = int(sys.argv[1])

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

header = Header("run", "name", "", "{}", "digest", "0", "planning", "run", 0.0)
with contextlib.closing(Journal.create(Path(sys.argv[2]) / "big.journal", header)) as journal:
    stages = [Stage(1, "p", "p", "mkdir", "", "write"), Stage(2, "p", "p", "upload", "", "write")]
    journal.add_stages(stages, [Binding(1, 1, "parent"), Binding(1, 2, "parent")])
    start, before = time.process_time(), resident()
    draft = Draft()
    for folder in range(number // 100):
        above = journal.new_path()
        draft.paths.append((above, None, f"d{folder}"))
        draft.ops.append(OpRow(1, above, "folder", 0, 0, "", None, None, "", "", "", "new"))
        for file in range(99):
            path = journal.new_path()
            draft.paths.append((path, above, f"d{folder}/f{file}"))
            draft.ops.append(OpRow(2, path, "file", 1, 1, "g", None, 0, "", "", "", "new"))
        if len(draft) >= 1000:
            journal.add(draft)
            draft = Draft()
    journal.add(draft)
    planned = time.process_time() - start
    queue, done = Queue(journal), 0
    for stage in (1, 2):
        while some := queue.take(stage, most_tries=0):
            queue.finish(stage, [(op.id, Outcome()) for op in some])
            done += len(some)
    drained = time.process_time() - start - planned
    left = journal.database.rows("SELECT count(*) FROM op WHERE state != 'done'")[0][0]
    print(done, left, resident() - before, planned / number * 1e6, drained / number * 1e6)
"""

RUN = """
import asyncio, resource, sys, time
from pathlib import Path
from runner import app
from runner.manifest.load import loads
from runner.backends.memory import Memory, MemoryConfig, Tree, _TREES
from runner.model.checksum import Checksum
from runner.model.node import Node

number, folder = int(sys.argv[1]), Path(sys.argv[2])
text = '''
version: 1
name: scale
remotes: { src: { type: memory, store: s }, dst: { type: memory, store: d } }
jobs: { job: { pairs: [{ source: "src:", destination: "dst:", mode: mirror }] } }
'''

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

tree = _TREES.setdefault("s", Tree())
empty = Checksum.of("md5", b"")
for one in range(number // 100):
    tree.children["root"][f"d{one}"] = Node(f"d{one}", "folder", id=f"i{one}")
    tree.children[f"i{one}"] = {
        f"f{file}": Node(f"f{file}", "file", 0, 1, empty, f"{one}.{file}", f"g{one}.{file}")
        for file in range(99)
    }
    tree.contents.update({f"g{one}.{file}": b"" for file in range(99)})
manifest = loads(text, str(folder / "job.yaml"))
for case in ("plan", "run"):
    before, start = resident(), time.process_time()
    result = asyncio.run(getattr(app, case)(manifest, app.Options(folder)))
    print(case, int(result.code), resident() - before, (time.process_time() - start) / number * 1e6)
print(len(_TREES["d"].children) - 1, sum(map(len, _TREES["d"].children.values())))
"""


def said(script: str, folder: Path) -> list[list[str]]:
    """What a process of its own said of itself, line by line: its memory is nobody else's."""
    command = [sys.executable, "-c", script, str(NUMBER), str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    return [line.split() for line in output.splitlines()]


@pytest.mark.slow
@pytest.mark.torture
def test_P13_a_journal_of_100_000_operations_is_filled_and_drained_in_flat_memory(tmp_path: Path) -> None:
    ((done, left, grown, planned_us, drained_us),) = said(MEASURE, tmp_path)

    print(f"planned {float(planned_us):.1f} us, drained {float(drained_us):.1f} us of CPU an operation")

    assert (int(done), int(left)) == (NUMBER, 0)
    assert int(grown) < 32 << 20


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.torture
def test_P13_a_plan_of_100_000_operations_takes_flat_memory(tmp_path: Path) -> None:
    plan, run, (folders, nodes) = said(RUN, tmp_path)

    print(
        f"plan {float(plan[3]):.0f} us, run {float(run[3]):.0f} us of CPU an operation, {run[2]} bytes more"
    )

    assert (plan[:2], run[:2]) == (["plan", "0"], ["run", "0"])
    assert int(plan[2]) < 48 << 20
    assert (int(folders), int(nodes)) == (NUMBER // 100, NUMBER)
