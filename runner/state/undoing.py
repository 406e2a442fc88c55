"""The operations of an undo, bound to each other once all of them are in the journal: a few statements, set by set."""

from collections.abc import Mapping
from typing import NamedTuple

from runner.state.journal import Journal

_FOLDER = "rtrim(rtrim(path.path, replace(path.path, '/', '')), '/')"
"""The folder above a path, in SQL: what is left when all but the slashes is trimmed away, and then the slash."""

_MOST = 500


class Wanted(NamedTuple):
    """Content that must be in the trash, and nobody wrote down under which name.

    op: its number; generation, digest: of the content.
    """

    op: int
    path: str
    generation: str
    digest: str


def without_ref(journal: Journal, stage: int) -> list[Wanted]:
    """The files of this stage that nobody knows how to bring back. At most what was under way at a kill."""
    query = (
        "SELECT op.id, path.path, source, ours FROM op JOIN path ON path.id = op.path"
        " WHERE stage = ? AND node = 'file' AND ref = ''"
    )
    return [Wanted(*row) for row in journal.database.rows(query, stage)]  # type: ignore[arg-type]


def found(journal: Journal, stages: Mapping[str, int], refs: Mapping[int, str]) -> None:
    """Write down what brings it back, for the look at its path too."""
    with journal.database.transaction() as connection:
        connection.executemany(
            "UPDATE op SET ref = ? WHERE stage IN (?, ?) AND path = (SELECT path FROM op WHERE id = ?)",
            ((ref, stages["look"], stages["restore"], op) for op, ref in refs.items()),
        )


def folders_missing(journal: Journal, restore: int, unmove: int, after: str) -> list[str]:
    """The next folders, sorted, above what these two stages bring back that no operation of theirs names."""
    here = "FROM op JOIN path ON path.id = op.path WHERE op.stage IN (?1, ?2)"
    query = (
        f"SELECT DISTINCT {_FOLDER} AS folder {here} AND folder > ?3 EXCEPT SELECT path.path {here}"
        f" ORDER BY 1 LIMIT {_MOST}"
    )
    return [str(folder) for (folder,) in journal.database.rows(query, restore, unmove, after)]


def bind(journal: Journal, stages: Mapping[str, int]) -> None:
    """Give each path the folder above it, where an operation is about that, and count what waits for what."""
    restore, unmove, clear = stages["restore"], stages["unmove"], stages["clear"]
    with journal.database.transaction() as connection:
        connection.execute(
            "CREATE TEMP TABLE folder (stage, path TEXT, id INTEGER, PRIMARY KEY (stage, path))"
        )
        try:
            connection.execute(
                "INSERT OR IGNORE INTO temp.folder SELECT op.stage, path.path, path.id FROM op"
                " JOIN path ON path.id = op.path WHERE op.stage IN (?, ?) AND op.node = 'folder'",
                (restore, clear),
            )
            connection.execute(
                "UPDATE path SET parent = (SELECT folder.id FROM temp.folder"  # noqa: S608
                f" WHERE folder.stage = iif(op.stage = ?1, ?1, ?2) AND folder.path = {_FOLDER})"
                " FROM op WHERE op.path = path.id AND op.stage IN (?1, ?2, ?3)",
                (clear, restore, unmove),
            )
            connection.execute(
                "UPDATE op SET waits = waits + 1 FROM path"
                " WHERE path.id = op.path AND path.parent IS NOT NULL AND op.stage IN (?, ?)",
                (restore, unmove),
            )
            connection.execute(
                "UPDATE op SET waits = waits + below.number FROM (SELECT path.parent AS id, count(*) AS number"
                " FROM op JOIN path ON path.id = op.path WHERE op.stage = ?1 AND path.parent IS NOT NULL"
                " GROUP BY path.parent) AS below WHERE op.stage = ?1 AND op.path = below.id",
                (clear,),
            )
        finally:
            connection.execute("DROP TABLE temp.folder")
