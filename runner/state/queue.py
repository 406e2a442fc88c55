"""Kahn's algorithm as SQL: take ready operations, finish them, release what waited for them."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runner.model.errors import AcdrunError
from runner.model.foresight import UNMADE
from runner.model.operation import Operation, Outcome, State
from runner.state.database import sql
from runner.state.journal import Draft, Journal, insert

_TAKE = """
SELECT op.id, path.path, op.size, op.tries, op.again, op.source, op.destination, op.mtime_ns, op.ours,
    op.digest, op.origin, op.target, op.ref, op.node, op.stored
FROM op INDEXED BY op_ready CROSS JOIN path ON path.id = op.path
WHERE op.stage = ? AND op.state = 'planned' AND op.waits = 0 AND op.tries <= ?
ORDER BY op.tries, op.id LIMIT ?
"""

_FINISH = (
    "UPDATE op SET state = ?1, proof = ?2, ref = iif(?1 = 'done', ?3, ref), note = ?4, kind = ?5, exit = ?6,"
    " stored = ?7, ours = coalesce(nullif(?8, ''), ours), tries = tries + 1 WHERE id = ?9"
)
_RETRY = (
    "UPDATE op SET state = 'planned', again = 1, note = ?, kind = ?, exit = ?, tries = tries + 1 WHERE id = ?"
)
_HAND_ON = (
    "UPDATE op SET stored = ? WHERE path = (SELECT path FROM op WHERE id = ?) AND state = 'planned'"
    " AND stage IN (SELECT after FROM edge WHERE before = ? AND how = 'each')"
)
_FOLLOWED = (
    "SELECT 1 FROM edge CROSS JOIN op INDEXED BY op_place ON op.stage = edge.after"
    " WHERE edge.before = ? AND edge.how IN ('each', 'parent', 'children') LIMIT 1"
)
_FRONT = (
    "INSERT INTO temp.front SELECT op.id, op.stage, op.path, path.parent"
    " FROM json_each(?) AS one CROSS JOIN op ON op.id = one.value CROSS JOIN path ON path.id = op.path"
)
_ONES = "WHERE id IN (SELECT value FROM json_each(?))"
"""One statement for many operations, given as a JSON list: as one statement each they cost twice as much."""

_FED = """
SELECT next.id, made.stored, made.state = 'done' AND made.stored <> '' AND NOT (
    instr(next.ours, ':') > 0 AND made.ours <> next.ours
    AND substr(made.ours, 1, instr(made.ours, ':')) = substr(next.ours, 1, instr(next.ours, ':')))
