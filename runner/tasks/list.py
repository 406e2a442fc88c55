"""List one side of a pair."""

from collections.abc import AsyncIterator
from typing import Literal

from runner.model.errors import AcdrunError, Blocked, NotFound, NotYet, Refused
from runner.model.events import Listed
from runner.model.node import Folder, Gap
from runner.model.nodes import NONE
from runner.model.path import join
from runner.model.tally import Amount
from runner.model.task import Context, Task
from runner.remote.close import closing
from runner.remote.walk import everything

_TELL_EVERY = 256  # folders between two reports of progress


class List(Task):
    """Walk one side in path order. What it yields is matched as it comes, and never held whole."""

    name = "list"
    effect = "read"


class Listing:
    """A listing on its way, and what it has come to so far.

    total: files and bytes; folders: how many; links: entries that were left out because of their kind;
    excluded: entries that the filter left out; gaps: parts that could not be read; absent: there was no root;
    failed: it ended with an error; over: it has come to its end. timed: times decide, so they are worth a request
    for each file where listings do not carry them.
    """

    def __init__(self, ctx: Context, side: Literal["source", "destination"], *, timed: bool = False) -> None:
        self._ctx = ctx
        self._timed = timed
        self.side = side
        self.total = Amount()
        self.folders = 0
        self.links = 0
        self.excluded = 0
        self.gaps = 0
        self.absent = False
        self.failed = self.over = False

    async def folders_in_order(self) -> AsyncIterator[Folder]:
        """Yield the folders with what takes part, in path order; in folded path order where the destination folds.

        A destination that does not exist yet is an empty one; a source that does not exist is refused.
        """
        try:
            async with closing(self._folders()) as folders:
                async for folder in folders:
                    yield folder
        except AcdrunError:
            self.failed = True
            raise
        self.over = True

    async def _folders(self) -> AsyncIterator[Folder]:
        remote = self._ctx.source if self.side == "source" else self._ctx.destination
        folded, rules = self._ctx.destination.can.folds, self._ctx.pair.filter
        admits = everything if rules.admits_all else rules.admits
        try:
            async with closing(remote.walk(admits, folded=folded, timed=self._timed)) as folders:
                async for folder in folders:
                    if folder.path == "" and not folder.nodes and folder.gaps and folder.gaps[0].path == "":
                        raise folder.gaps[0].error
                    yield self._account(folder)
        except NotFound as error:
            if error.path not in (None, remote.prefix) and self.folders:
                raise
            if self.side == "source" and self._ctx.filled_by:
                first = NotYet(f"{self._ctx.filled_by} comes first")
                yield self._account(Folder("", NONE, (Gap("", first),)))
                return
            if self.side == "source":
                raise Refused(
                    "the source does not exist",
                    path=str(self._ctx.pair.source),
                    place=self._ctx.pair.place,
                    hint="a missing source is never taken for an empty one; is the disk mounted, the path right?",
                ) from error
            self.absent = True

    def _account(self, folder: Folder) -> Folder:
        if self.side == "source" and (others := folder.nodes.names("other")):
            self.links += len(others)
            left_out = [*folder.left_out, *others]
            gaps = list(folder.gaps)
            if self._ctx.pair.links == "block":
                gaps += (Gap(join(folder.path, name), _unfit(name)) for name in others)
            nodes = folder.nodes.without(others)
            folder = folder._replace(nodes=nodes, gaps=gaps, left_out=left_out)
        self.total = self.total.plus(folder.nodes.number("file"), folder.nodes.size())
        self.folders += 1
        self.excluded += folder.excluded
        self.gaps += sum(not isinstance(gap.error, Blocked) for gap in folder.gaps)
        if self.folders % _TELL_EVERY == 0:
            self.tell()
        return folder

    def tell(self) -> None:
        """Report how far it is."""
        self._ctx.tell(Listed(self._ctx.pair.name, self.side, self.total.number, self.folders))


def _unfit(name: str) -> Blocked:
    return Blocked(f"{name!r} is a link or special file", hint="`links: skip` leaves such entries out")
