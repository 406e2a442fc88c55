"""The command: options, the lock on the folder, the ready line, the end."""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.emulator.answers import Json
from runner.emulator.database import Database
from runner.emulator.faults import Faults, Rule, read_rules
from runner.emulator.oauth import Tokens
from runner.emulator.server import Emulator

QUOTA_BYTES = 100 << 30
TOKEN_LIFE_S = 3600
# Threads hand over to each other after so long; Python's default of 5 ms would hold up the loop while
# a list is read.
SWITCH_S = 0.0005


class CannotServe(Exception):
    """The emulator cannot start; the text says why."""


def run(argv: Sequence[str] | None) -> int:
    """Serve until a signal, or the end of stdin, says stop. Exit codes: 0 ended, 2 could not start."""
    options = _parser().parse_args(argv)
    sys.setswitchinterval(SWITCH_S)
    os.umask(0o077)  # the folder holds the secret that signs links and tokens' digests
    try:
        rules = [rule for text in options.fault for rule in _read_fault(text)]
        with _locked(options.dir):
            asyncio.run(_serve(options, rules))
    except CannotServe as error:
        sys.stderr.write(f"emulator: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emulator",
        description="Serve an Amazon Cloud Drive that keeps its nodes and content in one folder.",
    )
    add = parser.add_argument
    add(
        "--dir",
        required=True,
        type=Path,
        metavar="D",
        help="folder of nodes, content and tokens; made if missing",
    )
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=_port, default=0, help="port to listen on; 0 takes any (default: %(default)s)")
    add(
        "--consent", choices=("page", "auto"), default="page", help="ask before an app gets a code, or do not"
    )
    add(
        "--quota",
        type=_bytes,
        default=QUOTA_BYTES,
        metavar="BYTES",
        help="size of the drive (default: 100 GiB)",
    )
    add("--seed", type=int, metavar="N", help="make the faults' dice repeatable")
    add(
        "--fault",
        action="append",
        default=[],
        metavar="JSON",
        help="a fault rule, or a list; may be repeated",
    )
    add("--token-life", type=_positive, default=TOKEN_LIFE_S, metavar="SECONDS", help="life of access tokens")
    add("--issue-token", action="store_true", help="put a token, in rclone's form, into the ready line")
    add("--ready-json", action="store_true", help="print the ready line as JSON")
    add(
        "--ready-fd", type=int, metavar="FD", help="write the JSON ready line to this file descriptor as well"
    )
    add("--watch-stdin", action="store_true", help="end when standard input ends")
    add("--verbose", action="store_true", help="log every request to standard error")
    return parser


async def _serve(options: argparse.Namespace, rules: list[Rule]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        database = Database(options.dir)
    except (OSError, sqlite3.Error) as error:
        raise CannotServe(f"cannot use {options.dir}: {error}") from error
    faults = Faults(options.seed)
    faults.rules += rules
    tokens = Tokens(database, options.token_life)
    emulator = Emulator(
        database, tokens, faults, consent=options.consent, quota=options.quota, verbose=options.verbose
    )
    try:
        try:
            runner = await emulator.start(options.host, options.port)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise CannotServe(f"cannot listen on {options.host} port {options.port}: {reason}") from error
        try:
            await _tell(options, emulator)
            if options.watch_stdin:
                threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
            await stop.wait()
        finally:
            await runner.cleanup()
    finally:
        await database.close()


async def _tell(options: argparse.Namespace, emulator: Emulator) -> None:
    ready: Json = {"url": emulator.url, "pid": os.getpid()}
    if options.issue_token:
        ready["token"] = await emulator.tokens.rclone_form()
    line = json.dumps(ready)
    if options.ready_json:
        sys.stdout.write(f"{line}\n")
    else:
        sys.stdout.write(f"serving {options.dir} on {emulator.url} (pid {os.getpid()})\n")
        if options.issue_token:
            sys.stdout.write(f"token: {json.dumps(ready['token'])}\n")
    sys.stdout.flush()
    if options.ready_fd is not None:
        try:
            os.write(options.ready_fd, line.encode() + b"\n")
        except OSError as error:
            raise CannotServe(
                f"cannot write to file descriptor {options.ready_fd}: {error.strerror}"
            ) from error


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 65536):
            pass
    with contextlib.suppress(RuntimeError):  # the loop has ended by other means
        loop.call_soon_threadsafe(stop.set)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process alone; the system lets go of it however the process ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotServe(f"cannot write to {folder}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            raise CannotServe(
                f"{folder} is already served by another process (pid {holder or 'unknown'})"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _read_fault(text: str) -> list[Rule]:
    try:
        return read_rules(json.loads(text))
    except ValueError as error:
        raise CannotServe(f"--fault: {error}") from error


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port lies between 0 and 65535")
    return number


def _bytes(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("a size is not negative")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
