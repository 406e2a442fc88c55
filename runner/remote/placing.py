"""Where an error happened: the place that a call was about is named in what it raises."""

from types import TracebackType

from runner.model.errors import AcdrunError, Changed, Exists, NotFound, Stale
from runner.remote.index import Index


class Placing:
    """Names the place in an error that passes by and does not know it yet.

    storing: a Changed is passed on as it is, for it comes from the source of what is stored here.
    goal: where a move would go, and what an Exists then is about.
    index: of which a write that met something else than what was listed raises doubts.
    """

    __slots__ = ("_full", "_goal", "_index", "_name", "_storing")

    def __init__(
        self,
        name: str,
        full: str,
        goal: str | None = None,
        *,
        storing: bool = False,
        index: Index | None = None,
    ) -> None:
        self._index = index
        self._name = name
        self._full = full
        self._goal = goal
        self._storing = storing

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, AcdrunError) and not (isinstance(error, Changed) and self._storing):
            self.place(error)

    def place(self, error: AcdrunError) -> None:
        """Name it in this error."""
        if self._index is not None and isinstance(error, Exists | Stale | NotFound):
            self._index.doubt()
        if not error.remote:
            error.remote = self._name
        if error.path is None:
            error.path = self._goal if self._goal is not None and isinstance(error, Exists) else self._full
