"""Plans and runs as records, for programs. `v` is the version of their form; fields may be added to it."""

from collections.abc import Iterator, Mapping
from typing import Any

from runner.model.errors import AcdrunError, ManifestError, Problem
from runner.model.exits import Exit
from runner.model.node import Node
from runner.model.tally import Amount
from runner.remote.secrets import redact
from runner.report.summary import PairSummary, Summary, total
from runner.state.account import Account
from runner.state.journal import Header

Record = Mapping[str, Any]


def plan_records(summary: Summary, account: Account) -> Iterator[Record]:
    """A plan: its run, each pair's numbers, each change, each problem, the sum."""
    yield run_record(summary.header)
    for numbers in summary.pairs:
        yield {"record": "plan", **pair_fields(numbers)}
    yield from change_records(account)
    yield summary_record(summary)


def run_records(summary: Summary, account: Account) -> Iterator[Record]:
    """A run: what became of each change, each problem, each pair's numbers, the sum."""
    yield run_record(summary.header)
    yield from change_records(account)
    for numbers in summary.pairs:
        yield {"record": "pair", **pair_fields(numbers)}
    yield summary_record(summary)


def run_record(header: Header, **more: Any) -> Record:
    """A run, as its journal names it. Times are seconds since 1970."""
    return {
        "record": "run", "run": header.id, "name": header.name, "file": header.file, "digest": header.digest,
        "version": header.version, "purpose": header.purpose, "state": header.state,
        "created": header.created, "begun": header.begun, "ended": header.ended, "exit": header.exit, **more,
    }  # fmt: skip


def change_records(account: Account) -> Iterator[Record]:
    """Every operation, then everything that went wrong. Sizes are bytes."""
    for change in account.changes():
        yield {"record": "change", **change._asdict()}
    for trouble in account.troubles():
        yield {"record": "problem", **trouble._asdict()}


def pair_fields(numbers: PairSummary) -> Record:
    """The numbers of one pair: {"files", "bytes"} wherever both count."""
    pair = numbers.pair
    return {
        "pair": pair.name, "job": pair.job, "source": str(pair.source), "destination": str(pair.destination),
        "mode": pair.mode, "place": str(pair.place),
        "listed": _each(numbers.listed), "unchanged": _each(numbers.unchanged), "new": _both(numbers.new),
        "changed": _both(numbers.changed), "moved": _both(numbers.moved), "trashed": _both(numbers.trashed),
        "renamed": _both(numbers.paired), "bytes_not_sent": numbers.moved.size, "leaving": _both(numbers.leaving),
        "new_folders": numbers.new_folders, "moved_folders": numbers.moved_folders,
        "trashed_folders": numbers.trashed_folders,
        "done": {
            "sent": _each(numbers.sent), "read_back": numbers.read_back, "moved": _both(numbers.renamed),
            "trashed": _both(numbers.removed), "retired": _both(numbers.retired), "folders": numbers.made_folders,
            "moved_folders": numbers.renamed_folders,
            "replaced": _both(numbers.replaced), "restored": _both(numbers.restored),
            "reverted": _both(numbers.reverted),
        },
        "back": _both(numbers.back), "made": _both(numbers.made),
        "undone": dict(numbers.undone), "blocked": numbers.blocked, "gaps": dict(numbers.gaps),
        "left": numbers.left, "aliased": numbers.aliased, "unkept": numbers.unkept,
        "excluded": numbers.excluded, "links": numbers.links,
        "foreseen": numbers.foreseen, "untimed": numbers.untimed,
        "guard": numbers.guard, "checks": [check._asdict() for check in numbers.checks], "holds": numbers.holds,
    }  # fmt: skip


def summary_record(summary: Summary) -> Record:
    """All pairs together."""
    pairs = summary.pairs
    return {
        "record": "summary", "run": summary.header.id, "pairs": len(pairs), "changes": summary.changes,
        "bytes_to_send": sum(p.bytes_to_send for p in pairs),
        "bytes_not_sent": sum(p.moved.size for p in pairs),
        "unchanged": sum(p.all_unchanged.number for p in pairs),
        "sent": _both(total(p.all_sent for p in pairs)),
        "trashed": sum(p.removed.number for p in pairs), "blocked": sum(p.blocked for p in pairs),
        "failed": sum(p.undone["failed"] for p in pairs), "stale": sum(p.undone["stale"] for p in pairs),
        "held": sum(p.undone["held"] for p in pairs), "pending": sum(p.undone["pending"] for p in pairs),
        "refused": summary.refused, "accepted": summary.accepted,
        "hooks": [{"job": h.job, "side": h.side, "state": h.state, "why": h.why} for h in summary.hooks],
    }  # fmt: skip


def problem_record(problem: Problem) -> Record:
    """One thing wrong with a manifest."""
    file, line, column = problem.place
    return {
        "record": "problem", "kind": problem.code, "message": problem.message, "hint": problem.hint,
        "file": file, "line": line, "column": column,
    }  # fmt: skip


def node_record(path: str, node: Node) -> Record:
    """A node of a listing. Times are ns since 1970; changed_ns is the service's own clock."""
    fields = {key: value for key, value in node._asdict().items() if key != "replaced"}
    return {
        "record": "node", "path": path, **fields, "checksum": str(node.checksum) if node.checksum else None,
    }  # fmt: skip


def outcome_record(code: Exit, error: BaseException | None = None) -> Record:
    """The last record of all."""
    record: dict[str, Any] = {"record": "outcome", "exit": int(code), "meaning": code.meaning}
    if isinstance(error, ManifestError):
        record["error"] = {"kind": error.kind, "message": f"{len(error.problems)} problems"}
    elif isinstance(error, AcdrunError):
        place = str(error.place) if error.place else ""
        record["error"] = {"kind": error.kind, "message": str(error), "hint": error.hint, "place": place}
    elif error is not None:
        record["error"] = {"kind": "crash", "message": redact(f"{type(error).__name__}: {error}")}
    return record


def _both(files: Amount) -> Record:
    return {"files": files.number, "bytes": files.size}


def _each(amounts: Mapping[str, Amount]) -> Record:
    return {key: _both(files) for key, files in amounts.items()}
