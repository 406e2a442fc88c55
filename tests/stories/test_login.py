"""Logging in, as a user does it: a browser, a drive that asks for consent, and a terminal."""

import json
import os
import secrets as chance
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.rooms.wizard.terminal import Terminal
from tests.stories.conftest import Machine
from tests.stories.consent import SECRET, Service, drive, free_port

JOB = """\
version: 1
name: nightly
jobs:
  photos:
    pairs:
      - source: ../photos
        destination: cloud:photos
        mode: mirror
        retry: {attempts: 2, backoff: 10ms..20ms}
"""


@pytest.fixture(params=["page", "auto"])
def either(machine: Machine, request: pytest.FixtureRequest) -> Iterator[Service]:
    """A drive that shows its consent page, and one that does not."""
    with drive(machine, "--consent", str(request.param)) as service:
        service.configure()
        yield service


@pytest.fixture
def service(machine: Machine) -> Iterator[Service]:
    """A drive that gives consent unasked."""
    with drive(machine, "--consent", "auto") as served:
        served.configure()
        yield served


def test_a_log_in_ends_with_a_token_that_runs_use(either: Service) -> None:
    before = either.acdrun("ls", "cloud:")

    said = either.login()

    after = either.acdrun("ls", "cloud:")
    assert (before.code, said.code, after.code) == (6, 0, 0), said.err + after.err
    assert "acdrun login cloud" in before.err
    assert "logged in to 'cloud': good until" in said.out
    assert f"{either.url}/ap/oa?client_id=my-application" in said.err
    assert set(either.token) == {"access_token", "token_type", "refresh_token", "expiry"}
    assert stat.S_IMODE(either.token_file.stat().st_mode) == 0o600
    assert "acdrun has the answer" in json.loads(either.report.read_text())["page"]


def test_without_a_browser_the_link_alone_will_do(service: Service) -> None:
    port = free_port()
    process = service.machine.start(
        "login", "cloud", "--no-browser", "--port", str(port), CLIENT_SECRET=SECRET
    )
    assert process.stderr is not None
    head, link = process.stderr.readline(), process.stderr.readline().strip()

    page = httpx.get(link, follow_redirects=True, trust_env=False)

    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert head == "Go to this link:\n"
    assert page.status_code == 200
    assert out.startswith("logged in to 'cloud'")


def test_a_port_in_use_is_exit_7_and_named(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]

        said = service.acdrun("login", "cloud", "--port", str(port))

    assert said.code == 7
    assert f"port {port} of 127.0.0.1 is in use" in said.err
    assert service.token_requests() == 0


@pytest.mark.parametrize("ahead", ["gone again", "still there"])
def test_ctrl_c_while_it_waits_ends_it_and_nobody_listens_any_more(service: Service, ahead: str) -> None:
    port = free_port()
    process = service.machine.start(
        "login", "cloud", "--no-browser", "--port", str(port), CLIENT_SECRET=SECRET
    )
    assert process.stderr is not None
    process.stderr.readline()
    with socket.create_connection(("127.0.0.1", port)) as connection:  # a browser that looks ahead
        if ahead == "gone again":
            connection.close()
        else:
            httpx.get(f"http://127.0.0.1:{port}/favicon.ico", trust_env=False)  # so it has been accepted

        process.send_signal(signal.SIGINT)

        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    assert not service.token_file.exists()


@pytest.mark.parametrize("port", ["0", "65536", "x"])
def test_a_port_that_is_none_is_a_usage_error(machine: Machine, port: str) -> None:
    said = machine.acdrun("login", "cloud", "--port", port)

    assert said.code == 2
    assert "is no port" in said.err


def test_the_port_is_that_of_rclone_unless_told_otherwise(machine: Machine) -> None:
    said = machine.acdrun("login", "--help")

    assert "53682" in said.out


def test_access_denied_in_the_browser_is_exit_6(service: Service) -> None:
    port = free_port()
    process = service.machine.start(
        "login", "cloud", "--no-browser", "--port", str(port), CLIENT_SECRET=SECRET
    )
    assert process.stderr is not None
    process.stderr.readline()
    state = httpx.URL(process.stderr.readline().strip()).params["state"]

    httpx.get(f"http://127.0.0.1:{port}/", params={"error": "access_denied", "state": state}, trust_env=False)

    _, err = process.communicate(timeout=60)
    assert process.returncode == 6
    assert "access was refused in the browser" in err
    assert not service.token_file.exists()


