"""A checksum is an algorithm and a digest together."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import hashlib


class Checksum(NamedTuple):
    """algorithm: a hashlib name ("md5", "sha256"); digest: lower-case hex."""

    algorithm: str
    digest: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"

    @classmethod
    def of(cls, algorithm: str, data: bytes) -> "Checksum":
        """The checksum of bytes that are already in memory."""
        return cls(algorithm, hasher(algorithm, data).hexdigest())

    @classmethod
    def parse(cls, text: str) -> "Checksum":
        """Read back what `str` wrote."""
        algorithm, _, digest = text.partition(":")
        return cls(algorithm, digest)


def hasher(algorithm: str, data: bytes = b"") -> "hashlib._Hash":
    """A running digest. It finds changed files, it keeps no secrets, so MD5 is right where a service speaks it."""
    import hashlib  # with it comes OpenSSL, which who only lists does not need

    make = getattr(hashlib, algorithm, None)  # `new` looks the name up in OpenSSL each time: 1.5 us
    if make is None:
        return hashlib.new(algorithm, data, usedforsecurity=False)
    return make(data, usedforsecurity=False)  # type: ignore[no-any-return]
