"""What a manifest is called between its runs."""

from pathlib import Path

from runner.manifest.manifest import Manifest


def file_of(manifest: Manifest) -> str:
    """The manifest's file as journals name it; "" for one made in memory."""
    return str(Path(manifest.file).absolute()) if manifest.file else ""
