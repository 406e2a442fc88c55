"""Short ways to read a manifest and to look at what is wrong with it."""

from textwrap import dedent, indent

from runner.manifest.load import loads
from runner.manifest.manifest import Manifest
from runner.model.errors import ManifestError, Problem

FILE = "nightly.yaml"


def manifest(text: str) -> str:
    """A whole manifest around these lines, which begin at line 7; it has a remote `cloud` and one job."""
    head = """
        version: 1
        name: nightly
        remotes:
          cloud: {type: acd, server: embedded}
        jobs:
          photos: {pairs: [{source: /srv/photos, destination: "cloud:photos", mode: copy}]}
        """
    return dedent(head).lstrip("\n") + text


def pair(text: str, more: str = "") -> str:
    """A whole manifest with these fields in its only pair; they begin at line 10, column 9."""
    head = """
        version: 1
        name: nightly
        remotes:
          cloud: {type: acd, server: embedded}
        jobs:
          photos:
            pairs:
              - source: /srv/photos
                destination: cloud:photos
        """
    fields = indent(dedent(text).strip("\n"), " " * 8)
    return dedent(head).lstrip("\n") + fields + "\n" + dedent(more).lstrip("\n")


def load(text: str) -> Manifest:
    """Read a text that is in order."""
    return loads(text, FILE)


def problems(text: str) -> list[Problem]:
    """All that is wrong with it; none when it is in order."""
    try:
        loads(text, FILE)
    except ManifestError as error:
        return error.problems
    return []


def codes(text: str) -> list[str]:
    """What is wrong, as `line:column code`."""
    return [f"{p.place.line}:{p.place.column} {p.code}" for p in problems(text)]


def only(text: str) -> Problem:
    """The one thing that is wrong."""
    found = problems(text)
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]
