"""Secrets that were typed in: one file each, so that a configuration only has to refer to them."""

import contextlib
import os
from pathlib import Path

from runner.model import path as paths
from runner.model.errors import UsageError
from runner.model.secret import Secret
from runner.remote.private import private_folder, write_private


class Vault:
    """`<state>/secrets/<remote>.<field>`, 0600 in a folder 0700.

    A field has no dot in its name, so no two fields of any remotes share a file.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / "secrets"

    def path(self, remote: str, field: str) -> Path:
        """Where the secret is kept. Raises UsageError for a name that cannot be part of a file's name."""
        name = f"{remote}.{field}"
        if paths.fault(name) or name.startswith(".") or "." in field:
            raise UsageError(f"no secret can be kept for a remote of the name {remote!r}")
        return self._folder / name

    def keep(self, remote: str, field: str, secret: Secret) -> Path:
        """Store it, in place of an earlier one, and return the file to refer to."""
        path = self.path(remote, field)
        write_private(path, secret.reveal())
        return path

    def fields(self, remote: str) -> list[str]:
        """The fields of this remote that have a secret here."""
        if not self._folder.is_dir():
            return []
        names = (path.name.rpartition(".") for path in self._folder.iterdir() if path.name[:1] != ".")
        return sorted(field for owner, _, field in names if owner == remote)

    def rename(self, remote: str, to: str) -> None:
        """The secrets of one remote become those of another name."""
        for field in self.fields(remote):
            private_folder(self._folder)
            os.rename(self.path(remote, field), self.path(to, field))

    def forget(self, remote: str, field: str | None = None) -> None:
        """Remove one secret of a remote, or all of them."""
        for name in self.fields(remote) if field is None else [field]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(remote, name))