@pytest.mark.torture
def test_A6_a_wrong_state_asks_for_no_token_and_stores_none(service: Service) -> None:
    port = free_port()
    process = service.machine.start(
        "login", "cloud", "--no-browser", "--port", str(port), CLIENT_SECRET=SECRET
    )
    assert process.stderr is not None
    process.stderr.readline()
    process.stderr.readline()

    httpx.get(f"http://127.0.0.1:{port}/", params={"code": "ANx", "state": "of another"}, trust_env=False)

    _, err = process.communicate(timeout=60)
    assert process.returncode == 6
    assert "wrong `state`" in err
    assert service.token_requests() == 0
    assert not service.token_file.exists()


def test_a_token_made_elsewhere_is_pasted_on_a_machine_without_a_browser(
    service: Service, tmp_path: Path
) -> None:
    other = Machine(tmp_path / "other")
    other.home.mkdir()
    fields = [f"server={service.url}", "client_id=my-application", "client_secret=env:CLIENT_SECRET"]
    made = other.acdrun(
        "authorize", "amazon cloud drive", *fields, "--port", str(free_port()),
        CLIENT_SECRET=SECRET, BROWSER=service.browser(),
    )  # fmt: skip

    pasted = subprocess.run(
        [sys.executable, "-m", "runner", "login", "cloud", "--paste"],
        cwd=service.machine.home,
        env=service.machine.environment,
        input=f"Paste the following into your remote machine --->\n{made.out}<---End paste\n",
        text=True,
        capture_output=True,
        timeout=60,
    )

    assert made.code == 0, made.err
    assert set(json.loads(made.out)) == {"access_token", "token_type", "refresh_token", "expiry"}
    assert "gives access to everything" in made.err
    assert "Atza" not in made.err
    assert pasted.returncode == 0, pasted.stderr
    assert "Atz" not in pasted.stdout + pasted.stderr
    assert service.acdrun("ls", "cloud:").code == 0
    assert not (other.state / "tokens").exists()


@pytest.mark.torture
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.chmod(0o644), id="0644"),
        pytest.param(lambda path: path.parent.chmod(0o755), id="folder-0755"),
        pytest.param(
            lambda path: path.rename(path.with_name("x")) and path.symlink_to(path.with_name("x")), id="link"
        ),
    ],
)
def test_A5_a_token_file_that_others_could_read_or_replace_is_refused(
    service: Service, spoil: Callable[[Path], object]
) -> None:
    service.login()
    spoil(service.token_file)

    said = service.acdrun("ls", "cloud:")
    listed = service.acdrun("remotes")

    assert said.code == 6
    assert "Atz" not in said.out + said.err
    assert "refused:" in listed.out


@pytest.mark.torture
def test_A4_two_processes_that_need_a_new_token_at_once_ask_for_one(service: Service) -> None:
    service.login()
    service.age()
    before = service.token_requests()

    processes = [service.machine.start("ls", "cloud:", CLIENT_SECRET=SECRET) for _ in range(3)]

    ends = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    assert service.token_requests() - before == 1
    assert service.token["expiry"] > "2002"


def test_the_wizard_logs_in_by_the_browser_too(service: Service) -> None:
    port = str(free_port())
    environment = {**service.machine.environment, "BROWSER": service.browser()}
    terminal = Terminal(["config", "--port", port], environment, service.machine.home)
    try:
        terminal.answer(("e/n/d/r/s/q", "n"), ("name", "attic"), ("Storage", "1"), ("server", service.url))
        terminal.answer(("auth.client_id", "my-application"), ("auth.client_secret", SECRET))
        terminal.answer(
            ("auth.auth_url", ""), ("auth.token_url", ""), ("auth.pkce", ""), ("root", ""), ("y/n", "")
        )
        terminal.answer(("y/n", "y"), ("y/e/d", "y"), ("e/n/d/r/s/q", "q"))
        code = terminal.end()
    finally:
        terminal.close()

    assert code == 0
    assert "Logged in." in terminal.screen
    assert SECRET not in terminal.screen
    assert "Atz" not in terminal.screen
    assert service.acdrun("ls", "attic:").code == 0


def test_a_remote_of_a_manifest_is_logged_in_by_its_file(service: Service) -> None:
    service.machine.acdrun("config", "delete", "cloud")
    remote = f"remotes: {{cloud: {{type: acd, server: '{service.url}'}}}}\n"
    job = service.machine.nightly(JOB.replace("jobs:\n", remote + "jobs:\n"))
    service.machine.write({"a.jpg": "a"})

    said = service.login("-f", job)

    assert said.code == 0, said.err
    assert service.acdrun(job).code == 0


def test_a_token_in_the_configuration_leaves_nothing_to_log_in_for(service: Service) -> None:
    service.machine.acdrun("config", "create", "other", "acd", f"server={service.url}", "token=env:TOKEN")

    said = service.acdrun("login", "other")

    assert said.code == 2
    assert "has a token in its configuration" in said.err


