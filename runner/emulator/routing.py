"""Paths to calls: a small table, looked up by the words of the path."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import unquote

from runner.emulator.answers import Answer

if TYPE_CHECKING:
    from runner.emulator.call import Call

Handler = Callable[["Call"], Awaitable[Answer]]
Access = Literal["open", "read", "write", "admin"]


class Route(NamedTuple):
    """One call: method and path template, who may make it, and the function that answers."""

    method: str
    template: str
    access: Access
    handler: Handler


@dataclass(slots=True)
class Found:
    """Where a path leads: the routes by method, the template, and the values of its names."""

    template: str
    methods: dict[str, Route]
    names: dict[str, str]


class Router:
    """Finds the routes of a path; repeated slashes count as one (acd-api §1)."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[tuple[str, ...], tuple[str, dict[str, Route]]] = {}
        self._open: dict[int, list[tuple[tuple[str, ...], str, dict[str, Route]]]] = {}
        by_template: dict[str, dict[str, Route]] = {}
        for route in routes:
            by_template.setdefault(route.template, {})[route.method] = route
        for template, methods in by_template.items():
            words = tuple(template.strip("/").split("/"))
            if "{" in template:
                self._open.setdefault(len(words), []).append((words, template, methods))
            else:
                self._exact[words] = (template, methods)

    def find(self, words: tuple[str, ...]) -> Found | None:
        """Return where the words of a path lead; None for an unknown path."""
        if (exact := self._exact.get(words)) is not None:
            return Found(exact[0], exact[1], {})
        for pattern, template, methods in self._open.get(len(words), ()):
            names: dict[str, str] = {}
            for wanted, word in zip(pattern, words, strict=True):
                if wanted.startswith("{"):
                    names[wanted[1:-1]] = word
                elif wanted != word:
                    break
            else:
                return Found(template, methods, names)
        return None


def split_target(target: str) -> tuple[tuple[str, ...], str]:
    """Split a request target into the decoded words of its path and the raw query.

    A target in absolute form, as proxies get it, loses its scheme and host. Raises ValueError for
    percent-encoding that is not UTF-8.
    """
    if not target.startswith("/") and "://" in target:
        target = "/" + target.partition("://")[2].partition("/")[2]
    path, _, query = target.partition("?")
    words = tuple(unquote(word, errors="strict") if "%" in word else word for word in path.split("/") if word)
    return words, query
