"""`acdrun login REMOTE`: log in with a browser, or with a token from another machine."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.cli.options import Parser
from runner.cli.output import Output
from runner.model.errors import UsageError
from runner.model.exits import Exit

if TYPE_CHECKING:
    from runner.remote.login import Provider
    from runner.remote.tokens import Token, TokenStore

_LONGEST = 1 << 16


def run(argv: Sequence[str], output: Output) -> Exit:
    """Log in, and keep the token where runs find it."""
    from runner.cli.sign_in import add_browser, told

    parser = Parser("login", "[-f FILE] REMOTE", "Log in to a remote. The token is kept for later runs.")
    parser.add_argument("remote", metavar="REMOTE", help="the name of a remote")
    parser.add_argument("-f", "--file", metavar="FILE", help="a manifest that declares the remote")
    parser.add_argument(
        "--paste", action="store_true", help="take a token from the terminal or stdin: see acdrun authorize"
    )
    add_browser(parser)
    args = parser.parse_args(list(argv))
    name = args.remote.removesuffix(":")
    token = _pasted(name, args.file) if args.paste else _token(name, args, output)
    from runner.remote.tokens import TokenStore
    from runner.state.home import state_dir

    asyncio.run(_save(TokenStore(state_dir(), name), token))
    if args.json:
        from runner.report.json import outcome_record

        record = {"record": "login", "remote": name, "expiry": token.expiry, "renews": bool(token.refresh)}
        output.record(record)
        output.record(outcome_record(Exit.CONVERGED))
    elif not args.quiet:
        output.say(f"logged in to {name!r}: {told(token)}")
    return Exit.CONVERGED


async def _save(store: "TokenStore", token: "Token") -> None:
    async with store.locked():  # a run that renews the old token at this moment must not have the last word
        store.save(token)


def _token(name: str, args: Namespace, output: Output) -> "Token":
    from runner.cli.sign_in import client_of, sign_in

    provider = _provider(name, args.file)
    client = client_of(provider, {}, name)
    return sign_in(provider, client, output.tell, browse=not args.no_browser, port=args.port)


def _provider(name: str, file: str | None) -> "Provider":
    from runner.backends import registry
    from runner.cli.named import remote_of

    config = remote_of(name, file)
    provider = registry.provider(registry.kind_of(config), config)
    if provider is None:
        raise UsageError(f"the remote {name!r} needs no log-in")
    if provider.token is not None:
        raise UsageError(
            f"the remote {name!r} has a token in its configuration, and another would not be used",
            hint="remove `token` from its `auth`, then log in",
        )
    return provider


def _pasted(name: str, file: str | None) -> "Token":
    from runner.cli.fields import type_in
    from runner.cli.sign_in import pasted

    _provider(name, file)
    return pasted(type_in("token") if sys.stdin.isatty() else sys.stdin.read(_LONGEST))
