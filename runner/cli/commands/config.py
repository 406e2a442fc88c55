"""`acdrun config`: your own remotes, by questions and answers or word by word."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.options import Parser
from runner.cli.output import Output
from runner.model.errors import UsageError
from runner.model.exits import Exit
from runner.report.line import Line

if TYPE_CHECKING:
    from runner.manifest.keep import Keep

_INSTEAD = "acdrun config create NAME TYPE key=value...; acdrun config --help"


def run(argv: Sequence[str], output: Output) -> Exit:
    """Ask, where nothing more is said; else do the one thing that is."""
    words = [word for word in argv if not word.startswith("-")]
    parts: dict[str, Callable[[Sequence[str], Output], Exit]] = {
        "create": _create, "show": _show, "rename": _rename, "delete": _delete, "import": _import,
    }  # fmt: skip
    if words[:1] and words[0] in parts:
        rest = list(argv)
        rest.remove(words[0])
        return parts[words[0]](rest, output)
    from runner.cli.sign_in import add_browser

    parser = Parser(
        "config",
        "[create NAME TYPE key=value... | show [NAME] | rename NAME TO | delete NAME | import RCLONE_CONF]",
        "Make, change and remove your own remotes. Without more words it asks.",
    )
    add_browser(parser)
    parser.add_argument("part", nargs="*", help="create, show, rename, delete or import; each has a --help")
    args = parser.parse_args(list(argv))
    if args.part:
        raise UsageError(f"`acdrun config` knows no {args.part[0]!r}", hint="acdrun config --help")
    from runner.cli.ask import Ask
    from runner.cli.wizard import Wizard

    keep = _keep()
    ask = Ask(_INSTEAD)
    try:
        Wizard(ask, keep, browse=not args.no_browser, port=args.port).run()
    except (EOFError, KeyboardInterrupt) as left:
        output.tell("")
        output.tell("left; what was not finished is not written")
        return Exit.INTERRUPTED if isinstance(left, KeyboardInterrupt) else Exit.CONVERGED
    return Exit.CONVERGED


def _create(argv: Sequence[str], output: Output) -> Exit:
    from runner.cli.fields import Draft, give_fields, type_in
    from runner.manifest.leaves import model
    from runner.manifest.storages import built, why_not

    parser = Parser(
        "config create",
        "NAME TYPE [key=value...]",
        "Make a remote. A secret is given as key=env:NAME, key=file:PATH, or key=- to be asked for it.",
    )
    parser.add_argument("--replace", action="store_true", help="in place of one that has this name")
    parser.add_argument("name", metavar="NAME", help="its name, as in NAME:path")
    parser.add_argument("type", metavar="TYPE", help="its kind of storage, such as `amazon cloud drive`")
    parser.add_argument("fields", metavar="key=value", nargs="*", help="fields of that kind")
    args = parser.parse_intermixed_args(list(argv))
    kind = built(args.type)
    if kind is None:
        raise UsageError(why_not(args.type))
    keep = _keep()
    draft = Draft(args.name, kind, {"type": kind})
    give_fields(draft, args.fields, keep, type_in)
    keep.store(args.name, draft.fields, draft.secrets, replace=args.replace)
    if not args.quiet:
        output.say(f"{args.name!r} is written to {keep.file}")
    from runner.backends import registry

    provider = registry.provider(kind, model(args.name, draft.fields))
    if provider is not None and provider.token is None:
        output.tell(f"  next: acdrun login {shlex.quote(args.name)}")
    return _over(args.json, output)


def _show(argv: Sequence[str], output: Output) -> Exit:
    from runner.manifest.dump import yaml_text

    parser = Parser("config show", "[NAME]", "Print your own remotes; secrets are references in them.")
    parser.add_argument("name", metavar="NAME", nargs="?", help="only this one")
    args = parser.parse_args(list(argv))
    keep = _keep()
    remotes = {args.name: keep.one(args.name)} if args.name else keep.fields()
    if args.json:
        for name, fields in remotes.items():
            output.record({"record": "remote", "name": name, "fields": fields})
    elif remotes:
        output.text(yaml_text({"remotes": remotes}))
    else:
        output.tell(f"there are no remotes in {keep.file}; `acdrun config` makes one")
    return _over(args.json, output)


def _rename(argv: Sequence[str], output: Output) -> Exit:
    parser = Parser("config rename", "NAME TO", "Give a remote another name; secrets and token follow.")
    parser.add_argument("name", metavar="NAME", help="the remote")
    parser.add_argument("to", metavar="TO", help="its new name")
    args = parser.parse_args(list(argv))
    _keep().rename(args.name, args.to)
    return _over(args.json, output)


def _delete(argv: Sequence[str], output: Output) -> Exit:
    parser = Parser(
        "config delete",
        "NAME",
        "Remove a remote, its secrets and its token from this machine; what it stores stays where it is.",
    )
    parser.add_argument("name", metavar="NAME", help="the remote")
    args = parser.parse_args(list(argv))
    _keep().forget(args.name)
    return _over(args.json, output)


def _import(argv: Sequence[str], output: Output) -> Exit:
    from runner.cli.bring_in import bring_in

    parser = Parser(
        "config import",
        "RCLONE_CONF",
        "Take over the remotes of an rclone.conf, tokens included. What has no place here is named (exit 3).",
    )
    parser.add_argument("file", metavar="RCLONE_CONF", help="often ~/.config/rclone/rclone.conf")
    parser.add_argument("--replace", action="store_true", help="in place of remotes that have these names")
    args = parser.parse_args(list(argv))
    code = bring_in(Path(args.file), _keep(), output, replace=args.replace, json=args.json)
    if code is Exit.INCOMPLETE and not args.json:
        output.tell(Line("acdrun: warning: not everything could be taken over", "warn"))
    return _over(args.json, output, code)


def _keep() -> "Keep":
    from runner.manifest.keep import Keep
    from runner.state.home import state_dir

    return Keep(state_dir())


def _over(json: bool, output: Output, code: Exit = Exit.CONVERGED) -> Exit:
    if json:
        from runner.report.json import outcome_record

        output.record(outcome_record(code))
    return code
