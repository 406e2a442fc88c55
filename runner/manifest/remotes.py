"""Which remotes there are: those a manifest declares, and the user's own."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.backends import registry
from runner.manifest import strict
from runner.manifest.findings import Findings
from runner.manifest.job import RemotesModel
from runner.manifest.location import BadLocation, local_path
from runner.manifest.problems import check, did_you_mean, quote
from runner.manifest.tree import Keys, Tree
from runner.model.config import RemoteConfig
from runner.model.errors import ManifestError, Problem, UsageError


def remotes_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the user's own remotes stand: `acdrun/remotes.yaml` in the configuration folder."""
    base = environ.get("XDG_CONFIG_HOME", "")
    # A relative folder is to be ignored. Source: XDG Base Directory Specification 0.8.
    folder = Path(base) if base.startswith("/") else Path(os.path.expanduser("~/.config"))
    return folder / "acdrun" / "remotes.yaml"


def user_remotes(file: Path | None = None) -> dict[str, RemoteConfig]:
    """The user's own remotes; none when there is no such file. Raises ManifestError with its problems."""
    own = Own(file)
    found = {name: own.find(name) for name in own.names()}
    if problems := own.problems():
        raise ManifestError(problems)
    return {name: config for name, config in found.items() if config is not None}


class Own:
    """The user's own remotes, read when the first one is asked for."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = remotes_file() if file is None else file
        self._tree: Tree | None = None
        self._read = False

    def names(self) -> list[str]:
        """The names of all of them."""
        tree = self._loaded()
        return list(tree.mapping("remotes")) if tree is not None else []

    def fields(self) -> dict[str, Any]:
        """What the file says of each, as it stands there; not checked yet."""
        tree = self._loaded()
        return dict(tree.mapping("remotes")) if tree is not None else {}

    def find(self, name: str) -> RemoteConfig | None:
        """The remote of this name; None when there is none, or when its problems are in `problems`."""
        tree = self._loaded()
        if tree is None or name not in tree.mapping("remotes"):
            return None
        return declared(tree, name, str(self._file.parent))

    def problems(self) -> list[Problem]:
        """What is wrong with what was asked for."""
        return self._tree.findings.problems() if self._tree is not None else []

    def _loaded(self) -> Tree | None:
        if not self._read:
            self._read = True
            data = _content(self._file)
            if data is not None and data.strip():
                text = strict.decode(data, str(self._file))
                tree = strict.parse(text, Findings(str(self._file), text))
                check(RemotesModel, tree)
                self._tree = tree
        return self._tree


def declared(tree: Tree, name: str, folder: str) -> RemoteConfig | None:
    """The remote that a file declares under this name; None when its problems are in the findings.

    folder: where the relative paths of its configuration start.
    """
    keys: Keys = ("remotes", name)
    fields = tree.get(keys)
    if not isinstance(fields, dict):
        return None  # the model of the whole file has said so
    if "type" not in fields:
        known = ", ".join(_kinds())
        tree.findings.report(tree.at(keys), "missing-key", f'remote "{name}" lacks "type"', f"known: {known}")
        return None
    word = fields["type"]
    kind = registry.full_name(word) if isinstance(word, str) else None
    if kind is None:
        at = tree.at((*keys, "type"))
        tree.findings.report(
            at, "unknown-kind", f"unknown kind of remote {quote(word)}", did_you_mean(str(word), _kinds())
        )
        return None
    _refuse_passwords(tree, keys)
    try:
        value = _with(tree.value, name, _anchored({**fields, "type": kind}, folder))
    except BadLocation as error:
        tree.findings.report(tree.at(keys), "bad-path", str(error), error.hint)
        return None
    return check(registry.config(kind), Tree(value, tree.spot, tree.findings), keys)


def _with(whole: Any, name: str, fields: Any) -> Any:
    return {**whole, "remotes": {**whole["remotes"], name: fields}}


def _kinds() -> list[str]:
    return [
        word for kind, entry in registry.KINDS.items() if not entry.fleeting for word in (kind, *entry.also)
    ]


def _anchored(value: Any, folder: str) -> Any:
    """The fields with absolute paths: a saved plan must mean the same from everywhere."""
    if not isinstance(value, dict):
        return value
    if list(value) == ["file"] and isinstance(value["file"], str) and value["file"]:
        return {"file": local_path(value["file"], folder)}
    result = {key: _anchored(inner, folder) for key, inner in value.items()}
    if value.get("type") == "local" and isinstance(value.get("path"), str):
        result["path"] = local_path(value["path"], folder)
    return result


def _refuse_passwords(tree: Tree, keys: Keys) -> None:
    """An address with a password in it is a literal secret too."""
    value = tree.get(keys)
    if isinstance(value, dict):
        for key in value:
            _refuse_passwords(tree, (*keys, key))
    elif isinstance(value, str) and "@" in value.partition("://")[2].partition("/")[0]:
        spot = tree.find(keys)
        tree.findings.mask(spot.start, spot.end)
        message = f'the address in "{keys[-1]}" has a user name or password in it'
        tree.findings.report(spot.start, "literal-secret", message, "give secrets as references in `auth`")


def _content(file: Path) -> bytes | None:
    try:
        with file.open("rb") as stream:
            return stream.read(strict.MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f'cannot read your remotes "{file}": {error.strerror}') from error
