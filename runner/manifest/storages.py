"""The kinds of storage that acdrun is for, and which of them this version has."""

from runner.backends import registry

STORAGES = {
    "amazon cloud drive": "Amazon Cloud Drive, or a server that speaks its protocol",
    "drive": "Google Drive",
    "dropbox": "Dropbox",
    "google cloud storage": "Google Cloud Storage",
    "local": "a folder of this machine, under a name",
    "s3": "Amazon S3, or a server that speaks its protocol",
    "swift": "OpenStack Swift",
}
"""rclone's words for them, in the order of its list."""


def built(word: str) -> str | None:
    """The full name of the kind, if this version has it."""
    kind = registry.full_name(word)
    return kind if kind is None or not registry.KINDS[kind].fleeting else None


def why_not(word: str) -> str:
    """Why a remote of this kind cannot be had."""
    if word in STORAGES:
        return f"{word!r} is not built yet; this version has {_listed()}"
    return f"{word!r} is no kind of storage that acdrun knows; this version has {_listed()}"


def _listed() -> str:
    return " and ".join(repr(word) for word in STORAGES if built(word))
