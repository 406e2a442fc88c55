"""Secrets: found where a reference points, and kept out of every message."""

import os
import re
import stat
import subprocess
from pathlib import Path
from urllib.parse import quote

from runner.model.errors import Denied, LoginNeeded
from runner.model.secret import CommandReference, EnvReference, FileReference, Secret

_MOST = 1 << 20
_SHORTEST_MASKED = 6
_COMMAND_S = 30

_known: set[str] = set()

_PATTERNS = (
    re.compile(r"(?i)\b(bearer|basic)\s+[^\s,;\"'<>]+"),
    re.compile(r"\b(Atz[ar])(?:\||%7C|\\u007c)[^\s\"'&,;<>\\)]+", re.IGNORECASE),
    re.compile(
        r"(?i)([?&;](?:x-(?:amz|goog)-(?:signature|credential|security-token)|signature|sig|awsaccesskeyid|"
        r"googleaccessid|key|policy|token|access_token|refresh_token|client_secret|code|state|password|"
        r"temp_url_sig|upload_id)=)[^&#\s\"'<>]+"
    ),
    re.compile(
        r"(?i)([\"'](?:access_token|refresh_token|client_secret|id_token|password)[\"']\s*:\s*[\"'])[^\"']+"
    ),
)


def known(secret: Secret) -> Secret:
    """Register a secret, so that `redact` finds it in any text."""
    text = secret.reveal()
    if len(text) >= _SHORTEST_MASKED:
        _known.add(text)
        _known.add(quote(text.encode("utf-8", "surrogatepass"), safe=""))
    return secret


def redact(text: str) -> str:
    """The text with every registered secret, bearer token and signature masked."""
    for secret in sorted((secret for secret in _known if secret in text), key=len, reverse=True):
        text = text.replace(secret, "***")
    for pattern in _PATTERNS:
        text = pattern.sub(_masked, text)
    return text


def _masked(match: "re.Match[str]") -> str:
    lead = match[1]
    return lead + "***" if lead[-1:] in "=\"'" else lead + " ***"


def resolve(reference: EnvReference | FileReference | CommandReference) -> Secret:
    """The secret behind a reference. Blocks for as long as a command runs, at most 30 s.

    Raises LoginNeeded when there is none, Denied when others could read the file.
    """
    if isinstance(reference, EnvReference):
        text = _from_environment(reference.env)
    elif isinstance(reference, FileReference):
        text = read_private(reference.file.expanduser()).removesuffix("\n").removesuffix("\r")
    else:
        text = _from_command(reference.command)
    if not text:
        raise LoginNeeded(f"the secret {_spelled(reference)} is empty")
    return known(Secret(text))


def read_private(path: Path) -> str:
    """The text of a file that nobody but its owner, who is us, can read; at most 1 MiB, UTF-8.

    Raises LoginNeeded when it is missing, Denied when it is a link, not a file, not ours, or open to others.
    Source: reliability.md §7.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise LoginNeeded(f"the secret {{file: {path}}} does not exist") from error
    except OSError as error:
        raise Denied(
            f"the secret {{file: {path}}} cannot be opened: {error.strerror}", hint="it must not be a link"
        ) from error
    try:
        _check(os.fstat(descriptor), path)
        data = os.read(descriptor, _MOST + 1)
    finally:
        os.close(descriptor)
    if len(data) > _MOST:
        raise Denied(f"the secret {{file: {path}}} is larger than 1 MiB")
    return _text(data, f"{{file: {path}}}")


def _check(seen: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(seen.st_mode):
        raise Denied(f"the secret {{file: {path}}} is no regular file")
    if seen.st_uid != os.geteuid():
        raise Denied(f"the secret {{file: {path}}} belongs to another user")
    if seen.st_mode & 0o077:
        raise Denied(f"others may read the secret {{file: {path}}}", hint=f"chmod 600 {path}")


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise LoginNeeded(
            f"the secret {{env: {name}}} is not set", hint=f"set the environment variable {name}"
        )
    return value


def _from_command(command: list[str]) -> str:
    spelled = f"{{command: [{command[0]}, ...]}}"
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_COMMAND_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = error.strerror if isinstance(error, OSError) else f"took longer than {_COMMAND_S} s"
        problem = LoginNeeded(f"the secret {spelled} could not be asked for: {why}")
    else:
        if done.returncode == 0 and len(done.stdout) <= _MOST:
            return _text(done.stdout, spelled).removesuffix("\n").removesuffix("\r")
        problem = LoginNeeded(f"the secret {spelled} failed: exit {done.returncode}")
    raise problem  # outside of `except`: a time-out carries what was printed so far


def _text(data: bytes, spelled: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass  # the error would carry the bytes
    raise LoginNeeded(f"the secret {spelled} is not UTF-8 text")


def _spelled(reference: EnvReference | FileReference | CommandReference) -> str:
    if isinstance(reference, EnvReference):
        return f"{{env: {reference.env}}}"
    if isinstance(reference, FileReference):
        return f"{{file: {reference.file}}}"
    return f"{{command: [{reference.command[0]}, ...]}}"
