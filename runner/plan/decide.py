"""Decide what a pairing needs: a table of pure rules, the first that fits wins."""

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import Literal, NamedTuple, get_args

from runner.model.backend import Capabilities
from runner.model.errors import UsageError
from runner.model.node import Kind, Node
from runner.model.pair import Mode

Compare = Literal["hash", "size", "time"]
Answer = Literal["same", "differs", "unknown"]
Sign = Literal["+", "~", ">", "-", "!", "=", " "]


class Facts(NamedTuple):
    """All that a decision depends on; few enough values that each combination is decided once.

    source, destination: the kind of node on that side, None where nothing is.
    size, time, checksum: how the two compare in that; unknown where a side does not tell.
    named: do both have exactly the same name? Otherwise they differ in case or composition only.
    """

    mode: Mode
    compare: Compare
    source: Kind | None
    destination: Kind | None
    size: Answer = "unknown"
    time: Answer = "unknown"
    checksum: Answer = "unknown"
    named: bool = True


class Verdict(NamedTuple):
    """sign: as the plan shows it; reason: the rule in words; tasks: what to do, in order;
    proof: what showed that nothing needs doing, for "=".
    """

    sign: Sign
    reason: str
    tasks: tuple[str, ...] = ()
    proof: str = ""


class Rule(NamedTuple):
    """When it fits, its verdict holds."""

    fits: Callable[[Facts], bool]
    verdict: Verdict


RULES = (
    Rule(lambda f: f.source is None and f.mode != "mirror", Verdict(" ", "only at the destination; {mode} leaves it")),
    Rule(lambda f: f.source is None and f.destination == "other",
         Verdict(" ", "a link or special file at the destination is left alone")),
    Rule(lambda f: f.source is None, Verdict("-", "not in the source any more", ("trash",))),
    Rule(lambda f: f.destination is None and f.source == "folder", Verdict("+", "new folder", ("mkdir",))),
    Rule(lambda f: f.destination is None, Verdict("+", "new", ("upload",))),
    Rule(lambda f: f.source != f.destination, Verdict("!", "a {source} here, a {destination} there")),
    Rule(lambda f: f.source == "folder" and not f.named,
         Verdict(">", "its name differs only in case there", ("respell",))),
    Rule(lambda f: f.source == "folder", Verdict("=", "folder on both sides", proof="folder")),
    Rule(lambda f: not f.named and f.size == "differs", Verdict("!", "its name differs in case there, its size too")),
    Rule(lambda f: f.size == "differs", Verdict("~", "size differs", ("upload",))),
    Rule(lambda f: not f.named and f.checksum == "differs",
         Verdict("!", "its name differs in case there, its content too")),
    Rule(lambda f: not f.named and f.compare == "time" and f.time == "differs",
         Verdict("!", "its name differs in case there, its time too")),
    Rule(lambda f: not f.named and (f.checksum == "same" or f.compare == "size" or
                                           (f.compare == "time" and f.time == "same")),
         Verdict(">", "its name differs only in case there", ("move",))),
    Rule(lambda f: not f.named, Verdict(">", "its name differs only in case there", ("hash", "move"))),
    Rule(lambda f: f.compare == "size", Verdict("=", "same size", proof="size")),
    Rule(lambda f: f.compare == "hash" and f.checksum == "same", Verdict("=", "same checksum", proof="checksum")),
    Rule(lambda f: f.compare == "hash" and f.checksum == "differs", Verdict("~", "checksum differs", ("upload",))),
    Rule(lambda f: f.compare == "hash", Verdict("~", "same size, checksum not known yet", ("hash", "upload"))),
    Rule(lambda f: f.time == "same", Verdict("=", "same size and time", proof="time")),
    Rule(lambda f: f.time == "differs", Verdict("~", "time differs", ("upload",))),
    Rule(lambda f: True, Verdict("~", "same size, time not known", ("upload",))),
)  # fmt: skip


@lru_cache(maxsize=4096)
def decide(facts: Facts) -> Verdict:
    """The verdict of the first rule that fits."""
    verdict = next(rule.verdict for rule in RULES if rule.fits(facts))
    return verdict._replace(
        reason=verdict.reason.format(source=facts.source, destination=facts.destination, mode=facts.mode)
    )


@lru_cache(maxsize=64)
def alone(source: Kind, mode: Mode, compare: Compare) -> Verdict:
    """The verdict on a source node that has no partner: the same for all of that kind."""
    return decide(Facts(mode, compare, source, None))


def whatever(known: Facts, *unknown: Literal["size", "time", "checksum"]) -> Verdict | None:
    """The verdict that holds whatever the answers to these questions are, which then need not be asked; None when
    they matter."""
    cases = product(get_args(Answer), repeat=len(unknown))
    verdicts = {decide(known._replace(**dict(zip(unknown, case, strict=True)))) for case in cases}
    return verdicts.pop() if len(verdicts) == 1 else None


def facts(
    source: Node | None, destination: Node | None, mode: Mode, compare: Compare, step_ns: int | None
) -> Facts:
    """What a decision needs to know of two nodes.

    step_ns: the coarser of the two sides' time steps, in ns; None when one of them keeps no times.
    """
    if source is None or destination is None or source.kind != "file" or destination.kind != "file":
        named = source is None or destination is None or source.name == destination.name
        kinds = source and source.kind, destination and destination.kind
        return Facts(mode, compare, *kinds, named=named)
    return Facts(
        mode,
        compare,
        "file",
        "file",
        "same" if source.size == destination.size else "differs",
        same_time(source.mtime_ns, destination.mtime_ns, step_ns),
        same_checksum(source, destination),
        source.name == destination.name,
    )


def same_time(ours: int | None, theirs: int | None, step_ns: int | None) -> Answer:
    """Two times are the same when the coarser clock cannot tell them apart."""
    if ours is None or theirs is None or step_ns is None:
        return "unknown"
    return "same" if abs(ours - theirs) < step_ns or ours == theirs else "differs"


def same_checksum(source: Node, destination: Node) -> Answer:
    """Only checksums of one algorithm say anything."""
    ours, theirs = source.checksum, destination.checksum
    if ours is None or theirs is None or ours.algorithm != theirs.algorithm:
        return "unknown"
    return "same" if ours.digest == theirs.digest else "differs"


def proof_of_change(wanted: str, source: Capabilities, destination: Capabilities) -> Compare:
    """What `compare` comes to between two places.

    auto: the strongest proof that is cheap. A checksum that one listing carries needs the other side only
        hashed once (the hash cache remembers); then size and time where both keep it; then size alone.
    Raises UsageError for `time` where a side keeps none: every file would be sent again in every run.
    """
    timed = source.mtime_ns is not None and destination.mtime_ns is not None
    if wanted == "time" and not timed:
        raise UsageError(
            "`compare: time` needs two places that keep modification times", hint="use auto, hash or size"
        )
    if wanted in ("hash", "size", "time"):
        return wanted  # type: ignore[return-value]
    if source.checksums or destination.checksums:
        return "hash"
    if timed:
        return "time"
    return "size"


def common_algorithm(source: Capabilities, destination: Capabilities) -> str:
    """The digest a pair is compared and proven by: one that both list, else the destination's, the source's, MD5."""
    for algorithm in destination.checksums:
        if algorithm in source.checksums:
            return algorithm
    return next(iter((*destination.checksums, *source.checksums)), "md5")
