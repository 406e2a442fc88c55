"""Globs as .gitignore has them, turned into regular expressions."""

import re
import warnings
from functools import lru_cache

MAX_LENGTH = 1024


class BadGlob(ValueError):
    """The glob can match nothing, or is none; `hint` says what to write."""

    code = "bad-glob"

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@lru_cache(maxsize=1024)  # the pairs of a manifest mostly share their rules
def regex(glob: str) -> str:
    r"""The expression for `re.match` of the paths that a glob matches; a folder's path ends in "/".

    "*" and "?" stay within one name, "**" crosses folders, "[a-z]" is one character, "\" takes the next one
    as it is. A glob with a "/" at its start or middle is anchored at the pair's root, any other matches at
    every depth. A "/" at the end: folders only. "a/**" is all that is below `a`, and `a` itself, so that it
    is entered.
    Unlike a line of .gitignore it matches just the node itself: what is in an excluded folder is left out
    because the folder is not entered, and what is in an included one is asked on its own.
    Raises BadGlob.
    Source: gitignore(5), through pathspec.
    """
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    _refuse_useless(glob)
    try:
        pattern, _ = GitIgnoreSpecPattern.pattern_to_regex(glob)
    except ValueError as error:
        raise BadGlob(
            f'not a glob: "{glob}"', r'a "\" is followed by the character that it stands for'
        ) from error
    if pattern is None:
        raise BadGlob(f'not a glob: "{glob}"', r'a "[" needs its "]"; write "\[" for the character')
    inner = pattern.replace("(?P<ps_d>/)", "/")
    # pathspec looks for the expression anywhere, and lets it match what lies below as well.
    whole = inner if inner.startswith("^") else f".*?{inner}"
    text = f"(?s:{whole})" if _takes_all_below(glob) else rf"(?s:{whole})\Z"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "[[a]" is a set with "[" in it, and stays one
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadGlob(f'not a glob: "{glob}"', f"{error}") from error
    return text


def join(regexes: list[str]) -> re.Pattern[str]:
    """One expression for several, compiled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile("|".join(regexes))


def _takes_all_below(glob: str) -> bool:
    return glob in ("*", "**") or glob.rstrip().endswith("/**")


def _refuse_useless(glob: str) -> None:
    if not glob.strip() or glob.strip("/") == "":
        raise BadGlob("an empty glob matches nothing", 'write "**" for everything')
    if len(glob) > MAX_LENGTH:
        raise BadGlob(f"a glob holds at most {MAX_LENGTH} characters", "split it into several rules")
    if glob.startswith("!"):
        raise BadGlob(
            f'the glob "{glob}" begins with "!"', r'write an include rule; a name with "!" is written "\!"'
        )
    if glob.startswith("#"):
        raise BadGlob(f'the glob "{glob}" begins with "#"', r'a name with "#" at its start is written "\#"')
    parts = glob.strip().removeprefix("/").removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise BadGlob(
            f'the glob "{glob}" matches nothing: no path has "//", "." or ".." in it',
            "globs are taken from the pair's root",
        )