FROM op AS next INDEXED BY op_made CROSS JOIN op AS made ON made.id = next.made
WHERE next.made IS NOT NULL AND made.stage = ? AND next.source = ? AND next.state = 'planned'
"""
"""Operations planned on a file that this stage was to make: id, the generation it left, and whether it is that file."""

_FEED = (
    "UPDATE op SET source = (SELECT stored FROM temp.fed WHERE fed.op = op.id)"
    " WHERE id IN (SELECT op FROM temp.fed WHERE fits)"
)
_NOT_AS_PLANNED = Outcome(
    State.STALE, note="an earlier job has left something else than was planned on", kind="stale", exit=3
)
_ENDED = (
    "SELECT id, state, proof FROM op INDEXED BY op_place"
    " WHERE stage = ? AND path = ? AND state NOT IN ('planned', 'taken')"
)

_SPREAD = {State.SAME: State.SAME, State.FAILED: State.HELD, State.STALE: State.HELD, State.HELD: State.HELD}
"""What becomes of the operations that wait for one that ended so."""

End = tuple[int, Outcome]
"""An operation and what became of it."""

BATCH_OPS = 500
BATCH_BYTES = 64 << 20
BOUND = sql("bound")
RELEASE = (
    f"UPDATE op SET waits = waits - bound.number FROM (SELECT op, count(*) AS number FROM ({BOUND}) GROUP BY op)"  # noqa: S608
    " AS bound WHERE op.id = bound.op"
)


class Standing(NamedTuple):
    """A stage in the journal: how far it is."""

    id: int
    state: str
    effect: str
    why: str


class Queue:
    """Takes and finishes operations of a journal, a batch at a time, one commit a batch."""

    def __init__(self, journal: Journal) -> None:
        self._database = journal.database
        with self._database.transaction() as connection:
            connection.execute("CREATE TEMP TABLE IF NOT EXISTS front (op, stage, path, parent)")
        rows = self._database.rows(
            "SELECT DISTINCT before FROM edge WHERE how IN ('each', 'parent', 'children')"
        )
        self._binding = {row[0] for row in rows}
        rows = self._database.rows("SELECT DISTINCT before FROM edge WHERE how = 'parent'")
        self._above = [int(str(before)) for (before,) in rows]

    def reopen(self) -> int:
        """After a crash: what was taken is planned again, marked as perhaps done; return how many."""
        with self._database.transaction() as connection:
            return connection.execute(
                "UPDATE op SET state = 'planned', again = 1 WHERE state = 'taken'"
            ).rowcount

    def take(
        self,
        stage: int,
        *,
        most_tries: int,
        limit: int = BATCH_OPS,
        ended: Sequence[End] = (),
        retried: Sequence[End] = (),
    ) -> list[Operation]:
        """Ready operations of a stage, marked as taken; fresh ones before those that were tried.

        Durable when it returns: whoever finds them taken later knows that their effect may be there.
        ended, retried: what is to be written down by the same commit; see `finish`.
        """
        self._database.firmly()
        with self._database.transaction() as connection:
            self._finish(connection, stage, ended, retried)
            taken: list[Operation] = []
            size = 0
            for row in connection.execute(_TAKE, (stage, most_tries, limit)):
                op = Operation(*row)
                size += op.size
                if taken and size > BATCH_BYTES:
                    break  # a large file is a batch of its own: no small one waits for it to be done
                taken.append(op)
            _update(connection, "state = 'taken'", (op.id for op in taken))
        return taken

    def put_back(self, ids: Iterable[int]) -> None:
        """Taken but never started: as if they had not been taken."""
        with self._database.transaction() as connection:
            _update(connection, "state = 'planned'", ids)

    def finish(self, stage: int, ended: Sequence[End], retried: Sequence[End] = ()) -> None:
        """Write down how operations ended, and release or stop what waits for them."""
        with self._database.transaction() as connection:
            self._finish(connection, stage, ended, retried)

    def _finish(
        self, connection: sqlite3.Connection, stage: int, ended: Sequence[End], retried: Sequence[End]
    ) -> None:
        connection.executemany(_FINISH, ((*outcome, op) for op, outcome in ended))
        connection.executemany(_RETRY, ((o.note, o.kind, o.exit, op) for op, o in retried))
        if not ended or stage not in self._binding or not connection.execute(_FOLLOWED, (stage,)).fetchone():
            return
        for state in State:
            some = [(op, outcome) for op, outcome in ended if outcome.state is state]
            if state is State.DONE:
                left = ((outcome.stored, op, stage) for op, outcome in some if outcome.stored)
                connection.executemany(_HAND_ON, left)
                self._release(connection, (op for op, _ in some))
            elif some:
                self._spread(connection, (op for op, _ in some), _SPREAD[state], some[0][1].proof)

    def _release(self, connection: sqlite3.Connection, ops: Iterable[int]) -> None:
        self._stand_in_front(connection, ops)
        connection.execute(RELEASE)

    def _spread(self, connection: sqlite3.Connection, ops: Iterable[int], state: State, proof: str) -> None:
        """What needs no work spares the others at its path theirs, and is no hindrance to those above and below."""
        while bound := self._bound(connection, ops):
            same = state is State.SAME
            ops = [op for op, _, how in bound if how == "each" or not same]
            connection.executemany(
                "UPDATE op SET waits = waits - ? WHERE id = ?",
                ((count, op) for op, count, how in bound if how != "each" and same),
            )
            _update(connection, "state = ?, proof = ?", ops, state, proof)

    def _bound(self, connection: sqlite3.Connection, ops: Iterable[int]) -> list[tuple[int, int, str]]:
        self._stand_in_front(connection, ops)
        return connection.execute(f"SELECT op, count(*), how FROM ({BOUND}) GROUP BY op, how").fetchall()  # noqa: S608

    @staticmethod
    def _stand_in_front(connection: sqlite3.Connection, ops: Iterable[int]) -> None:
        connection.execute("DELETE FROM temp.front")
        connection.execute(_FRONT, (json.dumps(list(ops)),))

    def feed(self, draft: Draft) -> None:
        """Write down more of a plan whose first stages are being worked on.

        What waits for the folder above is released or stopped at once where that has ended. So all that stands
        directly in a folder has to be in one draft: it is what the end of that folder would have met.
        """
        with self._database.transaction() as connection:
            insert(connection, draft)
            for place in {parent for _, parent, _ in draft.paths if parent is not None}:
                for stage in self._above:
                    for op, state, proof in connection.execute(_ENDED, (stage, place)).fetchall():
                        if state == State.DONE:
                            self._release(connection, [op])
                        else:
                            self._spread(connection, [op], _SPREAD[State(state)], proof)

    def begin_ahead(self, stages: Iterable[int]) -> None:
        """Open stages before what they wait for has ended."""
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE stage SET state = 'open' WHERE id = ? AND state = 'waiting'",
                ((id_,) for id_ in stages),
            )

    def hold(self, stage: int, why: str) -> None:
        """Stop all that is left of a stage, and what waits for it."""
        with self._database.transaction() as connection:
            self._hold(connection, stage, why)

    def _hold(self, connection: sqlite3.Connection, stage: int, why: str) -> None:
        left = connection.execute(
            "SELECT id FROM op WHERE stage = ? AND state IN ('planned', 'taken')", (stage,)
        ).fetchall()
        _update(connection, "state = 'held', note = ?", (op for (op,) in left), why)
        if left:
            connection.execute("UPDATE stage SET why = ? WHERE id = ?", (why, stage))
        if stage in self._binding:
            self._spread(connection, [op for (op,) in left], State.HELD, "")

    def waiting_to_retry(self, stage: int) -> bool:
        """Are there operations left that could be taken, were more tries allowed?"""
        query = (
            "SELECT 1 FROM op INDEXED BY op_ready WHERE stage = ? AND state = 'planned' AND waits = 0 LIMIT 1"
        )
        return bool(self._database.rows(query, stage))

    def give_up(self, stage: int) -> None:
        """Operations that wait for another try do not get it; each keeps the error of its last one."""
        with self._database.transaction() as connection:
            given_up = connection.execute(
                "UPDATE op SET state = 'failed' WHERE stage = ? AND state = 'planned' AND waits = 0 AND tries > 0"
                " RETURNING id", (stage,),
            ).fetchall()  # fmt: skip
            if stage in self._binding:
                self._spread(connection, [op for (op,) in given_up], State.HELD, "")

    def standings(self) -> dict[int, Standing]:
        """Where each stage stands, by id."""
        rows = self._database.rows("SELECT id, state, effect, why FROM stage ORDER BY id")
        return {standing.id: standing for standing in (Standing(*row) for row in rows)}  # type: ignore[arg-type]

    def settle(
        self, stage: int, *, failure: AcdrunError | None = None, note: str = ""
    ) -> list[tuple[int, str]]:
        """A stage has no operation left to take: end it, and open or hold the stages that wait for it.

        failure: why it failed, when that is not written in its operations; note: likewise, in words.
        Returns the stages that ended now, this one first, with their state.
        """
        with self._database.transaction() as connection:
            bad = connection.execute(
                "SELECT count(*) FROM op WHERE stage = ? AND state NOT IN ('done', 'same')", (stage,)
            ).fetchone()[0]
            ended = [(stage, "failed" if bad or failure or note else "done")]
            why = note or (f"{bad} operation{'s' * (bad != 1)} did not succeed" if bad else "")
            if failure:
                why = str(failure)
            elif bad and (held := self._why(connection, stage)):
                why = held
            elif bad == 1 and not note:
                why = self._note(connection, stage) or why
            connection.execute(
                "UPDATE stage SET state = ?, why = ?, exit = ? WHERE id = ?",
                (ended[0][1], why, failure.exit if failure else 0, stage),
            )
            self._feed(connection, stage)
            for done, state in ended:  # grows while stages are held in turn
                ended += self._pass_on(connection, done, well=state == "done")
            return ended

    def _feed(self, connection: sqlite3.Connection, stage: int) -> None:
        """Tell operations of later jobs what became of the files they were planned on."""
        leaves = "SELECT 1 FROM stage WHERE id = ? AND task IN ('upload', 'move')"
        if not connection.execute(leaves, (stage,)).fetchone():
            return
        connection.execute("CREATE TEMP TABLE IF NOT EXISTS fed (op INTEGER PRIMARY KEY, stored, fits)")
        connection.execute("DELETE FROM temp.fed")
        connection.execute(f"INSERT INTO temp.fed {_FED}", (stage, UNMADE))
        connection.execute(_FEED)
        other = connection.execute("SELECT op FROM temp.fed WHERE NOT fits").fetchall()
        connection.executemany(_FINISH, ((*_NOT_AS_PLANNED, op) for (op,) in other))
        self._spread(connection, [op for (op,) in other], State.HELD, "")

    @staticmethod
    def _why(connection: sqlite3.Connection, stage: int) -> str:
        return str(connection.execute("SELECT why FROM stage WHERE id = ?", (stage,)).fetchone()[0])

    @staticmethod
    def _note(connection: sqlite3.Connection, stage: int) -> str:
        """What the one operation that did not succeed has said."""
        query = "SELECT note FROM op WHERE stage = ? AND state NOT IN ('done', 'same')"
        return str(connection.execute(query, (stage,)).fetchone()[0])

    def _pass_on(self, connection: sqlite3.Connection, stage: int, *, well: bool) -> list[tuple[int, str]]:
        held: list[tuple[int, str]] = []
        rows = connection.execute(
            "SELECT edge.after, edge.how, stage.state FROM edge JOIN stage ON stage.id = edge.after"
            " WHERE edge.before = ? AND edge.how IN ('all', 'ended')",
            (stage,),
        ).fetchall()
        for after, how, state in rows:
            connection.execute("UPDATE stage SET waits = waits - 1 WHERE id = ?", (after,))
            if how == "all" and not well and state == "waiting":
                title, why = connection.execute(
                    "SELECT trim(task || ' ' || side), why FROM stage WHERE id = ?", (stage,)
                ).fetchone()
                reason = why if why.startswith("held back") else f"held back: {title} did not succeed"
                connection.execute("UPDATE stage SET state = 'held', why = ? WHERE id = ?", (reason, after))
                self._hold(connection, after, reason)
                held.append((after, "held"))
        connection.execute("UPDATE stage SET state = 'open' WHERE state = 'waiting' AND waits = 0")
        return held


def _update(connection: sqlite3.Connection, change: str, ops: Iterable[int], *values: object) -> None:
    """Change these operations alike. values: for the question marks of the change."""
    connection.execute(f"UPDATE op SET {change} {_ONES}", (*values, json.dumps(list(ops))))  # noqa: S608
