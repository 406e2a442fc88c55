"""A process that works for another one, until that closes the pipe or is gone. It imports little.

One that outlives its parent by a moment harms nobody: it only reads, or shares the parent's locks while it writes.
"""

import marshal
import os
import sys
from collections.abc import Sequence
from typing import IO, Any

from runner.backends.local.listing import Columns, look
from runner.model.errors import AcdrunError

ENOUGH = 1000
"""Nodes that take longer to list than a thread or a process takes to answer."""

READY = b"+"
_LENGTH = 8


def some(root: str, folders: Sequence[str]) -> list[Columns | AcdrunError]:
    """The columns of the first of these folders, or why they cannot be listed, until it has been worth it."""
    found: list[Columns | AcdrunError] = []
    number = 0
    for folder in folders:
        try:
            columns = look(root, folder)
        except AcdrunError as error:
            found.append(error)
            continue
        found.append(columns)
        number += columns.number + len(columns.rest)
        if number >= ENOUGH:
            break
    return found


def send(pipe: IO[bytes], value: Any) -> None:
    """Write plain values, of which marshal knows."""
    data = marshal.dumps(value)
    pipe.write(len(data).to_bytes(_LENGTH))
    pipe.write(data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read what `send` wrote. Raises EOFError where the other side has gone."""
    return marshal.loads(_whole(pipe, int.from_bytes(_whole(pipe, _LENGTH))))  # noqa: S302  (our own child's)


def _whole(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _listed(root: str, folders: Sequence[str]) -> Any:
    """None in the place of what cannot be listed."""
    return [tuple(one) if isinstance(one, Columns) else None for one in some(root, folders)]


def _order(verb: str, question: Sequence[Any]) -> Any:
    from runner.backends.local import orders, reading  # who only lists needs no digests

    if verb == "read":
        return reading.load(*question)
    return orders.copy(*question) if verb == "copy" else orders.store(*question)


def main() -> None:
    """Answer on the standard output what is asked on the standard input."""
    asked, told = sys.stdin.buffer, sys.stdout.buffer
    told.write(READY)
    told.flush()
    try:
        while True:
            verb, *question = receive(asked)
            send(told, _listed(*question) if verb == "list" else _order(verb, question))
    except (EOFError, OSError):
        os._exit(0)
