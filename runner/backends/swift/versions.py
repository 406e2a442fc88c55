"""The trash of a container that keeps versions: what was replaced or removed is there still, under its own key."""

from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

from runner.backends.swift.answers import no_container
from runner.backends.swift.listing import versions
from runner.backends.swift.nodes import Found, from_listing
from runner.backends.swift.objects import Objects
from runner.backends.swift.wire import Ask
from runner.model import path as paths
from runner.model.backend import Trashed
from runner.model.errors import NotFound, Unsupported
from runner.remote.close import closing
from runner.remote.dated import At

_WORD = "version:"
_MOST_ID = 64
_MARKER = "application/x-deleted"
"""What the type of an entry begins with that tells of a removal."""


class Kept(NamedTuple):
    """One version of an object. path: where it is, below the remote's root."""

    version: str
    path: str


class Versions:
    """Refs are `version:<id>:<path>`."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._on: dict[str, bool] = {}

    async def on(self, container: str) -> bool:
        """Does the container keep versions? Asked once a run: what was on yesterday may be off.

        Raises NoContainer, and Unsupported where a removal brings the last version back: nothing could be removed.
        """
        if container not in self._on:
            try:
                headers = (await self._objects.wire.call(Ask("HEAD", container))).headers
            except NotFound as error:
                raise no_container(container, error) from error
            if headers.get("x-versions-location"):
                raise Unsupported(
                    f"the container {paths.show(container)!r} keeps versions in the old way (X-Versions-Location), in"
                    " which removing a file brings the one before back",
                    hint="use X-Versions-Enabled or X-History-Location instead",
                )
            self._on[container] = headers.get("x-versions-enabled", "").lower() == "true"
        return self._on[container]

    async def restore_over(self, container: str, above: str, ref: str) -> None:
        """Have the version stand at its key again, over what has taken its place, which goes for good."""
        kept = parsed(ref)
        at = At(container, above + kept.path)
        wrong = (await self._objects.head(at)).version
        found = await self._objects.head(at, kept.version)
        await self._objects.copy(at, at, found, version=kept.version)
        for version in (wrong, kept.version):
            await self._objects.remove(at, version=version)

    @staticmethod
    def ref(found: Found, above: str) -> str:
        """What brings this version back."""
        return f"{_WORD}{found.version}:{found.key[len(above) :]}"

    @staticmethod
    def named(ref: str) -> bool:
        """Is it the ref of a version?"""
        return ref.startswith(_WORD)

    async def found(
        self, container: str, above: str, *, path: str = "", hidden: str = ""
    ) -> AsyncGenerator[list[Trashed], None]:
        """Yield every version that is not the newest of its key, paths counted from the remote's root.

        path: only of keys that begin with it; hidden: what keys begin with that are no user's. When: that of what
        came after it.
        """
        last_key, after_ns = "", None
        async with closing(versions(self._objects.wire, container, above + path)) as pages:
            async for page in pages:
                found: list[tuple[Found, int | None]] = []
                for entry in page:
                    one = from_listing(entry)
                    if one.key != last_key:
                        last_key, after_ns = one.key, None
                    if _old(entry) and not (hidden and one.key.startswith(hidden)):
                        found.append((one, after_ns))
                    after_ns = one.changed_ns
                when = {(one.key, one.version): after for one, after in found}
                shown = await self._objects.settled(container, [one for one, _ in found])
                yield [
                    Trashed(
                        self.ref(one, above), one.key[len(above) :], one.node(), when[one.key, one.version]
                    )
                    for one in shown
                ]

    async def kept(self, container: str, above: str, ref: str) -> Trashed:
        """One version. Raises NotFound."""
        kept = parsed(ref)
        await self._objects.head(At(container, above + kept.path), kept.version)
        async with closing(self.found(container, above, path=kept.path)) as pages:
            async for page in pages:
                for entry in page:
                    if entry.ref == ref:
                        return entry
        raise NotFound(f"{paths.show(ref)!r} is not in the trash: it stands at its path")

    async def restore(self, container: str, above: str, ref: str, goal: str) -> None:
        """Copy the version to the path, at which nothing is, and then give the version itself up."""
        kept = parsed(ref)
        at = At(container, above + kept.path)
        found = await self._objects.head(at, kept.version)
        await self._objects.copy(at, At(container, above + goal), found, version=kept.version)
        await self._objects.remove(at, version=kept.version)


def _old(entry: dict[str, Any]) -> bool:
    return not entry.get("is_latest") and not str(entry.get("content_type", "")).startswith(_MARKER)


def parsed(ref: str) -> Kept:
    """Raises NotFound for what is no ref of a version."""
    version, _, path = ref.removeprefix(_WORD).partition(":")
    good = version and version.isascii() and version.isprintable() and len(version) <= _MOST_ID
    if not ref.startswith(_WORD) or not good or not path or any(map(paths.fault, path.split("/"))):
        raise NotFound(f"{paths.show(ref)!r} is no version of anything")
    return Kept(version, path)
