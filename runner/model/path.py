"""Paths on a remote: relative, "/"-separated text, compared by their parts.

The root is "". Names are compared as the service stores them; which names two places cannot tell
apart is a question of the place's `Capabilities`, not of the path.
"""

import unicodedata
from collections.abc import Collection


def order(path: str) -> tuple[str, ...]:
    """The key of path order: "a/b" comes before "a-b", as walking the folders gives it."""
    return tuple(path.split("/")) if path else ()


def folded_order(path: str) -> tuple[tuple[str, str], ...]:
    """The key of path order where `fold` makes names equal: folders that fold alike come one after the other."""
    return tuple((fold(part), part) for part in order(path))


def join(folder: str, name: str) -> str:
    """The path of `name` in `folder`; either may be ""."""
    return f"{folder}/{name}" if folder and name else folder or name


def parent(path: str) -> str:
    """The folder above; "" for a name at the root."""
    return path.rpartition("/")[0]


def name(path: str) -> str:
    """The last part."""
    return path.rpartition("/")[2]


def depth(path: str) -> int:
    """How many folders lie above the last part; 0 for the root and for names at it."""
    return path.count("/")


def within(path: str, folder: str) -> bool:
    """Is `path` that folder, or below it?"""
    return not folder or path == folder or path.startswith(folder + "/")


def overlap(one: str, other: str) -> bool:
    """Could a write in one folder be seen in the other? Asked of any spelling, for a place may fold names."""
    this, that = fold(one), fold(other)
    return within(this, that) or within(that, this)


def fold(name: str) -> str:
    """The form in which a place that ignores case and composition compares names."""
    if name.isascii():  # most names are, and every name of a place that folds is asked for more than once
        return name.lower()
    return unicodedata.normalize("NFC", name.casefold())


def fault(name: str) -> str:
    """Why this name can be no part of a path, or "" when it can.

    Source: reliability.md §7, names are data: checked after any decoding, component by component.
    """
    if name == "":
        return "an empty name"
    if name in (".", ".."):
        return f"the name {name!r} would climb out of its folder"
    if "/" in name:
        return "a name with a slash in it"
    if "\0" in name:
        return "a name with a NUL in it"
    if not name.isascii() and any("\ud800" <= c <= "\udfff" for c in name):
        return "a name that is not valid UTF-8"
    return ""


def faulty(names: Collection[str]) -> list[str]:
    """Those of the names that can be no part of a path; where there are none, as everywhere, they are looked at
    all at once."""
    text = "/".join(names)
    if text.isascii() or _is_utf8(text):
        text = f"/{text}/"
        if text.count("/") == len(names) + 1 and not any(one in text for one in ("\0", "//", "/./", "/../")):
            return []
    return [name for name in names if fault(name)]


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def fold_all(names: Collection[str]) -> list[str]:
    """`fold` of each name, in the same order; it takes names without a slash."""
    text = "/".join(names)
    if text.isascii() and text.count("/") == len(names) - 1:
        return text.lower().split("/")
    return [fold(name) for name in names]


def moved_from(old: str, new: str) -> str:
    """The highest folder that moved when `old` became `new`, with "/" at its end: what is left of `old` without the
    names that both end with. Of a file that was renamed itself, the folder above it; "./" is the root."""
    left, right = old.split("/"), new.split("/")
    while left and right and left[-1] == right[-1]:
        del left[-1], right[-1]
    if (len(left), len(right)) == (old.count("/") + 1, new.count("/") + 1):
        del left[-1]
    return "/".join(left) + "/" if left else "./"


def show(path: str) -> str:
    """The path as a person may see it: no control character, lone surrogate or bidi override reaches a terminal."""
    if path.isprintable():
        return path
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in path
    )
