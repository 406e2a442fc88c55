"""Logging in from a terminal: the link, the browser, and the token that comes of it."""

import argparse
import asyncio
import contextlib
import os
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from runner.cli.options import Parser
from runner.model.errors import AcdrunError, LoginNeeded
from runner.model.secret import FileReference, Reference, Secret
from runner.remote.engines import open_engine
from runner.remote.login import Client, Provider, log_in
from runner.remote.loopback import DEADLINE_S, HOST, PORT
from runner.remote.secrets import resolve
from runner.remote.tokens import Token

RETURN_ADDRESS = f"http://{HOST}:{PORT}/"
"""What an application has to allow; another port can be had only where it allows that."""

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def add_browser(parser: Parser) -> None:
    """Options of everything that logs in."""
    parser.add_argument("--no-browser", action="store_true", help="only print the link of the log-in")
    parser.add_argument(
        "--port",
        type=_port,
        default=PORT,
        help=f"where the browser comes back to, if the application allows another port than {PORT}",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 1 to 65535")
    return int(text)


def sign_in(
    provider: Provider,
    client: Client,
    tell: Callable[[str], None],
    *,
    browse: bool = True,
    port: int = PORT,
) -> Token:
    """Log in with a browser, and return the token. Raises what `login.log_in` raises.

    browse: open the browser; its link is printed either way. port: where the browser comes back to.
    """

    def begin(url: str) -> None:
        opened = browse and open_browser(url)
        tell("If your browser does not open by itself, go to this link:" if opened else "Go to this link:")
        tell(f"  {url}")
        tell(
            f"Log in there and give access; waiting for the answer, {DEADLINE_S / 60:.0f} minutes at most ..."
        )

    async def whole() -> Token:
        engine = open_engine()
        try:
            return await log_in(provider, client, engine, begin, port=port)
        finally:
            await engine.close()

    return asyncio.run(whole())


def open_browser(url: str) -> bool:
    """Open the person's browser, as BROWSER or the desktop names it; False where only the link can help.

    A browser that draws in the terminal is opened only when it is asked for by name: it would take over the
    terminal that the link is printed on.
    """
    graphical = sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in _DISPLAYS)
    if not graphical and not os.environ.get("BROWSER"):
        return False
    # Some browsers return only when they are closed, and nothing here waits for that.
    threading.Thread(target=_open, args=(url,), daemon=True).start()
    return True


def _open(url: str) -> None:
    with contextlib.suppress(webbrowser.Error, OSError):  # the link is on the terminal
        webbrowser.open(url)


def client_of(provider: Provider, at_hand: Mapping[Path, Secret], name: str) -> Client:
    """The application to log in as.

    at_hand: secrets by the files that will hold them. Raises LoginNeeded when no client id is configured.
    """

    def find(reference: Reference | None) -> Secret | None:
        if reference is None:
            return None
        if isinstance(reference, FileReference) and reference.file in at_hand:
            return at_hand[reference.file]
        return resolve(reference)

    identity = find(provider.client_id)
    if identity is None and provider.any_client:
        identity = Secret(provider.any_client)
    if identity is None:
        raise LoginNeeded(
            "no client id is configured, and acdrun has none of its own",
            remote=name,
            hint=f"register an application with the service, with the return address {RETURN_ADDRESS}, "
            "and configure its `client_id` and `client_secret`",
        )
    return Client(identity, find(provider.client_secret))


def pasted(text: str) -> Token:
    """The token in what `acdrun authorize` or `rclone authorize` printed; words around it may be there.

    Raises LoginNeeded.
    """
    return Token.parse(text[max(0, text.find("{")) : text.rfind("}") + 1], "what was pasted")


def told(token: Token) -> str:
    """What there is to say of a token."""
    parts = [f"good until {_moment(token.expiry)}"] if token.expiry else []
    return ", ".join([*parts, "then renewed by itself" if token.refresh else "not to be renewed"])


def paste_problem(text: str) -> str:
    """What is wrong with a pasted token; "" when nothing is."""
    try:
        pasted(text)
    except AcdrunError as error:
        return error.message
    return ""


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
