"""The help text. It is put together from the verbs and the table of exit codes, and imports nothing heavy."""

from runner.cli.verbs import VERBS
from runner.model.exits import Exit

_HEAD = """\
acdrun: declare which places to keep in step, run it, and have it proven

  acdrun [options] FILE...           bring everything in step that the manifests declare
  acdrun --plan [options] FILE...    say what that would change, and change nothing

options of a run
  --plan                 stop before the first write, and show what would change
  --out PLAN             save the plan, for `acdrun apply PLAN`
  --detailed-exitcode    with --plan: exit 10 when there are changes
  --max-duration TIME    start nothing new after this long, such as 2h
  --max-transfer SIZE    start nothing new after this much, such as 100GiB
  --wait TIME            wait this long for another run on the same destination
"""

_TAIL = """
options of every command
  --json                 JSON lines on stdout; the last one is the outcome and exit code
  -q, --quiet            only problems and errors
  -v, --verbose          more: every change, its reason, every retry
  -h, --help             this text, or that of a verb
  --version

examples
  acdrun --plan jobs/nightly.yaml
  acdrun --plan --out nightly.plan jobs/nightly.yaml && acdrun apply nightly.plan

A file that is named like a verb is written ./name.
Journals, caches and tokens are kept in $ACDRUN_STATE, by default ~/.local/state/acdrun.
NO_COLOR, FORCE_COLOR, TERM=dumb and CI are honoured.

exit codes
"""


def help_text() -> str:
    """Everything there is, on one page."""
    text = _HEAD
    group = ""
    for word, verb in VERBS.items():
        if verb.group != group:
            group = verb.group
            text += f"\n{'run a saved plan' if group == 'run' else group}\n"
        text += f"  {f'{word} {verb.usage}':<22} {verb.does}\n"
    text += _TAIL
    return text + "".join(f"  {int(code):>3}  {code.meaning}\n" for code in Exit)


def short_help() -> str:
    """What to type first."""
    return (
        "usage: acdrun [--plan] FILE...\n"
        f"       acdrun VERB ...    ({', '.join(VERBS)})\n"
        "acdrun --help says more"
    )
