"""Which nodes of two folders need nothing, found in their columns."""

from collections.abc import Collection, Mapping

from runner.model.nodes import Nodes
from runner.model.pair import Mode
from runner.plan.decide import Compare, Facts, Verdict, whatever

_TIME = 2


class Alike:
    """Folders and files of the same name that the rules leave as they are, whatever else there is to know of them.

    It has no rule of its own: `decide` is asked once which answer alone settles that two files are the same, and
    the files for which the listings give this answer are counted instead of decided one by one.
    proof: "time", "checksum" or "size", that answer; "" when none does. verdict: on each such file.
    """

    def __init__(self, mode: Mode, compare: Compare, *, timed: bool) -> None:
        """timed: both sides keep times, so that equal ones are the same."""
        files = Facts(mode, compare, "file", "file", size="same")
        timely = files._replace(time="same" if timed else "unknown")
        known = {
            "size": whatever(files, "time", "checksum"),
            "time": whatever(timely, "checksum"),
            "checksum": whatever(files._replace(checksum="same"), "time"),
        }
        settled = ((proof, verdict) for proof, verdict in known.items() if verdict and verdict.sign == "=")
        self.proof, self.verdict = next(settled, ("", Verdict("=", "")))
        folders = whatever(Facts(mode, compare, "folder", "folder"))
        self._folders = folders is not None and folders.sign == "="

    def all(self, ours: Nodes, theirs: Nodes, *, proven: bool = False) -> bool:
        """Are all of them alike? In one comparison, for most folders of most runs are.

        proven: the digests of their files are known to be the same.
        """
        settled = proven if self.proof == "checksum" else self.proof == "time" and ours.timed()
        if not settled or ours.number("other"):
            return False
        if not (ours.sized(theirs) if self.proof == "checksum" else ours.same(theirs)):
            return False
        return self._folders or not ours.number("folder")

    def of(
        self, ours: Nodes, theirs: Nodes, here: Mapping[str, str], there: Mapping[str, str]
    ) -> Collection[str]:
        """Their names. here, there: digests by name, of the files of either side of which they are known."""
        if self.all(ours, theirs):
            return ours.stamps.keys()
        stamp_of, digest_of = theirs.stamps.get, there.get
        names = []
        for name, stamp in ours.stamps.items():
            other = stamp_of(name)
            if other is None or stamp[:2] != other[:2]:
                continue
            if stamp[0] == "folder":
                alike = self._folders
            elif self.proof == "time":
                alike = stamp[_TIME] == other[_TIME] is not None
            elif self.proof == "checksum":
                alike = name in here and here[name] == digest_of(name)
            else:
                alike = self.proof == "size"
            if alike and stamp[0] != "other":
                names.append(name)
        return names
