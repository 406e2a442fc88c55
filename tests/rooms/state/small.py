"""A small journal by hand: a line of stages, and operations at a few paths."""

from pathlib import Path

from runner.model.stage import Binding, Stage
from runner.state.journal import Draft, Header, Journal, OpRow

MKDIR, UPLOAD, TRASH = 1, 2, 3
STAGES = [Stage(i, "p", "p", task, "", "write") for i, task in enumerate(("mkdir", "upload", "trash"), 1)]
BINDINGS = [
    Binding(MKDIR, MKDIR, "parent"),
    Binding(MKDIR, UPLOAD, "parent"),
    Binding(UPLOAD, TRASH, "all"),
    Binding(TRASH, TRASH, "children"),
]
HEADER = Header("run", "name", "", "{}", "digest", "0", "planning", "run", 0.0)


def row(stage: int, path: int, waits: int = 0, *, size: int = 0) -> OpRow:
    """A planned operation; its number is that of its place in the journal."""
    return OpRow(stage, path, "file", size, waits, "s", None, 0, "", "", "", "because")


def journal(folder: Path, *ops: OpRow, paths: dict[int, tuple[int | None, str]] | None = None) -> Journal:
    """A journal with these operations; paths: parent and text by number."""
    made = Journal.create(folder / "small.journal", HEADER)
    made.add_stages(STAGES, BINDINGS)
    known = paths or {op.path: (None, f"f{op.path}") for op in ops}
    made.add(Draft([(id_, *rest) for id_, rest in known.items()], list(ops)))
    return made


def states(made: Journal) -> list[str]:
    """The state of every operation, in the order of their numbers."""
    return [str(state) for (state,) in made.database.rows("SELECT state FROM op ORDER BY id")]
