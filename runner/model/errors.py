"""What can go wrong, by kind.

The class says the kind and the exit code, `retry` whether the same call can succeed later, keywords
where it happened, `hint` what to try. Errors of libraries and services are translated into these at
the border, chained with `from`; nothing above matches on text.
"""

from typing import ClassVar, NamedTuple

from runner.model.exits import Exit
from runner.model.path import show


class Place(NamedTuple):
    """A position in a manifest: line and column count from 1, as editors show them. file: "" for a one-off copy."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.file else "the command line"


class AcdrunError(Exception):
    """Any problem that acdrun can name; anything else that escapes is a fault of acdrun itself.

    message: one sentence that names the thing and quotes values; no full stop.
    remote, path: where it happened, when it happened at a place.
    place: the manifest line that asked for the work, when known.
    after_s: how long the service asked us to wait before the next try, in seconds.
    """

    exit: ClassVar[Exit] = Exit.FAILED
    retry: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        remote: str = "",
        path: str | None = None,
        place: Place | None = None,
        hint: str = "",
        after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remote = remote
        self.path = path
        self.place = place
        self.hint = hint
        self.after_s = after_s

    @property
    def kind(self) -> str:
        """The class in words, as journal and report show it: "NoSpace" is "no space"."""
        name = type(self).__name__
        return "".join(" " + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))

    def __str__(self) -> str:
        where = self.remote + ":" if self.remote else ""
        if self.path is not None:
            where += show(self.path)
        return f"{where}: {self.message}" if where else self.message


class UsageError(AcdrunError):
    """The command line asks for something that does not exist or does not fit together."""

    exit = Exit.USAGE


class NotFound(AcdrunError):
    """The path or id does not exist. Only a definite answer: an unknown is never an absence."""


class Exists(AcdrunError):
    """A create met a node that is already there."""

    exit = Exit.INCOMPLETE


class Stale(AcdrunError):
    """The node is no longer the generation the operation was planned against."""

    exit = Exit.INCOMPLETE


class Changed(AcdrunError):
    """The source moved on while it was read; what was read is not published."""

    exit = Exit.INCOMPLETE
    retry = True


class Blocked(AcdrunError):
    """The entry cannot be kept in step: its name, kind or twin does not fit the other side."""

    exit = Exit.INCOMPLETE


class Unreadable(AcdrunError):
    """An entry or folder of the source could not be read (permission, I/O error, vanished)."""

    exit = Exit.INCOMPLETE


class NotYet(AcdrunError):
    """It will be there when what comes before it has run; a plan alone cannot know what it will be."""

    exit = Exit.CONVERGED


class Truncated(AcdrunError):
    """An answer ended before its declared end, or has no end that could be proven."""

    exit = Exit.TEMPORARY
    retry = True


class Unavailable(AcdrunError):
    """The service cannot be reached or answers with a passing fault."""

    exit = Exit.TEMPORARY
    retry = True


class Throttled(Unavailable):
    """The service asks for fewer requests; every worker of the remote slows down."""


class Unclear(Unavailable):
    """The request was sent in full and its answer was lost: look before sending it again."""


class NoSpace(AcdrunError):
    """The disk or the account is full."""

    exit = Exit.TEMPORARY


class Denied(AcdrunError):
    """The service or the file system refuses this to us."""

    exit = Exit.DENIED


class LoginNeeded(Denied):
    """There is no usable token, and only a person can make one."""


class Damaged(AcdrunError):
    """Stored bytes are not the bytes that were sent."""

    exit = Exit.DAMAGED
    retry = True


class Corrupted(Damaged):
    """Read back, what was stored is not what was sent; it was taken away, so another try finds nothing to prove."""

    retry = False


class Unsynced(Damaged):
    """The disk could not confirm that written bytes are on it: nothing it holds in memory can be trusted, so
    the run ends and nothing is tried again. Source: reliability.md §3, a failed fsync."""

    retry = False


class BadAnswer(AcdrunError):
    """A service said something its protocol does not allow; nothing is concluded from it."""


class Unsupported(AcdrunError):
    """The backend does not claim this power."""


class Refused(AcdrunError):
    """A guard refused the finished plan, and nothing was changed; or the barrier, and nothing was removed."""

    exit = Exit.REFUSED


class PlanStale(AcdrunError):
    """A saved plan is no longer true, or was never ours."""

    exit = Exit.STALE


class Locked(AcdrunError):
    """Another run writes to the same scope."""

    exit = Exit.LOCKED


class Disordered(AcdrunError):
    """A listing went backwards: nothing that was matched on it can be trusted."""


class StateError(AcdrunError):
    """The state directory cannot be used: unwritable, damaged, or made by a newer version."""

    exit = Exit.USAGE


class Spoilt(StateError):
    """A file of the state directory is damaged, or was never one of ours."""


class Problem(NamedTuple):
    """One thing wrong with a manifest.

    code: a stable name such as "unknown-key"; tests and editors key on it.
    excerpt: the line of the file, or the part of a long line around the place, for the caret line;
        "" when there is none.
    caret: terminal cells before the caret, below the excerpt: not the column where a line is cut or has
        wide characters.
    """

    place: Place
    code: str
    message: str
    hint: str = ""
    excerpt: str = ""
    caret: int = 0

    def __str__(self) -> str:
        lines = [f"{self.place}: {self.code}: {self.message}"]
        if self.excerpt:
            lines += [f"    {self.excerpt}", "    " + " " * self.caret + "^"]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class ManifestError(AcdrunError):
    """Everything wrong with a manifest, found in one pass."""

    exit = Exit.USAGE

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
