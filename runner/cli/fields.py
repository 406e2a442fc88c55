"""The fields of one remote, asked one by one or given as `key=value`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.cli.ask import Ask
from runner.manifest.keep import Keep
from runner.manifest.leaves import Leaf, complaint, find_leaf, get, leaves, put, typed
from runner.manifest.problems import did_you_mean
from runner.model.errors import Problem, UsageError
from runner.model.secret import Secret
from runner.remote.secrets import known

_SHORT = ("env:", "file:", "command:")


@dataclass(slots=True)
class Draft:
    """A remote that is being made. secrets: those that are kept nowhere yet."""

    name: str
    kind: str
    fields: dict[str, Any]
    secrets: dict[Leaf, Secret] = field(default_factory=dict)

    def keep_secret(self, keep: Keep, leaf: Leaf, text: str) -> None:
        """Refer to the file that will keep the secret."""
        self.secrets[leaf] = known(Secret(text))
        self.fields = keep.refer(self.name, self.fields, leaf)

    def take_out(self, leaf: Leaf) -> None:
        """Back to the default."""
        self.secrets.pop(leaf, None)
        self.fields = put(self.fields, leaf.keys, None)

    def at_hand(self) -> Mapping[Path, Secret]:
        """The secrets by the files that will keep them, for whoever needs them before."""
        return {Path(get(self.fields, leaf.keys)["file"]): secret for leaf, secret in self.secrets.items()}

    def lines(self) -> list[str]:
        """The remote, without its secrets."""
        shown = ((leaf.name, self.shown(leaf)) for leaf in leaves(self.kind))
        return [f"type: {self.kind}", *(f"{name}: {value}" for name, value in shown if value)]

    def shown(self, leaf: Leaf) -> str:
        """The value of a field as anybody may see it; "" when it has none."""
        value = get(self.fields, leaf.keys)
        if value is None:
            return ""
        if leaf in self.secrets:
            return "***" if leaf.secret else self.secrets[leaf].reveal()
        if leaf.referred:
            return reference_text(value)
        return str(value).lower() if isinstance(value, bool) else str(value)


def reference_text(value: Any) -> str:
    """A reference as it is typed on the command line; the words of a command after the first are left out."""
    if isinstance(value, dict) and isinstance(value.get("command"), list):
        return f"command:{value['command'][0]} ..."
    return ":".join(str(part) for part in next(iter(value.items()))) if isinstance(value, dict) else "***"


def ask_fields(draft: Draft, keep: Keep, ask: Ask, needless: Callable[[Leaf], bool]) -> None:
    """Ask for every field of the kind. An answer is asked for again until the kind's model takes it.

    needless: tells, from the answers so far, which field need not be asked for.
    """
    asked = leaves(draft.kind)
    for leaf in asked:
        if not leaf.common and not needless(leaf):
            ask_field(draft, leaf, keep, ask)
    common = [leaf for leaf in asked if leaf.common]
    names = ", ".join(leaf.keys[-1] for leaf in common)
    if common and ask.sure(f"\nSet more ({names})?", default=False):
        for leaf in common:
            ask_field(draft, leaf, keep, ask)


def ask_field(draft: Draft, leaf: Leaf, keep: Keep, ask: Ask) -> None:
    """Ask for one field, with what it means and what is there now."""
    now = draft.shown(leaf)
    ask.say("")
    ask.say(leaf.description)
    if leaf.choices:
        ask.say(f"One of: {', '.join(leaf.choices)}.")
    if leaf.referred:
        hidden = "It is not shown while it is typed. " if leaf.secret else ""
        ask.say(f"{hidden}`env:NAME` or `file:PATH` says where it is to be found instead.", "dim")
    if now:
        ask.say(f'Enter keeps "{now}"; "-" takes it out.', "dim")
    elif leaf.default:
        ask.say(f'Enter for the default, "{leaf.default}".', "dim")
    elif not leaf.required:
        ask.say("Enter to leave it blank.", "dim")
    if leaf.referred:
        _take_reference(draft, leaf, keep, ask, bool(now))
        return
    taken: list[Any] = []

    def check(text: str) -> str:
        if not text:
            return "it is needed" if leaf.required and not now else ""
        if text == "-" and now:
            return ""
        found, problem = typed(draft.name, draft.fields, leaf, text)
        taken[:] = [found]
        return _said(problem)

    answer = ask.text(leaf.name, check=check)
    if answer == "-" and now:
        draft.take_out(leaf)
    elif answer:
        draft.fields = put(draft.fields, leaf.keys, taken[0])


def _take_reference(draft: Draft, leaf: Leaf, keep: Keep, ask: Ask, there: bool) -> None:
    def check(text: str) -> str:
        if text.startswith(_SHORT):
            return _said(complaint(draft.name, put(draft.fields, leaf.keys, reference(text)), leaf))
        return "it is needed" if leaf.required and not text and not there else ""

    answer = ask.hidden(leaf.name, check=check) if leaf.secret else ask.text(leaf.name, check=check)
    if answer == "-" and there:
        draft.take_out(leaf)
    elif answer:
        give_reference(draft, leaf, keep, answer)


def give_reference(draft: Draft, leaf: Leaf, keep: Keep, text: str) -> None:
    """Set a field that is referred to: `env:NAME` and the like as it is, anything else goes to a file."""
    if text.startswith(_SHORT):
        draft.secrets.pop(leaf, None)
        draft.fields = put(draft.fields, leaf.keys, reference(text))
    else:
        draft.keep_secret(keep, leaf, text)


def reference(text: str) -> dict[str, Any]:
    """The reference that `env:NAME`, `file:PATH` or `command:ARGV` stands for."""
    word, _, rest = text.partition(":")
    return {word: rest.split() if word == "command" else rest}


def give_fields(draft: Draft, pairs: Sequence[str], keep: Keep, type_in: Callable[[str], str]) -> None:
    """Set fields from `key=value`.

    type_in: asks for what stands as `-`, so that no secret is among the arguments, where every user of the
        machine could read it. Raises UsageError.
    """
    for pair in pairs:
        key, equals, text = pair.partition("=")
        leaf = find_leaf(draft.kind, key)
        names = [leaf.name for leaf in leaves(draft.kind)]
        if not equals or leaf is None:
            shown = (
                f"there is no field {key!r} in {draft.kind!r}" if equals else "a field is given as key=value"
            )
            raise UsageError(shown, hint=did_you_mean(key, names) or f"fields: {', '.join(names)}")
        if leaf.referred and text == "-":
            draft.keep_secret(keep, leaf, type_in(leaf.name))
        elif leaf.secret and not text.startswith(_SHORT):
            raise UsageError(
                f"the value of {leaf.name!r} may be secret, and every user of this machine can see arguments",
                hint=f"{key}=- asks for it; {key}=env:NAME and {key}=file:PATH refer to it",
            )
        elif leaf.referred:
            give_reference(draft, leaf, keep, text)
        else:
            value, problem = typed(draft.name, draft.fields, leaf, text)
            if problem is not None:
                raise UsageError(problem.message, hint=problem.hint)
            draft.fields = put(draft.fields, leaf.keys, value)


def type_in(name: str) -> str:
    """A secret from the terminal, not shown, or a line of stdin. Raises UsageError for an empty one."""
    here = sys.stdin.isatty()
    text = Ask("").hidden(name) if here else sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise UsageError(f"nothing was given for {name!r}")
    return text


def _said(problem: Problem | None) -> str:
    if problem is None:
        return ""
    return problem.message + (f" ({problem.hint})" if problem.hint else "")
