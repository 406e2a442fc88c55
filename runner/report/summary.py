"""What a plan or run comes to, pair by pair: a few queries on its journal."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.manifest.manifest import Job, Manifest, from_canonical
from runner.model.pair import Pair
from runner.model.tally import Amount, Check
from runner.state.account import Account, Group, StageFigures
from runner.state.journal import Header, Journal
from runner.tasks import UNDO

REFUSED = "a guard refused"
"""Why a pair is held whose own guard, or that of another pair of its wave, refused the plan."""

_NONE = Amount()
_NOT_DONE = {"planned": "pending", "taken": "pending", "failed": "failed", "stale": "stale", "held": "held"}


@dataclass(slots=True)
class PairSummary:
    """The numbers of one pair.

    listed: by side; unchanged: by what proves it; new, changed, moved, trashed: files that are or were to be
    treated so; paired: those of the moved that would be new and trashed, had they not been recognised;
    leaving: those that a move takes out of the source. sent: those that were, by what proves them;
    removed: those that are in the trash now; retired: those in the source's; replaced: those that were sent in
    place of others. Of an undo, new are those that come back from the trash, changed those that get their old
    content, restored and reverted those that did; back: those that were back already; made: what the run made.
    undone: what did not happen, by why: pending, failed, stale, held, counted in operations; unsent: files
    among them that were to be sent.
    aliased: files whose own name is a twin's at the destination.
    unkept: empty folders of the source, where the destination keeps none.
    blocked: entries that cannot be kept in step; gaps: parts that could not be listed, by side.
    foreseen: paths of the source that a plan takes to be as an earlier job will leave them; untimed: files among
    them of whose times nothing is known before.
    guard: "" when it has not spoken, else "ok" or its objections; checks: each limit with its numbers.
    holds: why stages were held or failed.
    """

    pair: Pair
    listed: dict[str, Amount] = field(default_factory=dict)
    unchanged: dict[str, Amount] = field(default_factory=dict)
    new: Amount = _NONE
    changed: Amount = _NONE
    moved: Amount = _NONE
    paired: Amount = _NONE
    trashed: Amount = _NONE
    leaving: Amount = _NONE
    new_folders: int = 0
    moved_folders: int = 0
    trashed_folders: int = 0
    made_folders: int = 0
    renamed_folders: int = 0
    sent: dict[str, Amount] = field(default_factory=dict)
    renamed: Amount = _NONE
    removed: Amount = _NONE
    retired: Amount = _NONE
    replaced: Amount = _NONE
    restored: Amount = _NONE
    reverted: Amount = _NONE
    back: Amount = _NONE
    made: Amount = _NONE
    read_back: int = 0
    undone: Counter[str] = field(default_factory=Counter)
    unsent: int = 0
    blocked: int = 0
    gaps: Counter[str] = field(default_factory=Counter)
    left: int = 0
    aliased: int = 0
    unkept: int = 0
    excluded: int = 0
    links: int = 0
    foreseen: int = 0
    untimed: int = 0
    guard: str = ""
    checks: list[Check] = field(default_factory=list)
    holds: dict[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> int:
        """Operations that the plan asks for."""
        files = self.new.number + self.changed.number + self.moved.number + self.trashed.number
        files += self.leaving.number
        return files + self.new_folders + self.moved_folders + self.trashed_folders

    @property
    def read(self) -> bool:
        """Were both sides listed and matched, whole or not?"""
        return "source" in self.listed and "match" not in self.holds

    @property
    def bytes_to_send(self) -> int:
        """Bytes of all files that are new or changed."""
        return self.new.size + self.changed.size

    @property
    def all_sent(self) -> Amount:
        """What went over, however proven."""
        return total(self.sent.values())

    @property
    def all_unchanged(self) -> Amount:
        """What needed nothing, however proven."""
        return total(self.unchanged.values())


@dataclass(slots=True)
class Summary:
    """A whole plan or run.

    hooks: stages that no pair owns, and how they stand. refused: fingerprints of the plans that a guard refused
    and a person may accept; accepted: of those that somebody has; changed: somebody accepted another plan.
    """

    header: Header
    manifest: Manifest
    pairs: list[PairSummary]
    hooks: list[StageFigures]
    refused: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    changed: bool = False

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs, each after those it needs."""
        return self.manifest.jobs

    @property
    def changes(self) -> int:
        """Operations that the plan asks for."""
        return sum(pair.changes for pair in self.pairs)


def summary(journal: Journal) -> Summary:
    """The numbers of a journal, finished or not."""
    header, account = journal.header, Account(journal)
    manifest = from_canonical(header.manifest)
    pairs = {pair.name: PairSummary(pair) for pair in manifest.pairs}
    stages, checks = account.stages(), account.checks()
    for stage in stages:
        if stage.pair in pairs:
            _add_stage(pairs[stage.pair], stage, account.counts(stage.id), checks.get(stage.id, []))
    for group in account.groups():
        if group.pair in pairs:
            _add_group(pairs[group.pair], group)
    for name, task, kind, number in account.problem_kinds():
        if name not in pairs:
            continue
        if task == "match" or kind == "blocked":
            pairs[name].blocked += number
    hooks = [stage for stage in stages if stage.task == "hook"]
    doors = [(c.level, c.text) for s in stages if s.task == "accept" for c in checks.get(s.id, ())]
    refused, accepted, changed = (
        [text for level, text in doors if level == wanted] for wanted in ("refused", "ok", "warn")
    )
    return Summary(header, manifest, list(pairs.values()), hooks, refused, accepted, bool(changed))


