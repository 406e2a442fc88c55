"""The command: the lock on the folder, the start, the end."""

import argparse
import asyncio
import contextlib
import fcntl
import gc
import ipaddress
import json
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.emulator.database import Database
from runner.emulator.faults import Faults, Rule, read_rules
from runner.emulator.issue import has_store, issue, make_store
from runner.emulator.oauth import Tokens
from runner.emulator.options import parser
from runner.emulator.ready import Ready
from runner.emulator.server import Emulator

if TYPE_CHECKING:
    from runner.emulator.intercept import Intercept

# Threads hand over to each other after so long; Python's default of 5 ms would hold up the loop while
# a list is read.
SWITCH_S = 0.0005
# Requests leave few cycles behind, so the collector may look for them rarely; Python's default is 700.
GARBAGE = 20_000


class CannotServe(Exception):
    """The emulator cannot start; the text says why."""


def run(argv: Sequence[str] | None) -> int:
    """Serve until a signal, or the end of stdin, says stop; or print a token.

    Exit codes: 0 ended or printed, 2 could not.
    """
    options = parser().parse_args(argv)
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(GARBAGE)
    os.umask(0o077)  # the folder holds the secret that signs links and tokens' digests
    try:
        if options.verb == "token":
            _print_token(options.dir, options.token_life)
            return 0
        rules = [rule for text in options.fault for rule in _read_fault(text)]
        with _locked(options.dir), asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(options, rules))
    except CannotServe as error:
        sys.stderr.write(f"emulator: {error}\n")
        return 2
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's, if it is there (`pip install 'acdrun[fast]'`); its loop takes half as long."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop


def _print_token(folder: Path, life_s: int) -> None:
    try:
        if not has_store(folder):
            with _locked(folder):
                make_store(folder)
        token = issue(folder, life_s)
    except (OSError, sqlite3.Error) as error:
        raise CannotServe(f"cannot use {folder}: {error}") from error
    sys.stdout.write(f"{json.dumps(token)}\n")


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
        database,
        tokens,
        faults,
        consent=options.consent,
        quota=options.quota,
        latency_s=options.latency,
        verbose=options.verbose,
    )
    try:
        try:
            runner = await emulator.start(options.host, options.port)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise CannotServe(f"cannot listen on {options.host} port {options.port}: {reason}") from error
        try:
            async with _intercepted(options, emulator) as intercept:
                gc.freeze()  # what is there by now stays
                await _tell(options, emulator, intercept)
                if options.watch_stdin:
                    threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()
                await stop.wait()
        finally:
            await runner.cleanup()
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def _intercepted(options: argparse.Namespace, emulator: Emulator) -> AsyncIterator["Intercept | None"]:
    """Run the proxy beside the emulator, if it is wanted."""
    if options.intercept is None:
        yield None
        return
    try:
        from runner.emulator.certificates import Certificates
        from runner.emulator.intercept import Intercept
    except ModuleNotFoundError as error:
        raise CannotServe(f"--intercept needs {error.name}: pip install 'acdrun[intercept]'") from error
    host, port = emulator.address
    if not ipaddress.ip_address(host).is_loopback:
        raise CannotServe("--intercept is for this machine alone: leave --host at a loopback address")
    try:
        intercept = Intercept(Certificates(options.dir), host, port)
        await intercept.start(options.intercept)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise CannotServe(f"cannot intercept on port {options.intercept}: {reason}") from error
    try:
        yield intercept
    finally:
        await intercept.stop()


async def _tell(options: argparse.Namespace, emulator: Emulator, intercept: "Intercept | None") -> None:
    ready = Ready(options.dir, emulator.url)
    if options.issue_token or intercept is not None:
        ready.token = await emulator.tokens.rclone_form()
    if intercept is not None:
        ready.proxy, ready.ca = intercept.url, intercept.ca
    line = json.dumps(ready.as_json())
    sys.stdout.write(f"{line}\n" if options.ready_json else ready.as_text())
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
