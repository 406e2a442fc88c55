"""Going through the files of a place, and telling of what could not be read on the way."""

from collections.abc import AsyncGenerator

from runner.cli.output import Output
from runner.cli.place import Spot
from runner.model.exits import Exit, gravest
from runner.model.node import Folder, Gap, Node
from runner.model.path import join, show
from runner.remote.close import closing
from runner.report.line import Line


class Files:
    """The files of a place in path order. code: INCOMPLETE once a part could not be read."""

    def __init__(self, spot: Spot, output: Output) -> None:
        self._spot = spot
        self._output = output
        self.code = Exit.CONVERGED

    async def each(self) -> AsyncGenerator[tuple[str, Node], None]:
        """Yield path and node, as long as somebody reads what comes of it."""
        async with closing(self.folders()) as folders:
            async for folder in folders:
                for node in folder.nodes:
                    if node.kind == "file":
                        yield join(folder.path, node.name), node
                    if self._output.gone:
                        return

    async def folders(self) -> AsyncGenerator[Folder, None]:
        """Yield folder by folder with the files in it, as long as somebody reads what comes of it."""
        async with closing(self._spot.remote.walk(self._spot.admits)) as folders:
            async for folder in folders:
                for gap in folder.gaps:
                    if gap.path == "":
                        raise gap.error
                    self.gap(gap)
                yield folder
                if self._output.gone:
                    return

    def gap(self, gap: Gap) -> None:
        """Tell of a part that could not be read."""
        self.code = gravest(self.code, Exit.INCOMPLETE)
        self._output.tell(Line(f"! {show(gap.path)}: {gap.error.kind}: {gap.error.message}", "error"))
