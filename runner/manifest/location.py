"""`remote:path` or a path of this machine: which is meant, and its one normal form."""

import os
import re

from runner.model.pair import Location
from runner.model.path import fault

REMOTE_NAME = r"[0-9A-Za-z][\w .-]*"
_REMOTE = re.compile(REMOTE_NAME)
_HERE = ("/", "./", "../", "~")


class BadLocation(ValueError):
    """The text names no place; `hint` says how to name one."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def parse_location(text: str, folder: str) -> Location:
    """The place that `text` names.

    text: "remote:path" as on rclone; a path when it starts with "/", "./", "../" or "~", or when what stands
        before its first ":" cannot be the name of a remote.
    folder: where relative paths start, absolute.
    Returns the path of a remote without slashes around it, or the absolute path of this machine without
        "." and ".."; links are not resolved.
    Raises BadLocation.
    """
    if not text.strip() or "\0" in text:
        raise BadLocation("a place is needed here", 'write "remote:path", or a path of this machine')
    name, colon, path = text.partition(":")
    if colon and len(name) == 1 and path.startswith("\\"):
        raise BadLocation(f'"{text}" is a path of Windows', 'write a path of this machine, or "remote:path"')
    if not colon or text.startswith(_HERE) or not _REMOTE.fullmatch(name):
        return Location("", local_path(text, folder))
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for part in parts:
        if why := fault(part):
            raise BadLocation(f'"{text}" has {why}', "name the folder itself")
    return Location(name, "/".join(parts))


def local_path(text: str, folder: str) -> str:
    """A path of this machine, absolute and without "." and ".."; `~` is the home folder."""
    path = os.path.expanduser(text)
    home = text.partition("/")[0]
    if home.startswith("~") and path.partition("/")[0] == home:
        raise BadLocation(f'no home folder is known for "{home}"', 'write "./~..." for a name with "~"')
    # normpath keeps two leading slashes, which POSIX gives a meaning of its own and nobody wants here.
    return "/" + os.path.normpath(os.path.join(folder, path)).lstrip("/")
