"""The built-in server as a process of its own."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.backends.acd import embedded
from runner.backends.acd.backend import Acd
from runner.backends.acd.config import AcdConfig
from runner.backends.acd.embedded import Embedded
from runner.model.backend import Setting
from runner.model.content import Content
from runner.model.errors import AcdrunError, BadAnswer, Locked, Unavailable


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_what_is_stored_is_there_after_the_server_was_ended_and_started_again(tmp_path: Path) -> None:
    async def work() -> bytes:
        config = AcdConfig(type="acd", server="embedded")
        setting = Setting("cloud", tmp_path, tmp_path / "state", "run")
        first = await Acd.open(config, setting)
        await first.put("x", Content.of(b"kept"), expect=None)
        await first.close()
        await first.close()
        second = await Acd.open(config, setting)
        try:
            return b"".join([chunk async for chunk in second.read("x")])
        finally:
            await second.close()

    assert asyncio.run(work()) == b"kept"


def test_it_ends_on_close_and_its_files_are_its_owners_only(tmp_path: Path) -> None:
    async def work() -> int:
        server = await Embedded.start(tmp_path, "cloud")
        pid = server._process.pid
        assert os.getsid(pid) != os.getsid(0)
        await server.close()
        return pid

    assert gone(asyncio.run(work()))
    assert stat.S_IMODE((tmp_path / "emulator").stat().st_mode) == 0o700


def test_a_second_one_on_the_same_files_is_locked_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_LOCK_S", 0.2)

    async def work() -> None:
        server = await Embedded.start(tmp_path, "cloud")
        try:
            with pytest.raises(Locked):
                await Embedded.start(tmp_path, "cloud")
        finally:
            await server.close()

    asyncio.run(work())


def test_it_ends_when_we_are_killed_and_the_next_run_waits_for_that(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys, time; from pathlib import Path\n"
        "from runner.backends.acd.embedded import Embedded\n"
        "server = asyncio.run(Embedded.start(Path(sys.argv[1]), 'cloud'))\n"
        "print('ready', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        owner.send_signal(signal.SIGKILL)

    async def work() -> None:
        await (await Embedded.start(tmp_path, "cloud")).close()

    asyncio.run(work())  # the emulator holds the lock itself, so this is proof that the first one is gone


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        ("import sys; sys.exit('canary: no room on the disk')", Unavailable),
        ("print('not JSON', flush=True); input()", BadAnswer),
        ('print(\'{"url":"http://evil.example/","token":{}}\', flush=True); input()', BadAnswer),
        ('print(\'{"url":"http://127.0.0.1:1/"}\', flush=True); input()', BadAnswer),
        ("input()", Unavailable),
    ],
)
def test_one_that_does_not_start_says_why_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, kind: type[AcdrunError]
) -> None:
    (tmp_path / "python").write_text(f"#!{sys.executable}\n{program}\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(embedded, "READY_S", 0.6)
    begun = time.monotonic()

    with pytest.raises(kind):
        asyncio.run(Embedded.start(tmp_path / "state", "cloud"))

    assert time.monotonic() - begun < 5
