"""The limits of a pair's guard that are judged by numbers, of this plan and of the last good run."""

import time
from collections.abc import Iterator

from runner.model.pair import Pair
from runner.model.show import show_percent, show_size
from runner.model.tally import Amount, Check, Seen, Tally

_WHY_NO_HISTORY = (
    "while no good run of this pair is on record here: a first run into a place that holds files already,"
    " or the state directory was lost, or the manifest or one of the places was renamed"
)


def checks_of(pair: Pair, tally: Tally, last: Seen | None) -> Iterator[Check]:
    """Hold the finished plan against every limit, in the order of a manifest; what passes is told too."""
    for judge in (_source, _shrink, _filter, _trash, _overwrite, _destination):
        yield from judge(pair, tally, last)
    if last is None:
        yield Check("history", "note", "no good run of this pair is on record to compare with")
    else:
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(last.ended))
        yield Check(
            "history",
            "note",
            f"the last good run, {last.run} ({when}), listed {_amount(last.source)} in the source"
            f" and left {_amount(last.destination)} at the destination",
        )


def _source(pair: Pair, tally: Tally, last: Seen | None) -> Iterator[Check]:
    least, there = pair.guard.source.min_files, tally.source.number
    if there < least:
        yield _refusal(pair, "source.min_files", f"{least:,}", f"only {there:,} are there")
    if there or pair.guard.source.empty == "allow":
        return
    seen = [f"the destination holds {_amount(tally.destination)}"] if tally.destination.number else []
    if last and last.source.number:
        seen.append(f"the last good run found {_amount(last.source)} in it")
    if seen:
        yield _refusal(pair, "source.empty", "refuse", f"the source is empty, while {' and '.join(seen)}")


def _shrink(pair: Pair, tally: Tally, last: Seen | None) -> Iterator[Check]:
    """Not of a source with gaps, which is told of itself, nor with another filter, which has a limit of its own."""
    if last is None or tally.gaps or not tally.source.number or last.filter != pair.filter.digest:
        return
    limit, lost = pair.guard.shrink, _less(tally.source, last.source)
    share = _share(lost, last.source)
    text = (
        f"the source holds {_amount(tally.source)}, {show_percent(share)} less than the {_amount(last.source)}"
        " of the last good run"
    )
    if lost.number > limit.always and share > limit.max:
        yield _refusal(pair, "shrink.max", show_percent(limit.max), text)
    elif lost.number:
        yield Check(
            "shrink", "ok", f"{text}; limit {show_percent(limit.max)}, but {limit.always:,} files always"
        )


def _filter(pair: Pair, tally: Tally, last: Seen | None) -> Iterator[Check]:
    """A changed filter needs a look at the plan when more than a few files leave its sight or would be trashed.

    Seen on both sides, since new files may hide it on one: what the destination was left with and no longer
    shows is out of sight, for nobody else writes there.
    """
    if last is None or last.filter == pair.filter.digest or tally.gaps:
        return
    ours, theirs = _less(tally.source, last.source), _less(tally.destination, last.destination)
    gone = max(ours, theirs)
    text = (
        f"the filter has changed since the last good run: {_amount(gone)} of that run are out of sight and stay as"
        f" they are, {_amount(tally.trash)} would be trashed"
    )
    always = pair.guard.trash.always
    if gone.number + tally.trash.number > always:
        yield _refusal(pair, "trash.always", f"{always:,}", text)
    else:
        yield Check("filter", "warn", text)


def _trash(pair: Pair, tally: Tally, last: Seen | None) -> Iterator[Check]:
    limit, part, whole = pair.guard.trash, tally.trash, tally.destination
    share = _share(part, whole)
    raw = _raw(tally)
    would = f"{_amount(part)} of {_amount(whole)} would be trashed{raw and f' ({raw})'}"
    refused = False
    if part.number > limit.max_files:
        refused = True
        yield _refusal(pair, "trash.max_files", f"{limit.max_files:,}", would)
    if limit.max_bytes is not None and part.size > limit.max_bytes:
        refused = True
        yield _refusal(pair, "trash.max_bytes", show_size(limit.max_bytes), would)
    if part.number > limit.always and share > limit.max:
        refused = True
        yield _refusal(pair, "trash.max", show_percent(limit.max), f"{would} ({show_percent(share)})")
    if last is None and limit.no_history == "refuse" and part.number > limit.always:
        refused = True
        yield _refusal(pair, "trash.no_history", "refuse", f"{would}, {_WHY_NO_HISTORY}")
    if (part.number or tally.renamed.number) and not refused:
        most = f"{limit.max_files:,}"
        if limit.max_bytes is not None:
            most += f" or {show_size(limit.max_bytes)}"
        limits = f"limit {show_percent(limit.max)}, but {limit.always:,} always and {most} at most"
        yield Check("trash", "ok", f"trashes {_of(part, whole, share)}{raw and f', {raw}'}; {limits}")


def _raw(tally: Tally) -> str:
    """How many it would be, had no file been recognised as renamed."""
    return f"{tally.trash.number + tally.renamed.number:,} without renames" if tally.renamed.number else ""


def _overwrite(pair: Pair, tally: Tally, last: Seen | None) -> Iterator[Check]:
    limit, part, whole = pair.guard.overwrite, tally.replace, tally.destination
    share = _share(part, whole)
    if part.number > limit.always and share > limit.max:
        would = f"{_amount(part)} of {_amount(whole)} would be overwritten ({show_percent(share)})"
        yield _refusal(pair, "overwrite.max", show_percent(limit.max), would)
    elif part.number:
        limits = f"limit {show_percent(limit.max)}, but {limit.always:,} always"
        yield Check("overwrite", "ok", f"overwrites {_of(part, whole, share)}; {limits}")


def _destination(pair: Pair, tally: Tally, last: Seen | None) -> Iterator[Check]:
    """Nothing is lost by sending everything again, so it is told and not refused."""
    if (
        last
        and last.destination.number
        and not tally.destination.number
        and last.filter == pair.filter.digest
    ):
        text = f"the destination is empty, though the last good run left {_amount(last.destination)} there"
        yield Check("destination", "warn", text)


def _refusal(pair: Pair, limit: str, value: str, but: str) -> Check:
    where = pair.limits.get(limit) or (
        f"default, for the pair at {pair.place}" if pair.place.file else "default"
    )
    return Check(limit, "refused", f"{limit} is {value} ({where}), but {but}")


def _less(now: Amount, then: Amount) -> Amount:
    return Amount(max(0, then.number - now.number), max(0, then.size - now.size))


def _share(part: Amount, whole: Amount) -> float:
    by_count = part.number / whole.number if whole.number else 0.0
    by_size = part.size / whole.size if whole.size else 0.0
    return max(by_count, by_size)


def _amount(amount: Amount) -> str:
    return f"{amount.number:,} file{'s' * (amount.number != 1)} ({show_size(amount.size)})"


def _of(part: Amount, whole: Amount, share: float) -> str:
    files = f"{whole.number:,} file{'s' * (whole.number != 1)}"
    return f"{part.number:,} of {files} ({show_percent(share)})"
