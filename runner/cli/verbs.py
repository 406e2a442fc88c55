"""The verbs: reserved words of the command line, one file in `commands` each."""

from typing import NamedTuple

COMMON = ("--json", "-q", "--quiet", "-v", "--verbose")
"""Options that may stand before the verb as well as after it."""


class Verb(NamedTuple):
    """group: its heading in the help; usage: what follows the verb; does: one line of help."""

    group: str
    usage: str
    does: str


VERBS = {
    "apply": Verb("run", "PLAN", "apply a saved plan exactly; refuse when it is no longer true"),
    "verify": Verb("prove and bring back", "FILE...", "prove again what is there; --repair what is damaged"),
    "restore": Verb("prove and bring back", "FILE TO", "copy what is stored back into a folder, proven"),
    "resume": Verb("prove and bring back", "[RUN]", "go on with the run that was cut off last"),
    "validate": Verb("look into a manifest", "FILE...", "check it; nothing is contacted"),
    "why": Verb(
        "look into a manifest", "FILE PATH", "which rule decides about a path, and what a run would do"
    ),
    "show": Verb("look into a manifest", "FILE", "it with every default filled in; or a saved plan"),
    "graph": Verb("look into a manifest", "FILE", "its stages, and what waits for what: text, Mermaid, DOT"),
    "schema": Verb("look into a manifest", "", "the JSON Schema that editors complete and check by"),
    "history": Verb("look back", "", "the runs so far, and how they ended"),
    "status": Verb("look back", "[FILE...]", "how every pair stands; --max-age for monitoring"),
    "log": Verb("look back", "RUN", 'what a run did, path by path; "last" is the latest'),
    "undo": Verb("look back", "RUN", "bring back what a run trashed or replaced; --plan shows it first"),
    "ls": Verb("look and copy", "REMOTE:PATH", "files and their sizes, in all folders below"),
    "lsl": Verb("look and copy", "REMOTE:PATH", "files with size and time, in all folders below"),
    "lsd": Verb("look and copy", "REMOTE:PATH", "the folders of one level"),
    "md5sum": Verb("look and copy", "REMOTE:PATH", "the MD5 of every file, as `md5sum -c` takes it"),
    "cat": Verb("look and copy", "REMOTE:PATH", "the content of a file, or of every file of a folder"),
    "about": Verb("look and copy", "REMOTE:", "how much room there is"),
    "check": Verb("look and copy", "SRC DST", "compare two places; exit 9 when they differ"),
    "copy": Verb("look and copy", "SRC DST", "copy what is new or changed; --plan shows it first"),
    "move": Verb("look and copy", "SRC DST", "copy, then trash each file of SRC whose copy is proven"),
    "mkdir": Verb("look and copy", "REMOTE:PATH", "make a folder and those above it"),
    "rmdir": Verb("look and copy", "REMOTE:PATH", "move an empty folder to the trash"),
    "trash": Verb(
        "look and copy", "list REMOTE", "what was removed or replaced; `trash restore` brings it back"
    ),
    "config": Verb("set up", "", "make, change and remove your own remotes, by questions and answers"),
    "login": Verb("set up", "REMOTE", "log in with a browser; the token is kept for later runs"),
    "authorize": Verb("set up", "TYPE", "log in for a machine that has no browser"),
    "remotes": Verb("set up", "[check NAME]", "your remotes and their log-ins; check a live one"),
    "unlock": Verb(
        "more", "REMOTE:", "who writes to a remote that hosts share; take a dead run's lease away"
    ),
    "emulator": Verb("more", "--dir FOLDER", "serve an Amazon Cloud Drive from a folder"),
}
"""Every verb of this version, in the order of the help."""
