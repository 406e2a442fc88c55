"""The changes of a pair as text: counted by kind, then each, or folder by folder where they are many."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from runner.model.path import name, order, show, within
from runner.model.show import show_size
from runner.model.tally import Amount
from runner.report.amounts import amount, count
from runner.report.folding import fold
from runner.report.line import Line, Tone
from runner.report.summary import PairSummary, total
from runner.state.account import Account, Change
from runner.tasks import UNDO

MOST_LINES = 20
"""Lines a pair gets for its changes, before they are told folder by folder."""


class Kind(NamedTuple):
    """A kind of change: how a plan marks it, and which operations are of it (replaces: None for either)."""

    sign: str
    tone: Tone
    word: str
    task: str
    replaces: bool | None = None


NEW = Kind("+", "add", "new", "upload", False)
CHANGED = Kind("~", "change", "changed", "upload", True)
MOVED = Kind(">", "move", "moved, not sent again", "move")
TRASHED = Kind("-", "trash", "to the trash", "trash")
LEAVING = Kind("-", "trash", "to the trash of the source, once each copy is proven", "retire")
BACK = Kind("+", "add", "back from the trash", "restore", False)
REVERTED = Kind("~", "change", "back to the old content; what is there goes to the trash", "restore", True)
MOVED_BACK = Kind(">", "move", "moved back", "unmove")
DISCARDED = Kind("-", "trash", "that the run made, to the trash", "discard")
OTHER = Kind(" ", "", "", "")


def kind_of(change: Change) -> Kind:
    """The kind an operation is of; OTHER for one that changes nothing by itself."""
    if change.task == "upload":
        return CHANGED if change.replaces else NEW
    if change.task == "restore":
        return REVERTED if change.replaces else BACK
    return _KINDS.get(change.task, OTHER)


def came_from(change: Change) -> str:
    """Where a node that is moved is now, with an arrow to its new path; "" for any other."""
    if not change.origin:
        return ""
    return f"{show(change.origin)}{'/' * (change.node == 'folder')} → "


def stored_as(change: Change) -> str:
    """What a file is called at the destination that cannot have its own name there; "" for any other."""
    return f" (as {show(name(change.target))})" if change.target else ""


_KINDS = {
    "mkdir": NEW, "respell": MOVED, "move": MOVED, "trash": TRASHED, "retire": LEAVING,
    "unmove": MOVED_BACK, "discard": DISCARDED, "clear": DISCARDED,
}  # fmt: skip


def change_lines(
    numbers: PairSummary, account: Account, *, verbose: bool, undo: bool = False
) -> Iterator[Line]:
    """Each kind with its changes. verbose: every single one, with its reason. undo: they take others back."""
    files = {
        NEW: numbers.new, CHANGED: numbers.changed, MOVED: numbers.moved, TRASHED: numbers.trashed,
        LEAVING: numbers.leaving,
    }  # fmt: skip
    folders = {NEW: numbers.new_folders, MOVED: numbers.moved_folders, TRASHED: numbers.trashed_folders}
    if undo:
        files = {
            BACK: numbers.new, REVERTED: numbers.changed, MOVED_BACK: numbers.moved, DISCARDED: numbers.trashed,
        }  # fmt: skip
        folders = {BACK: numbers.new_folders, DISCARDED: numbers.trashed_folders}
    some = [kind for kind in files if files[kind].number or folders.get(kind)]
    few = numbers.changes <= MOST_LINES
    told = _each(account.changes_of(numbers.pair.name), verbose=verbose) if few else {}
    for kind in some:
        yield _head(kind, files[kind], folders.get(kind, 0))
        if few:
            yield from told.get(kind, ())
        elif not verbose:
            of_kind = _moved if kind is MOVED else _folded
            yield from of_kind(kind, numbers.pair.name, account, files[kind], MOST_LINES // len(some))
    if verbose and not few:
        yield from (_line(change, verbose=True) for change in account.changes_of(numbers.pair.name))


def _each(changes: Iterable[Change], *, verbose: bool) -> dict[Kind, list[Line]]:
    """Lines by kind; a folder that comes or goes is named by what is in it, unless nothing is."""
    undone = (change for change in changes if change.state != "held" or change.task not in UNDO)
    every = sorted(undone, key=lambda change: order(change.path))
    files: dict[Kind, list[str]] = defaultdict(list)
    for change in every:
        if change.node == "file":
            files[kind_of(change)].append(change.path)
    told: dict[Kind, list[Line]] = {}
    for change in every:
        kind = kind_of(change)
        whole = change.node == "file" or change.origin
        if verbose or whole or not any(within(file, change.path) for file in files[kind]):
            told.setdefault(kind, []).append(_line(change, verbose=verbose))
    return told


def _line(change: Change, *, verbose: bool) -> Line:
    kind = kind_of(change)
    path = show(change.path) or "."
    if change.node == "folder":
        path += "/"
    what = f"{came_from(change)}{path}{stored_as(change)}"
    sized = change.node == "file" and kind is not REVERTED  # of the old content no size was written down
    size = f"  {show_size(change.size)}" if sized else ""
    reason = f"  {change.reason}" if verbose or kind is CHANGED else ""
    predicted = "  (predicted)" if change.predicted and change.state == "planned" else ""
    return Line(f"  {kind.sign}   {what}{size}{reason}{predicted}", kind.tone)


def _folded(kind: Kind, pair: str, account: Account, files: Amount, most: int) -> Iterator[Line]:
    folded, rest = fold(lambda below: account.folders(pair, kind.task, kind.replaces, below), files, most)
    for path, number, size in folded:
        text = f"{count(number)}, {show_size(size)}" if path.endswith("/") else show_size(size)
        if kind is REVERTED:
            text = count(number) if path.endswith("/") else ""
        yield Line(f"  {kind.sign}   {show(path)}  {text}", kind.tone)
    yield from _rest(kind, rest)


def _moved(kind: Kind, pair: str, account: Account, files: Amount, most: int) -> Iterator[Line]:
    """Folder by folder: where most of them went first."""
    folded = account.moved_folders(pair, most)
    for old, new, number, size in folded:
        both = show(old) if old == new else f"{show(old)} → {show(new)}"
        text = f"{count(number)}, {show_size(size)}" if number > 1 else show_size(size)
        yield Line(f"  {kind.sign}   {both}  {text}", kind.tone)
    told = total(Amount(move.number, move.size) for move in folded)
    yield from _rest(kind, Amount(files.number - told.number, files.size - told.size))


def _rest(kind: Kind, rest: Amount) -> Iterator[Line]:
    if rest.number:
        yield Line(
            f"  {kind.sign}   … {rest.number:,} more, {show_size(rest.size)} (-v shows all)", kind.tone
        )


def _head(kind: Kind, files: Amount, folders: int) -> Line:
    number = count(files.number) if kind is REVERTED else amount(files)
    parts = [f"{number} {kind.word}"] if files.number else []
    if folders:
        parts.append(f"{count(folders, 'folder')} {kind.word}")
    return Line(f"  {kind.sign} {', '.join(parts)}", kind.tone)
