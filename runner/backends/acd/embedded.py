"""The built-in server, run for one remote: a process of its own that ends when we do."""

import asyncio
import contextlib
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import runner
from runner.model import path as paths
from runner.model.errors import AcdrunError, BadAnswer, Locked, Unavailable, UsageError
from runner.remote.http import loopback, origin
from runner.remote.secrets import redact
from runner.remote.tokens import Token

READY_S = 30.0
_LOCK_S = 5.0
_END_S = 10.0


class Embedded:
    """A running emulator. url: its address; token: what it issued for us, good as long as it runs.

    Its files are below `<state>/emulator/<remote>`; one process at a time serves them, any other is told
    Locked. The lock is held by the emulator itself too, so that a killed run's emulator, which still winds
    down, is waited for. It ends when its standard input does, even if we are killed.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", lock: int, url: str, token: Token) -> None:
        self.url = url
        self.token = token
        self._process = process
        self._lock: int | None = lock

    @classmethod
    async def start(cls, state: Path, remote: str) -> "Embedded":
        """Start it and wait until it answers. Raises Locked, Unavailable."""
        if paths.fault(remote) or remote.startswith((".", "-")):
            raise UsageError(f"an embedded server cannot keep its files under the name {remote!r}")
        folder = state / "emulator"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = await _lock(folder / f"{remote}.lock", remote)
        process: subprocess.Popen[bytes] | None = None
        try:
            process = _spawn(folder / remote, folder / f"{remote}.log", lock)
            line = await _ready(process, folder / f"{remote}.log", remote)
            url, token = _introduction(line, remote)
        except BaseException:
            if process is not None:
                await _end(process)
            os.close(lock)
            raise
        return cls(process, lock, url, token)

    async def close(self) -> None:
        """End it, by its standard input first. Safe to call twice."""
        lock, self._lock = self._lock, None
        if lock is None:
            return
        try:
            await _end(self._process)
        finally:
            os.close(lock)


async def _lock(path: Path, remote: str) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    deadline = asyncio.get_running_loop().time() + _LOCK_S
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                if asyncio.get_running_loop().time() > deadline:
                    raise Locked(
                        "another acdrun runs the embedded server of this remote",
                        remote=remote,
                        hint="wait for it to end, or run `acdrun emulator` and name its address as `server`",
                    ) from None
            await asyncio.sleep(0.1)
    except BaseException:
        os.close(descriptor)
        raise


def _spawn(folder: Path, log: Path, lock: int) -> "subprocess.Popen[bytes]":
    # Our own package's folder as the working directory: `-m` looks there first, and nowhere unexpected.
    home = Path(runner.__file__).resolve().parent.parent
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "runner.emulator", "--dir", str(folder.resolve()), "--port", "0"),
                *("--ready-json", "--issue-token", "--watch-stdin"),
            ],
            cwd=home,
            env={name: os.environ[name] for name in kept if name in os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=descriptor,
            pass_fds=(lock,),
            start_new_session=True,  # a Ctrl-C is for us; we still need the server to wind up
        )
    finally:
        os.close(descriptor)


async def _ready(process: "subprocess.Popen[bytes]", log: Path, remote: str) -> bytes:
    assert process.stdout is not None
    reading = asyncio.ensure_future(asyncio.to_thread(process.stdout.readline, 1 << 20))
    try:
        done, _ = await asyncio.wait([reading], timeout=READY_S)
    except BaseException:
        process.kill()  # so that the thread comes back
        await asyncio.wait([reading])
        raise
    if not done:
        process.kill()
        await asyncio.wait([reading])
        raise Unavailable(f"the embedded server was not ready within {READY_S:.0f} s", remote=remote)
    line = reading.result()
    if not line.endswith(b"\n"):
        raise Unavailable(
            f"the embedded server did not start: {_last_words(log)}", remote=remote, hint=f"see {log}"
        )
    return line


def _introduction(line: bytes, remote: str) -> tuple[str, Token]:
    try:
        data: Any = json.loads(line)
        url, token = data["url"], json.dumps(data["token"])
        if not isinstance(url, str) or not loopback(origin(url)[1]):
            raise BadAnswer("the embedded server is not on this machine")
        parsed = Token.parse(token, "the embedded server's ready line")
    except (ValueError, KeyError, TypeError, AcdrunError):
        pass  # the error would carry the token
    else:
        return url, parsed
    raise BadAnswer("the embedded server's ready line makes no sense", remote=remote)


def _last_words(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_bytes()[-2000:].decode("utf-8", "replace").strip().splitlines()
        if lines:
            return paths.show(redact(lines[-1]))[:300]
    return "it said nothing"


async def _end(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        for stop in (None, process.terminate, process.kill):
            if stop is not None:
                stop()
            try:
                await asyncio.to_thread(process.wait, _END_S)
                return
            except subprocess.TimeoutExpired:
                continue
    finally:
        process.stdout.close()
