"""`acdrun authorize TYPE`: log in here, for a machine that has no browser."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.cli.options import Parser
from runner.cli.output import Output
from runner.model.errors import UsageError
from runner.model.exits import Exit
from runner.report.line import Line

if TYPE_CHECKING:
    from runner.cli.fields import Draft
    from runner.manifest.keep import Keep


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print the token of a log-in, to be pasted elsewhere: the one secret that is ever printed."""
    from runner.cli.sign_in import add_browser

    parser = Parser(
        "authorize",
        "TYPE [key=value...]",
        "Log in on this machine and print the token, to be pasted into acdrun config or acdrun login --paste "
        "on another. client_secret is given as env:NAME, file:PATH or - to be asked for it.",
    )
    parser.add_argument("type", metavar="TYPE", help="a kind of storage, such as `amazon cloud drive`")
    parser.add_argument("fields", metavar="key=value", nargs="*", help="fields of that kind")
    add_browser(parser)
    args = parser.parse_intermixed_args(list(argv))
    from runner.backends import registry
    from runner.cli.fields import Draft, give_fields, type_in
    from runner.cli.sign_in import client_of, sign_in
    from runner.manifest.keep import Keep
    from runner.manifest.leaves import model
    from runner.manifest.storages import built, why_not
    from runner.state.home import state_dir

    kind = built(args.type)
    if kind is None:
        raise UsageError(why_not(args.type))
    keep = Keep(state_dir())
    draft = Draft("authorize", kind, {"type": kind})
    give_fields(draft, args.fields, keep, type_in)
    provider = registry.provider(kind, model(draft.name, draft.fields))
    if provider is None:
        raise UsageError(f"a remote of the kind {kind!r} needs no log-in")
    if provider.client_id is None and not provider.any_client and sys.stdin.isatty():
        _ask_client(draft, keep)
        provider = registry.provider(kind, model(draft.name, draft.fields)) or provider
    client = client_of(provider, draft.at_hand(), "")
    token = sign_in(provider, client, output.tell, browse=not args.no_browser, port=args.port)
    output.tell(
        Line("This token gives access to everything; paste it there, and keep it nowhere else:", "warn")
    )
    output.text(token.dump() + "\n")
    if args.json:
        from runner.report.json import outcome_record

        output.record(outcome_record(Exit.CONVERGED))
    return Exit.CONVERGED


def _ask_client(draft: "Draft", keep: "Keep") -> None:
    """Ask for the application's credentials, as none are among the arguments."""
    from runner.cli.ask import Ask
    from runner.cli.fields import ask_field
    from runner.manifest.leaves import find_leaf

    ask = Ask("acdrun authorize TYPE client_id=ID client_secret=env:NAME")
    for word in ("client_id", "client_secret"):
        leaf = find_leaf(draft.kind, word)
        if leaf is not None:
            ask_field(draft, leaf, keep, ask)