def test_remotes_says_who_is_logged_in(service: Service) -> None:
    service.machine.acdrun("config", "create", "disk", "local", "path=/srv", "root=photos")
    before = service.acdrun("remotes")
    service.login()

    after = service.acdrun("remotes")

    assert before.out.splitlines()[1].split()[-3:] == ["acdrun", "login", "cloud"]
    assert "then renewed by itself" in after.out
    assert after.out.splitlines()[2].split() == ["disk", "local", "photos", "none", "needed"]


def test_a_remote_that_needs_no_log_in_says_so(machine: Machine) -> None:
    machine.acdrun("config", "create", "cloud", "acd", "server=embedded")

    said = machine.acdrun("login", "cloud")

    assert said.code == 2
    assert "needs no log-in" in said.err


def test_amazon_without_a_client_id_says_what_is_missing(machine: Machine) -> None:
    machine.acdrun("config", "create", "cloud", "acd")

    said = machine.acdrun("login", "cloud", "--no-browser")

    assert said.code == 6
    assert "no client id is configured" in said.err
    assert "http://127.0.0.1:53682/" in said.err


def test_a_secret_among_the_arguments_is_refused_unsaid(machine: Machine) -> None:
    said = machine.acdrun("config", "create", "cloud", "acd", f"client_secret={SECRET}")

    assert said.code == 2
    assert "every user of this machine" in said.err
    assert SECRET not in said.out + said.err
    assert not (machine.home / "config" / "acdrun" / "remotes.yaml").exists()


CALLS = [
    ["--plan", "-v", "--out", "saved.plan", "jobs/nightly.yaml"],
    ["-v", "jobs/nightly.yaml"],
    ["--json", "-v", "jobs/nightly.yaml"],
    ["apply", "saved.plan"],
    ["log", "last", "--all", "-v"],
    ["history"],
    ["show", "saved.plan", "--json"],
    ["show", "jobs/nightly.yaml"],
    ["config", "show"],
    ["remotes", "-v"],
    ["ls", "-v", "cloud:"],
]


@pytest.mark.torture
@pytest.mark.slow
def test_A7_no_secret_is_in_any_output_log_plan_journal_or_argument(service: Service) -> None:
    service.machine.write({"a.jpg": "a", "b/c.jpg": "c"})
    service.machine.nightly(JOB)
    secret_file = service.machine.home / "secret"
    secret_file.write_text(SECRET)
    secret_file.chmod(0o600)
    fields = [f"server={service.url}", "client_id=my-application", f"client_secret=file:{secret_file}"]
    dead = {"access_token": f"Atza|{chance.token_hex(8)}", "refresh_token": f"Atzr|{chance.token_hex(8)}"}
    secrets = [SECRET, *dead.values()]

    with arguments() as seen:
        said = [service.acdrun("config", "create", "cloud", "acd", "--replace", *fields), service.login("-v")]
        secrets += [service.token["access_token"], service.token["refresh_token"]]
        service.age()
        said += [service.acdrun(*args) for args in CALLS]
        secrets += [service.token["access_token"]]
        service.token_file.write_text(json.dumps({**service.token, **dead}))
        said.append(service.acdrun("-v", "jobs/nightly.yaml"))

    urls = [httpx.URL(url) for url in json.loads(service.report.read_text())["seen"]]
    secrets += [url.params["code"] for url in urls if "code" in url.params]
    secrets += [quote(secret, safe="") for secret in secrets]
    text = "\n".join(one.out + one.err for one in said)
    assert len(set(secrets)) == 12
    assert [secret for secret in secrets if secret in text] == []
    assert [secret for secret in secrets if any(secret in line for line in seen)] == []
    assert found_in(service, secrets, besides=[secret_file, service.report]) == []
    assert (said[1].code, said[-1].code) == (0, 6), said[-1].err


def found_in(service: Service, secrets: list[str], besides: list[Path]) -> list[str]:
    """Every file of the machine with a secret in it, but for the token store, the drive, and those named."""
    kept = [service.machine.state / "tokens", service.machine.home / "drive", *besides]
    files = [path for path in service.machine.home.rglob("*") if path.is_file()]
    return [
        str(path)
        for path in files
        if not any(path == one or one in path.parents for one in kept)
        and any(secret.encode() in path.read_bytes() for secret in secrets)
    ]


@contextmanager
def arguments() -> Iterator[set[str]]:
    """Every command line that is to be seen on this machine meanwhile, the browser's and the drive's too."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for name in os.listdir("/proc"):
                if name.isdecimal():
                    try:
                        with open(f"/proc/{name}/cmdline", "rb") as file:
                            seen.add(file.read().decode("utf-8", "replace"))
                    except OSError:
                        continue

    thread = threading.Thread(target=look)
    if os.path.isdir("/proc/self"):
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        if thread.ident:
            thread.join()
