"""Stage graphs as they were compiled, each kept until what it is made of has changed."""

import contextlib
import hashlib
import json
import uuid
from pathlib import Path

from runner.model.stage import Binding, Graph, Stage


class Kept:
    """One file for each manifest and use, of which losing it costs a compilation.

    use: tells the graph from those of other manifests and uses; made_of: all that it depends on.
    """

    def __init__(self, state: Path, use: str, made_of: str) -> None:
        self._file = state / "graphs" / hashlib.sha256(use.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        self._made_of = hashlib.sha256(made_of.encode("utf-8", "surrogatepass")).hexdigest()

    def find(self) -> Graph | None:
        """The graph; None when none is kept, it is made of something else, or the file is damaged."""
        try:
            proof, made_of, text = self._file.read_text().split("\n")
        except (OSError, ValueError):
            return None
        if made_of != self._made_of or proof != self._proof(text):
            return None
        stages, bindings = json.loads(text)
        return Graph([Stage(*row) for row in stages], [Binding(*row) for row in bindings])

    def keep(self, graph: Graph) -> None:
        """Keep it. Where there is no room it is compiled again."""
        text = json.dumps(graph)
        new = self._file.with_name(f"{self._file.name}.{uuid.uuid4().hex}")
        with contextlib.suppress(OSError):
            new.parent.mkdir(mode=0o700, exist_ok=True)
            try:
                new.touch(mode=0o600, exist_ok=False)
                new.write_text("\n".join((self._proof(text), self._made_of, text)))
                new.replace(self._file)
            except OSError:
                new.unlink(missing_ok=True)

    def _proof(self, text: str) -> str:
        """Of the whole: nothing waits for the disk here, so that a power cut may leave a part."""
        return hashlib.sha256(f"{self._made_of}\n{text}".encode()).hexdigest()
