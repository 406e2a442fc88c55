"""Keeping your own remotes: their file, and beside it their secrets and tokens."""

import contextlib
import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.manifest.dump import remotes_text
from runner.manifest.leaves import Leaf, model, put
from runner.manifest.location import REMOTE_NAME
from runner.manifest.problems import did_you_mean
from runner.manifest.remotes import Own, remotes_file
from runner.model import path as paths
from runner.model.errors import ManifestError, StateError, UsageError
from runner.model.secret import Secret
from runner.remote.private import write_whole
from runner.remote.tokens import Token, TokenStore
from runner.remote.vault import Vault

_LONGEST_NAME = 100


class Keep:
    """Your own remotes as `acdrun config` changes them.

    A change rewrites `remotes.yaml` as a whole, after secrets and token are safe, so what the file names is
    there. state: the state directory. file: by default `remotes.yaml` of the configuration folder.
    """

    def __init__(self, state: Path, file: Path | None = None) -> None:
        self.file = remotes_file() if file is None else file
        self.state = state
        self.vault = Vault(state)

    def fields(self) -> dict[str, Any]:
        """What the file says of each remote, by name. Raises ManifestError when it cannot be understood."""
        own = Own(self.file)
        fields = own.fields()
        if problems := own.problems():
            raise ManifestError(problems)
        return fields

    def one(self, name: str) -> dict[str, Any]:
        """What the file says of this remote. Raises UsageError when there is none of this name."""
        fields = self.fields()
        if name not in fields:
            hint = did_you_mean(name, list(fields)) or "`acdrun config` makes one"
            raise UsageError(f"there is no remote {name!r} in {self.file}", hint=hint)
        return dict(fields[name])

    def refer(self, name: str, fields: Mapping[str, Any], leaf: Leaf) -> dict[str, Any]:
        """The fields with this one referring to the file that keeps its secret."""
        return put(fields, leaf.keys, {"file": str(self.vault.path(name, leaf.keys[-1]))})

    def store(
        self,
        name: str,
        fields: Mapping[str, Any],
        secrets: Mapping[Leaf, Secret],
        *,
        token: Token | None = None,
        replace: bool = False,
    ) -> None:
        """Keep a remote under this name.

        fields: its `type` among them, and references in place of the `secrets`, as `refer` makes them.
        Raises UsageError when there is one already and it is not to be replaced, or when a field is wrong.
        """
        if why := bad_name(name):
            raise UsageError(why)
        model(name, fields)

        def change(remotes: dict[str, Any]) -> dict[str, Any]:
            if name in remotes and not replace:
                raise UsageError(f"there is a remote {name!r} already", hint="choose another name")
            for leaf, secret in secrets.items():
                self.vault.keep(name, leaf.keys[-1], secret)
            if token is not None:
                TokenStore(self.state, name).save(token)
            return {**remotes, name: dict(fields)}

        self._change(change)
        for field in self.vault.fields(name):
            if str(self.vault.path(name, field)) not in set(_files(fields)):
                self.vault.forget(name, field)

    def rename(self, name: str, to: str) -> None:
        """Give a remote another name; its secrets and its token follow."""
        self.one(name)
        if why := bad_name(to):
            raise UsageError(why)
        served = self.state / "emulator" / name
        if served.exists():
            raise UsageError(
                f"the embedded server keeps its files under the name {name!r}, and they would be left behind",
                hint=f"move the folder {served} to {served.with_name(to)} first",
            )

        def change(remotes: dict[str, Any]) -> dict[str, Any]:
            if to in remotes:
                raise UsageError(f"there is a remote {to!r} already", hint="choose another name")
            self.vault.rename(name, to)
            with contextlib.suppress(FileNotFoundError):
                os.rename(TokenStore(self.state, name).path, TokenStore(self.state, to).path)
            old, new = str(self.vault.path(name, "-"))[:-1], str(self.vault.path(to, "-"))[:-1]
            return {
                to if other == name else other: _moved(fields, old, new) if other == name else fields
                for other, fields in remotes.items()
            }

        self._change(change)

    def forget(self, name: str) -> None:
        """Remove a remote, and then its secrets and token. What is stored on the remote itself stays."""
        self.one(name)
        self._change(lambda remotes: {other: fields for other, fields in remotes.items() if other != name})
        self.vault.forget(name)
        TokenStore(self.state, name).path.unlink(missing_ok=True)

    def _change(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _alone(self.file.with_name(f".{self.file.name}.lock")):
                text = remotes_text(change(self.fields()))
                # A link to a file elsewhere, as people who share their settings have it, stays a link.
                write_whole(Path(os.path.realpath(self.file)), text)
        except OSError as error:
            raise StateError(f"{self.file} cannot be written: {error.strerror}") from error


def bad_name(name: str) -> str:
    """What is wrong with the name of a remote; "" when nothing is."""
    if len(name) > _LONGEST_NAME or not re.fullmatch(REMOTE_NAME, name) or name != name.strip():
        return (
            f"{name!r} cannot be a name: it is a letter or digit, then letters, digits, "
            f'"_", "-", "." and spaces, at most {_LONGEST_NAME} in all'
        )
    fault = paths.fault(name)
    return f"{name!r} cannot be a name: {fault}" if fault else ""


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Of two that change the file at the same time, the second waits."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _files(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("file"), str):
            yield value["file"]
        for inner in value.values():
            yield from _files(inner)


def _moved(value: Any, old: str, new: str) -> Any:
    """The fields with every reference to a secret of the old name leading to the new one's."""
    if isinstance(value, str):
        return (
            new + value.removeprefix(old) if value.startswith(old) and "." not in value[len(old) :] else value
        )
    if isinstance(value, dict):
        return {key: _moved(inner, old, new) for key, inner in value.items()}
    return value
