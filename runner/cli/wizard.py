"""`acdrun config` as a conversation. The menu and its letters are those of rclone's."""

import shlex

from runner.backends import registry
from runner.cli.ask import Ask
from runner.cli.fields import Draft, ask_field, ask_fields
from runner.cli.sign_in import client_of, paste_problem, pasted, sign_in, told
from runner.manifest.keep import Keep, bad_name
from runner.manifest.leaves import Leaf, find_leaf, model
from runner.manifest.storages import STORAGES, built, why_not
from runner.model.errors import AcdrunError
from runner.remote.login import Provider
from runner.remote.loopback import HOST, PORT
from runner.remote.tokens import Token, TokenStore

_MENU = {
    "e": "Edit existing remote",
    "n": "New remote",
    "d": "Delete remote",
    "r": "Rename remote",
    "s": "Show remotes",
    "q": "Quit config",
}
_FIRST = {letter: does for letter, does in _MENU.items() if letter in "nq"}
_RULE = "-" * 20


class Wizard:
    """One conversation. browse, port: see `sign_in`."""

    def __init__(self, ask: Ask, keep: Keep, *, browse: bool = True, port: int = PORT) -> None:
        self._ask = ask
        self._keep = keep
        self._browse = browse
        self._port = port

    def run(self) -> None:
        """Ask until "quit". Ctrl-D and Ctrl-C pass on as errors; nothing half-made is written."""
        doing = {"e": self._edit, "n": self._new, "d": self._delete, "r": self._rename, "s": self._show}
        while True:
            names = self._list()
            letter = self._ask.letter(_MENU if names else _FIRST)
            if letter == "q":
                return
            try:
                doing[letter]()
            except AcdrunError as error:
                self._trouble(error)

    def _list(self) -> list[str]:
        remotes = self._keep.fields()
        if not remotes:
            self._ask.say("\nNo remotes found - make a new one")
        else:
            self._ask.say("\nCurrent remotes:\n")
            width = max(4, *map(len, remotes))
            self._ask.say(f"{'Name':<{width}}  Type\n{'=' * width}  ====")
            for name, fields in remotes.items():
                self._ask.say(f"{name:<{width}}  {fields.get('type', '?')}")
        self._ask.say()
        return list(remotes)

    def _new(self) -> None:
        name = self._ask.text("name", check=self._free)
        options = [
            (word, does if built(word) else f"{does} (not built yet)") for word, does in STORAGES.items()
        ]
        self._ask.say("\nType of storage to configure.")
        self._ask.say("Choose a number from below, or type in its name.")
        word = self._ask.number(
            "Storage", options, check=lambda answer: "" if built(answer) else why_not(answer)
        )
        kind = built(word)
        assert kind is not None
        self._fill(Draft(name, kind, {"type": kind}), replace=False)

    def _edit(self) -> None:
        name = self._ask.text("name", check=self._taken)
        fields = self._keep.one(name)
        kind = built(str(fields.get("type", "")))
        if kind is None:
            self._ask.say(why_not(str(fields.get("type", ""))), "bold red")
            return
        self._fill(Draft(name, kind, fields), replace=True)

    def _fill(self, draft: Draft, *, replace: bool) -> None:
        """Ask for the fields, log in, show what came of it, and keep it when it is right."""
        token: Token | None = None
        while True:
            ask_fields(draft, self._keep, self._ask, lambda leaf: _needless(draft, leaf))
            config = model(draft.name, draft.fields)
            provider = registry.provider(draft.kind, config)
            if provider is not None and provider.token is None:
                token = self._log_in(draft, provider, again=replace or token is not None) or token
            self._ask.say(f"\n{_RULE}\n[{draft.name}]")
            self._ask.say("\n".join(draft.lines()))
            if token is not None:
                self._ask.say(f"token: *** ({told(token)})")
            self._ask.say(_RULE)
            choices = {"y": "Yes this is OK", "e": "Edit this remote", "d": "Delete this remote"}
            letter = self._ask.letter(choices, default="y")
            if letter == "y":
                self._keep.store(draft.name, draft.fields, draft.secrets, token=token, replace=replace)
                self._ask.say(f"{draft.name!r} is written to {self._keep.file}", "bold")
                return
            if letter == "d":
                if replace:
                    self._forget(draft.name)
                else:
                    self._ask.say("nothing was written")
                return

    def _log_in(self, draft: Draft, provider: Provider, *, again: bool) -> Token | None:
        if again and not self._ask.sure("\nLog in again?", default=False):
            return None
        self._ask.say("\nUse the browser of this machine to log in?")
        self._ask.say(" * Say Y if not sure\n * Say N if you work on a remote or headless machine", "dim")
        self._ask.say(f"   The application must allow the return address http://{HOST}:{self._port}/", "dim")
        browser = self._ask.sure("", default=True)
        while True:
            try:
                token = self._by_browser(draft, provider) if browser else self._by_paste(draft)
            except AcdrunError as error:
                self._trouble(error)
                if not self._ask.sure("Try again?", default=True):
                    self._ask.say(f"later: acdrun login {shlex.quote(draft.name)}")
                    return None
            else:
                self._ask.say("Logged in.", "bold")
                return token

    def _by_browser(self, draft: Draft, provider: Provider) -> Token:
        if provider.client_id is None and not provider.any_client:
            self._ask.say("\nA client id is needed to log in: that of an application you have registered.")
            leaf = find_leaf(draft.kind, "client_id")
            assert leaf is not None
            ask_field(draft, leaf, self._keep, self._ask)
            provider = registry.provider(draft.kind, model(draft.name, draft.fields)) or provider
        client = client_of(provider, draft.at_hand(), draft.name)
        return sign_in(provider, client, self._ask.say, browse=self._browse, port=self._port)

    def _by_paste(self, draft: Draft) -> Token:
        self._ask.say("\nOn a machine with a browser, type:\n")
        self._ask.say(f'  acdrun authorize "{draft.kind}"\n')
        self._ask.say("and paste here the token that it prints. It is not shown.")
        return pasted(self._ask.hidden("token", check=paste_problem))

    def _delete(self) -> None:
        self._forget(self._ask.text("name", check=self._taken))

    def _forget(self, name: str) -> None:
        if self._ask.sure(f"Delete {name!r}, its secrets and its token from this machine?", default=False):
            self._keep.forget(name)
            self._ask.say(f"{name!r} is deleted; what is stored on it is still there", "bold")

    def _rename(self) -> None:
        name = self._ask.text("name", check=self._taken)
        self._keep.rename(name, self._ask.text("new name", check=self._free))

    def _show(self) -> None:
        for name, fields in self._keep.fields().items():
            kind = built(str(fields.get("type", "")))
            self._ask.say(f"{_RULE}\n[{name}]")
            self._ask.say(
                "\n".join(Draft(name, kind, fields).lines() if kind else [f"type: {fields.get('type')}"])
            )
            token = TokenStore(self._keep.state, name).load()
            if token is not None:
                self._ask.say(f"token: *** ({told(token)})")
        self._ask.say(_RULE)

    def _free(self, name: str) -> str:
        return bad_name(name) or (
            f"there is a remote {name!r} already" if name in self._keep.fields() else ""
        )

    def _taken(self, name: str) -> str:
        names = self._keep.fields()
        return "" if name in names else f"there is no remote {name!r}; there are {', '.join(names)}"

    def _trouble(self, error: AcdrunError) -> None:
        self._ask.say(f"error: {error}", "bold red")
        if error.hint:
            self._ask.say(f"  hint: {error.hint}")


def _needless(draft: Draft, leaf: Leaf) -> bool:
    """A log-in brings the token; what needs none, as an embedded server, needs no credentials either."""
    if not registry.KINDS[draft.kind].login or leaf.keys[0] != "auth":
        return False
    return leaf.name == "auth.token" or registry.provider(draft.kind, model(draft.name, draft.fields)) is None