def total(amounts: Iterable[Amount]) -> Amount:
    """The sum of amounts."""
    result = Amount()
    for amount in amounts:
        result = result.plus(*amount)
    return result


def _add_stage(
    numbers: PairSummary, stage: StageFigures, counts: dict[str, Amount], checks: list[Check]
) -> None:
    if stage.task == "list":
        if "listed" in counts:
            numbers.listed[stage.side] = counts["listed"]
        numbers.gaps[stage.side] = counts.get("gaps", Amount()).number
        if stage.side == "source":
            numbers.excluded = counts.get("excluded", Amount()).number
            numbers.links = counts.get("links", Amount()).number
            numbers.foreseen = counts.get("foreseen", Amount()).number
            numbers.untimed = counts.get("untimed", Amount()).number
    elif stage.task == "match":
        for what, files in counts.items():
            word, _, proof = what.partition(" ")
            if word == "unchanged":
                _plus(numbers.unchanged, proof, files)
            elif word in ("left", "aliased", "unkept"):
                setattr(numbers, word, files.number)
    elif stage.task == "recall":
        numbers.made = counts.get("made", _NONE)
    elif stage.task == "rename":
        numbers.paired = counts.get("renamed", _NONE)
    if stage.task == "guard" and stage.state in ("done", "failed"):
        against = [check.text for check in checks if check.level in ("final", "refused")]
        numbers.guard = "; ".join(against) or ("ok" if stage.state == "done" else stage.why)
        numbers.checks = checks
    elif stage.why:  # of a plan's own stages too: what holds them is known before they begin
        why = f"held back: {REFUSED}" if stage.why.startswith("held back: accept ") else stage.why
        numbers.holds[f"{stage.task} {stage.side}".strip()] = why


def _add_group(numbers: PairSummary, group: Group) -> None:
    files = Amount(group.number, group.size)
    if group.task == "hash":
        if group.state == "same":
            _plus(numbers.unchanged, group.proof, files)
        elif group.state == "failed":
            if group.kind == "blocked":
                numbers.blocked += group.number
            else:
                numbers.undone["failed"] += group.number
        return
    if group.task == "look":
        if group.state == "same":
            numbers.back = numbers.back.plus(*files)
        elif group.state in ("failed", "stale"):
            numbers.undone[group.state] += group.number
            numbers.undone["held"] -= group.number  # what the look held back is told of once
        return
    if group.state == "same" or group.task == "barrier":  # what that found stands in `holds`
        return
    if group.state == "held" and group.task in UNDO:
        numbers.undone["held"] += group.number
        return
    _add_planned(numbers, group, files)
    if group.state == "done":
        _add_done(numbers, group, files)
    else:
        numbers.undone[_NOT_DONE[group.state]] += group.number
        numbers.unsent += group.number if group.task == "upload" else 0


def _add_planned(numbers: PairSummary, group: Group, files: Amount) -> None:
    match group.task, group.node:
        case ("mkdir", _) | ("restore", "folder"):
            numbers.new_folders += group.number
        case (("upload" | "restore"), _) if group.replaces:
            numbers.changed = numbers.changed.plus(*files)
        case (("upload" | "restore"), _):
            numbers.new = numbers.new.plus(*files)
        case (("move" | "respell" | "unmove"), "folder"):
            numbers.moved_folders += group.number
        case (("move" | "unmove"), _):
            numbers.moved = numbers.moved.plus(*files)
        case ("trash", "folder") | ("clear", _):
            numbers.trashed_folders += group.number
        case (("trash" | "discard"), _):
            numbers.trashed = numbers.trashed.plus(*files)
        case "retire", _:
            numbers.leaving = numbers.leaving.plus(*files)


def _add_done(numbers: PairSummary, group: Group, files: Amount) -> None:
    match group.task, group.node:
        case "upload", _:
            _plus(numbers.sent, group.proof, files)
            if group.replaces:
                numbers.replaced = numbers.replaced.plus(*files)
        case (("move" | "respell" | "unmove"), "folder"):
            numbers.renamed_folders += group.number
        case "restore", "folder":
            numbers.made_folders += group.number
        case "restore", _ if group.replaces:
            numbers.reverted = numbers.reverted.plus(*files)
        case "restore", _:
            numbers.restored = numbers.restored.plus(*files)
        case ("move", _) | ("unmove", _):
            numbers.renamed = numbers.renamed.plus(*files)
        case ("trash", "file") | ("discard", _):
            numbers.removed = numbers.removed.plus(*files)
        case "retire", _:
            numbers.retired = numbers.retired.plus(*files)
        case "mkdir", _:
            numbers.made_folders += group.number
        case "verify", _:
            numbers.read_back += group.number


def _plus(amounts: dict[str, Amount], key: str, files: Amount) -> None:
    amounts[key] = amounts.get(key, Amount()).plus(*files)
