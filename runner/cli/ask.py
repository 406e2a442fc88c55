"""Asking a person, on the terminal. What is asked goes to stderr; stdout is for results."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from rich.console import Console
from rich.prompt import InvalidResponse, PromptBase
from rich.text import Text, TextType

from runner.cli.hidden import read_hidden
from runner.cli.output import colours
from runner.model.errors import UsageError
from runner.model.path import show

Check = Callable[[str], str]
"""What is wrong with an answer; "" when nothing is."""


def fine(_: str) -> str:
    """Any answer will do."""
    return ""


class Ask:
    """Questions with answers that are checked. Raises EOFError at Ctrl-D, KeyboardInterrupt at Ctrl-C."""

    def __init__(self, instead: str) -> None:
        """instead: what to type where nobody can be asked. Raises UsageError without a terminal."""
        if not sys.stdin.isatty() or not sys.stderr.isatty():
            raise UsageError("there are questions to answer, and this is no terminal", hint=instead)
        self._console = Console(
            file=sys.stderr,
            no_color=not colours(sys.stderr, os.environ),
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
        )

    def say(self, text: str = "", style: str = "") -> None:
        """Something to know before the next question."""
        self._console.print(Text("\n".join(show(line) for line in text.split("\n")), style))

    def text(self, name: str, *, default: str = "", check: Check = fine) -> str:
        """A line; an empty one is the default, where there is one."""
        return self._asked(_Prompt, name, default, check)

    def hidden(self, name: str, *, check: Check = fine) -> str:
        """A line that is not shown."""
        return self._asked(_Hidden, name, "", check)

    def number(self, name: str, options: Sequence[tuple[str, str]], *, check: Check = fine) -> str:
        """One of the options, by its number or its word; another word is left to `check`."""
        for number, (word, does) in enumerate(options, 1):
            self.say(f"{number:>2} / {does}\n   \\ {word}")
        words = [word for word, _ in options]

        def meant(answer: str) -> str:
            return words[int(answer) - 1] if answer.isdecimal() and 0 < int(answer) <= len(words) else answer

        return meant(self.text(name, check=lambda answer: check(meant(answer))))

    def letter(self, options: Mapping[str, str], *, default: str = "") -> str:
        """One of the options, by its letter."""
        for letter, does in options.items():
            self.say(f"{letter}) {does}{' (default)' if letter == default else ''}")
        words = "/".join(options)

        def check(answer: str) -> str:
            return "" if answer.lower() in options else f"type one of {words}"

        return self.text(words, default=default, check=check).lower()

    def sure(self, question: str, *, default: bool) -> bool:
        """Yes or no; question: "" when it was said before."""
        if question:
            self.say(question)
        return self.letter({"y": "Yes", "n": "No"}, default="y" if default else "n") == "y"

    def _asked(self, kind: "type[_Prompt]", name: str, default: str, check: Check) -> str:
        prompt = kind(Text(show(name)), console=self._console, show_default=False)
        prompt.check = check
        return prompt(default=default) if default else prompt()


class _Prompt(PromptBase[str]):
    response_type = str
    prompt_suffix = "> "
    check: Check = staticmethod(fine)

    def process_response(self, value: str) -> str:
        """See PromptBase: the answer, or InvalidResponse."""
        answer = value.strip()
        if why := self.check(answer):
            raise InvalidResponse(Text(show(why), "bold red"))
        return answer

    def on_validate_error(self, value: str, error: InvalidResponse) -> None:
        """See PromptBase."""
        self.console.print(error.message)


class _Hidden(_Prompt):
    @classmethod
    def get_input(
        cls, console: Console, prompt: TextType, password: bool, stream: TextIO | None = None
    ) -> str:
        """See PromptBase."""
        del password, stream
        return read_hidden(lambda: console.print(prompt, end=""))
