"""Taking over the remotes of an rclone.conf."""

from pathlib import Path

from runner.cli.output import Output
from runner.manifest.keep import Keep, bad_name
from runner.manifest.rclone import Imported, read_rclone
from runner.model.errors import AcdrunError
from runner.model.exits import Exit
from runner.model.path import show
from runner.report.line import Line


def bring_in(path: Path, keep: Keep, output: Output, *, replace: bool, json: bool) -> Exit:
    """Keep every remote that can be kept, and name what cannot; INCOMPLETE when there is any of that."""
    code = Exit.CONVERGED
    for found in read_rclone(path):
        why = found.why or bad_name(found.name) or _store(found, keep, replace=replace)
        if why or found.left_out:
            code = Exit.INCOMPLETE
        if json:
            output.record(
                {
                    "record": "import",
                    "name": found.name,
                    "type": found.type,
                    "taken": not why,
                    "token": found.token is not None,
                    "why": why,
                    "left_out": found.left_out,
                }
            )
        else:
            _tell(found, why, output)
    return code


def _store(found: Imported, keep: Keep, *, replace: bool) -> str:
    fields = found.fields
    for leaf in found.secrets:
        fields = keep.refer(found.name, fields, leaf)
    try:
        keep.store(found.name, fields, found.secrets, token=found.token, replace=replace)
    except AcdrunError as error:
        return error.message
    return ""


def _tell(found: Imported, why: str, output: Output) -> None:
    name = show(found.name)
    if why:
        output.tell(Line(f"! {name}: left out: {show(why)}", "warn"))
        return
    parts = [found.fields["type"]]
    if found.secrets:
        parts.append(" and ".join(leaf.keys[-1] for leaf in found.secrets))
    if found.token is not None:
        parts.append("token")
    output.say(Line(f"+ {name}: {', '.join(parts)}", "add"))
    for option, reason in found.left_out.items():
        output.tell(Line(f"! {name}: {show(option)} left out{': ' if reason else ''}{show(reason)}", "warn"))
