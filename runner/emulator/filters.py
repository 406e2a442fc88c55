"""The filter language of lists: text to a small tree of terms. Source: acd-api §7.2.

A filter is parsed here and means nothing yet; `filter_sql` gives it a meaning.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

TERMS = 8
VALUES = 100
DEPTH = 20
STRINGS = {"name", "kind", "status", "description", "labels"} | {
    f"contentProperties.{name}" for name in ("contentType", "md5", "extension")
}
DATES = {"createdDate", "modifiedDate", "contentProperties.contentDate"}
NUMBERS = {"contentProperties.size"}
IDS = {"parents"}
TRUTHS = {"isRoot"}
FIELDS = STRINGS | DATES | NUMBERS | IDS | TRUTHS
ALIASES = {"parentIds": "parents"}
_BREAKS = ' \t\r\n()[]{}":'


class BadFilter(ValueError):
    """A filter that cannot be understood; the text says why."""


class Equal(NamedTuple):
    """The field, or one of its elements, is the value: text, a number, milliseconds since 1970, or True."""

    field: str
    value: str | int


class Prefix(NamedTuple):
    """The field, or one of its elements, begins with the text."""

    field: str
    start: str


class Range(NamedTuple):
    """The field, a date, lies between two bounds in milliseconds since 1970; None is no bound."""

    field: str
    low: int | None
    low_included: bool
    high: int | None
    high_included: bool


class And(NamedTuple):
    """All parts hold."""

    parts: tuple["Filter", ...]


class Or(NamedTuple):
    """At least one part holds."""

    parts: tuple["Filter", ...]


Filter = Equal | Prefix | Range | And | Or
_Part = Callable[[], Filter]


def parse(text: str) -> Filter:
    """Read a filter; raises BadFilter. AND binds stronger than OR; both may be written in lower case."""
    reader = _Reader(text)
    found = reader.either(reader.unit)
    if not reader.at_end():
        raise BadFilter(f"unexpected '{reader.rest()}' at position {reader.at}")
    return found


def date_ms(text: str) -> int:
    """Read an ISO 8601 date, UTC unless it says otherwise, as milliseconds since 1970; raises BadFilter."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = int(moment.replace(microsecond=0).timestamp())
    except (ValueError, OverflowError) as error:
        raise BadFilter(f"'{text[:50]}' is not a date") from error
    return seconds * 1000 + moment.microsecond // 1000


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.terms = 0
        self.values = 0
        self.depth = 0

    def either(self, part: _Part) -> Filter:
        """Read parts joined by AND and OR."""
        self.depth += 1
        if self.depth > DEPTH:
            raise BadFilter(f"nested deeper than {DEPTH}")
        choices: list[Filter] = []
        while True:
            together = [part()]
            while self.keyword("AND"):
                together.append(part())
            choices.append(And(tuple(together)) if len(together) > 1 else together[0])
            if not self.keyword("OR"):
                break
        self.depth -= 1
        return Or(tuple(choices)) if len(choices) > 1 else choices[0]

    def unit(self) -> Filter:
        """Read a filter in parentheses, or a field, a colon and a value."""
        if self.take("("):
            found = self.either(self.unit)
            self.need(")")
            return found
        self.terms += 1
        if self.terms > TERMS:
            raise BadFilter(f"more than {TERMS} terms")
        name, _ = self.word("a field")
        name = ALIASES.get(name, name)
        if name not in FIELDS:
            raise BadFilter(f"unknown field '{name[:50]}'")
        if self.at >= len(self.text) or self.text[self.at] != ":":
            raise BadFilter(f"no colon after '{name}'")
        self.at += 1
        return self.value(name)

    def value(self, name: str) -> Filter:
        """Read a range, a group of values, or one value of a field."""
        if self.peek() in ("[", "{"):
            return self.range(name)
        if self.take("("):
            found = self.either(lambda: self.value(name))
            self.need(")")
            return found
        self.values += 1
        if self.values > VALUES:
            raise BadFilter(f"more than {VALUES} values")
        text, is_prefix = self.text_value()
        if is_prefix:
            if name not in STRINGS:
                raise BadFilter(f"'{name}' takes no prefix")
            return Prefix(name, text)
        return Equal(name, _typed(name, text))

    def range(self, name: str) -> Filter:
        """Read a range of dates."""
        if name not in DATES:
            raise BadFilter(f"'{name}' takes no range")
        low_included = self.text[self.at] == "["
        self.at += 1
        low = self.bound()
        if not self.keyword("TO"):
            raise BadFilter("a range needs TO between its bounds")
        high = self.bound()
        if self.peek() not in ("]", "}"):
            raise BadFilter("a range ends with ] or }")
        high_included = self.text[self.at] == "]"
        self.at += 1
        return Range(name, low, low_included, high, high_included)

    def bound(self) -> int | None:
        """Read one bound of a range; None for a star."""
        text, is_prefix = self.text_value(colons=True)
        if is_prefix and text == "":
            return None
        if is_prefix:
            raise BadFilter("a bound of a range takes no star")
        return date_ms(text)

    def text_value(self, colons: bool = False) -> tuple[str, bool]:
        """Read a quoted text or a word; tell whether a star ends it."""
        if self.take('"'):
            return self.quoted(), False
        return self.word("a value", colons)

    def quoted(self) -> str:
        """Read up to the closing quote."""
        found: list[str] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            self.at += 1
            if character == '"':
                return "".join(found)
            found.append(self.escaped() if character == "\\" else character)
        raise BadFilter("a quote is not closed")

    def word(self, what: str, colons: bool = False) -> tuple[str, bool]:
        """Read an unquoted word; tell whether an unescaped star ends it."""
        self.skip()
        found: list[str] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            if character in _BREAKS and not (colons and character == ":"):
                break
            self.at += 1
            if character == "*":
                if self.at < len(self.text) and self.text[self.at] not in _BREAKS:
                    raise BadFilter("a star that is not the end of a value needs a backslash")
                return "".join(found), True
            if character == "?":
                raise BadFilter("a question mark needs a backslash")
            found.append(self.escaped() if character == "\\" else character)
        if not found:
            raise BadFilter(f"expected {what} at position {self.at}")
        return "".join(found), False

    def escaped(self) -> str:
        """Return the character after a backslash."""
        if self.at >= len(self.text):
            raise BadFilter("nothing follows a backslash")
        self.at += 1
        return self.text[self.at - 1]

    def keyword(self, word: str) -> bool:
        """Take AND, OR or TO if it comes next; it ends at a space or a bracket."""
        self.skip()
        end = self.at + len(word)
        if self.text[self.at : end] not in (word, word.lower()):
            return False
        if end < len(self.text) and self.text[end] not in ' \t\r\n()[]{}"':
            return False
        self.at = end
        return True

    def take(self, mark: str) -> bool:
        """Take a mark if it comes next."""
        if self.peek() != mark:
            return False
        self.at += 1
        return True

    def need(self, mark: str) -> None:
        """Take a mark that must come next."""
        if not self.take(mark):
            raise BadFilter(f"expected '{mark}' at position {self.at}")

    def peek(self) -> str:
        """Return the next character after white space, or nothing at the end."""
        self.skip()
        return self.text[self.at : self.at + 1]

    def at_end(self) -> bool:
        """Tell whether only white space is left."""
        return self.peek() == ""

    def rest(self) -> str:
        """Return the start of what is left, for a message."""
        return self.text[self.at : self.at + 20]

    def skip(self) -> None:
        """Pass white space."""
        while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
            self.at += 1


def _typed(name: str, text: str) -> str | int:
    if name in TRUTHS:
        if text != "true":
            raise BadFilter(f"'{name}' can only be true")
        return 1
    if name in NUMBERS:
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise BadFilter(f"'{name}' takes a whole number")
        return int(text)
    if name in DATES:
        return date_ms(text)
    return text
