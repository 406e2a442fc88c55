"""Reading an rclone.conf: its remotes in our words, and what has no place with us, by name."""

import configparser
from pathlib import Path
from typing import Any, NamedTuple

from runner.manifest.leaves import Leaf, find_leaf, put, typed
from runner.manifest.storages import built, why_not
from runner.model.errors import LoginNeeded, UsageError
from runner.model.secret import Secret
from runner.remote.secrets import known
from runner.remote.tokens import Token

_MOST = 4 << 20


class Imported(NamedTuple):
    """A remote of rclone's.

    fields: without references to the `secrets`, whose files are named when they are kept.
    left_out: its options that have no place here, each with the reason or "". why: why the whole remote is
        left out; "" when it is not.
    """

    name: str
    type: str
    fields: dict[str, Any]
    secrets: dict[Leaf, Secret]
    token: Token | None
    left_out: dict[str, str]
    why: str = ""


def read_rclone(path: Path) -> list[Imported]:
    """Every remote of the file, in its order. Raises UsageError for what is no rclone.conf in plain text."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UsageError(f"{str(path)!r} is not UTF-8 text") from None
    if "RCLONE_ENCRYPT_V" in text[:500]:
        raise UsageError(
            f"{str(path)!r} is encrypted",
            hint="`rclone config show` prints it in the clear: import that file",
        )
    # No section lends values to the others, and no value is to be interpolated. A "#" may be in a value.
    parser = configparser.RawConfigParser(
        delimiters=("=",), default_section="\0", strict=False, empty_lines_in_values=False
    )
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or next(iter(getattr(error, "errors", [])), (None,))[0]
        where = f", line {line}" if line else ""
        problem = UsageError(f"{str(path)!r} is no rclone.conf{where}")
    else:
        return [_imported(name, dict(parser.items(name))) for name in parser.sections()]
    raise problem  # outside of `except`: the error quotes lines, and they hold tokens


def _imported(name: str, options: dict[str, str]) -> Imported:
    word = options.pop("type", "")
    kind = built(word)
    found = Imported(name, word, {"type": kind}, {}, None, {})
    if kind is None:
        return found._replace(why=why_not(word) if word else "it has no type")
    token: Token | None = None
    fields = found.fields
    for option, text in options.items():
        leaf = find_leaf(kind, option)
        if not text:
            continue
        if leaf is None:
            found.left_out[option] = ""
        elif option == "token":
            try:
                token = Token.parse(text, "it")
            except LoginNeeded as error:
                found.left_out[option] = error.message
        elif leaf.referred:
            found.secrets[leaf] = known(Secret(text))
        else:
            value, problem = typed(name, fields, leaf, text)
            if problem is None:
                fields = put(fields, leaf.keys, value)
            else:
                found.left_out[option] = problem.message
    return found._replace(fields=fields, token=token)
