"""The remotes that a command can mean by name: those of a manifest, and the user's own."""

from collections.abc import Mapping
from pathlib import Path

from runner.manifest.load import load
from runner.manifest.problems import did_you_mean
from runner.manifest.remotes import Own, remotes_file
from runner.model.config import RemoteConfig
from runner.model.errors import ManifestError, UsageError


def remote_of(name: str, file: str | None) -> RemoteConfig:
    """The remote of this name: the manifest's, else the user's own. Raises UsageError, ManifestError."""
    declared: Mapping[str, RemoteConfig] = load(Path(file)).remotes if file else {}
    if name in declared:
        return declared[name]
    own = Own()
    config = own.find(name)
    if problems := own.problems():
        raise ManifestError(problems)
    if config is None:
        hint = did_you_mean(name, sorted({*declared, *own.names()}))
        where = f"in {file} or {remotes_file()}" if file else f"in {remotes_file()}"
        raise UsageError(
            f"there is no remote {name!r} {where}",
            hint=hint or "name a manifest that declares it with -f FILE, or make it with acdrun config",
        )
    return config
