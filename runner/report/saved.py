"""A saved plan's own facts: when it was made and until when it holds, who sealed it, what it continues."""

import shlex
import time
from collections.abc import Iterator
from typing import Any

from runner.app.plans import Saved
from runner.model.path import show
from runner.model.show import show_moment
from runner.report.amounts import count
from runner.report.line import Line
from runner.report.summary import Summary

_SEALED = {
    "own": "sealed with this machine's own key",
    "shared": "sealed with the shared key",
    "unknown": "sealed with a key unknown here",
    "unsealed": "without a seal: nothing proves who made it",
    "broken": "not what was saved: what is in it does not fit its seal",
}


def saved_lines(saved: Saved, numbers: Summary, own: str | None = None) -> Iterator[Line]:
    """What `apply` will ask about, and the next command; nothing for the journal of a run.

    own: the manifest that the key was taken from.
    """
    header, limit = saved.header, saved.validity
    if header.purpose != "plan":
        return
    over = limit is not None and time.time() > limit.expires
    source = f" from {show(header.file)}" if header.file else ""
    yield Line(f"made {show_moment(header.created)} by acdrun {show(header.version)}{source}")
    if limit is not None:
        word = "expired" if over else "expires"
        yield Line(f"{word} {show_moment(limit.expires)}", "error" if over else "")
    key = f", {show(saved.seal.key)}" if saved.seal is not None else ""
    yield Line(_SEALED[saved.trust] + key, "" if saved.trust in ("own", "shared") else "error")
    if limit is not None:
        yield Line(f"continues lineage {show(limit.lineage)} at serial {limit.serial:,}", "dim")
    yield Line(_listings(numbers), "dim")
    if limit is not None and limit.weak:
        verb = "looks" if limit.weak == 1 else "look"
        yield Line(f"weak preconditions: {count(limit.weak, 'operation')} {verb} just before writing", "dim")
    if saved.trust not in ("own", "shared") or header.state != "planned":
        return
    if not over:
        words = ["acdrun", "apply", *(["-f", own] if own else []), saved.name]
        yield Line(f"to apply exactly this:  {shlex.join(words)}")
    elif header.file:
        yield Line(f"to plan again:  {shlex.join(['acdrun', '--plan', '--out', 'PLAN', header.file])}")


def saved_record(saved: Saved, numbers: Summary) -> dict[str, Any]:
    """The same as a record. Times are seconds since 1970; whole: every listing came to its end without a gap."""
    limit = saved.validity
    return {
        "record": "saved", "run": saved.header.id, "name": saved.header.name, "file": saved.header.file,
        "digest": saved.header.digest, "version": saved.header.version, "state": saved.header.state,
        "created": saved.header.created, "expires": limit.expires if limit else None,
        "seal": saved.trust, "algorithm": saved.seal.algorithm if saved.seal else None,
        "key": saved.seal.key if saved.seal else None,
        "lineage": limit.lineage if limit else None, "serial": limit.serial if limit else None,
        "weak": limit.weak if limit else None, "whole": _whole(numbers),
    }  # fmt: skip


def _whole(numbers: Summary) -> bool:
    return all(pair.read and not sum(pair.gaps.values()) for pair in numbers.pairs)


def _listings(numbers: Summary) -> str:
    if _whole(numbers):
        some = sum(bool(pair.foreseen) for pair in numbers.pairs)
        predicted = f"; {count(some, 'source')} {'was' if some == 1 else 'were'} predicted in part"
        return f"every listing was whole{predicted if some else ''}"
    gaps = sum(sum(pair.gaps.values()) for pair in numbers.pairs)
    unread = sum(not pair.read for pair in numbers.pairs)
    parts = [f"{count(gaps, 'part')} could not be listed" if gaps else ""]
    parts += [f"{count(unread, 'pair')} could not be read" if unread else ""]
    return f"listings were not whole: {', '.join(filter(None, parts))}"
