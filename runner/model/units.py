"""Quantities as a manifest writes them: sizes, durations, percentages, rates, backoffs.

Each `parse_*` takes what YAML or code holds and raises `BadQuantity`, whose hint shows a right example.
The annotated types join it with the exact writer of `show` and with the JSON Schema editors read.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, NamedTuple

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema
from pydantic_core.core_schema import ValidationInfo

from runner.model.show import (
    SPANS,
    show_duration,
    show_percent,
    show_rate,
    show_size,
    write_duration,
    write_percent,
    write_rate,
    write_size,
)

__all__ = [
    "AS_WRITTEN",
    "Backoff",
    "BadQuantity",
    "Duration",
    "Percent",
    "Rate",
    "Size",
    "parse_backoff",
    "parse_duration",
    "parse_percent",
    "parse_rate",
    "parse_size",
    "show_duration",
    "show_percent",
    "show_rate",
    "show_size",
]

AS_WRITTEN: Final = {"as_written": True}
"""Validation context for values that a person wrote: there a bare number is no percentage and no rate."""

_NUMBER = r"[0-9]{1,19}(?:\.[0-9]{1,9})?"
_BYTES = {
    "": 1,
    "B": 1,
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGTP", 1)},
    **{f"{letter}B": 1000**power for power, letter in enumerate("kMGTP", 1)},
    "KB": 1000,
}
_MICROSECONDS = {"w": 7 * SPANS["d"], **SPANS}
_SIZE = re.compile(rf"({_NUMBER}) ?([A-Za-z]*)", re.ASCII)
_PERCENT = re.compile(rf"({_NUMBER}) ?%", re.ASCII)
_SPAN = re.compile(rf"({_NUMBER})([A-Za-zµ]+)")
_SIZE_PATTERN = rf"^{_NUMBER} ?(?:[KMGTP]iB|[kKMGTP]B|B)?$"
_SPAN_PATTERN = "".join(rf"(?:{_NUMBER}{unit})?" for unit in _MICROSECONDS)


class BadQuantity(ValueError):
    """The text is no such quantity; `hint` shows one that is."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Backoff(NamedTuple):
    """The waits between tries: they grow from `least` to `most`. Written "1s..2m"."""

    least: timedelta
    most: timedelta

    def __str__(self) -> str:
        return f"{write_duration(self.least)}..{write_duration(self.most)}"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(
            str, return_schema=core_schema.str_schema(), when_used="json"
        )
        return core_schema.no_info_plain_validator_function(parse_backoff, serialization=written)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        pattern = rf"^(?=[0-9]){_SPAN_PATTERN}\.\.(?=[0-9]){_SPAN_PATTERN}$"
        return {"type": "string", "pattern": pattern, "examples": ["1s..2m", "250ms..30s"]}


def parse_size(value: object) -> int:
    """Bytes of "20GiB", "500MB", "1024" or a whole number; KiB is 1024, kB and KB are 1000."""
    hint = 'write a size such as "20GiB", "500MB" or "1024"'
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise BadQuantity(f"a size cannot be negative: {value}", hint)
        return value
    text = _text(value, "size", hint)
    match = _SIZE.fullmatch(text)
    if match is None:
        raise BadQuantity(f"not a size: {_quote(text)}", hint)
    number, unit = match.groups()
    if unit not in _BYTES:
        raise BadQuantity(f"unknown unit {_quote(unit)} in the size {_quote(text)}", hint)
    return int(Decimal(number) * _BYTES[unit])


def parse_duration(value: object) -> timedelta:
    """The duration "90s", "30m", "1h30m", "250ms"; units w, d, h, m, s, ms, great to small, each once."""
    hint = 'write a duration such as "90s", "30m", "1h30m" or "250ms"'
    if isinstance(value, timedelta):
        if value < timedelta(0):
            raise BadQuantity(f"a duration cannot be negative: {value}", hint)
        return value
    text = _text(value, "duration", hint)
    total, at, units = Decimal(0), 0, list(_MICROSECONDS)
    while match := _SPAN.match(text, at):
        number, unit = match.groups()
        if unit not in _MICROSECONDS:
            raise BadQuantity(f"unknown unit {_quote(unit)} in the duration {_quote(text)}", hint)
        if unit not in units:
            raise BadQuantity(f"the units of the duration {_quote(text)} must go from great to small", hint)
        del units[: units.index(unit) + 1]
        total += Decimal(number) * _MICROSECONDS[unit]
        at = match.end()
    if at == 0 or at < len(text):
        raise BadQuantity(f"not a duration: {_quote(text)}", hint)
    try:
        return timedelta(microseconds=int(total))
    except OverflowError:
        raise BadQuantity(f"the duration {_quote(text)} is too long", hint) from None


def parse_percent(value: object) -> float:
    """The ratio 0..1 of "5%" or "0.5%". A bare number is refused: 0.5 might mean half, or half a percent."""
    hint = 'write a percentage such as "5%" or "0.5%"'
    text = _text(value, "percentage", hint)
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise BadQuantity(f"not a percentage: {_quote(text)}", hint)
    ratio = Decimal(match[1]) / 100
    if ratio > 1:
        raise BadQuantity(f"a percentage cannot be more than 100%: {_quote(text)}", hint)
    return float(ratio)


def parse_rate(value: object) -> int:
    """Bytes a second of "20MiB/s"; 0 is refused, for nothing would ever move."""
    hint = 'write a rate such as "20MiB/s" or "500kB/s"'
    text = _text(value, "rate", hint)
    size, slash, per = text.partition("/")
    if not slash or per.strip() != "s":
        raise BadQuantity(f"not a rate: {_quote(text)}", hint)
    try:
        rate = parse_size(size.strip())
    except BadQuantity as error:
        raise BadQuantity(f"not a rate: {_quote(text)}", hint) from error
    if rate == 0:
        raise BadQuantity(f"a rate cannot be less than one byte a second: {_quote(text)}", hint)
    return rate


def parse_backoff(value: object) -> Backoff:
    """The waits "1s..2m": the first duration is the least, the second the most."""
    hint = 'write the least and the most wait, such as "1s..2m"'
    if isinstance(value, Backoff):
        least, most = parse_duration(value.least), parse_duration(value.most)
    else:
        text = _text(value, "backoff", hint)
        first, dots, second = text.partition("..")
        if not dots:
            raise BadQuantity(f"not a backoff: {_quote(text)}", hint)
        try:
            least, most = parse_duration(first.strip()), parse_duration(second.strip())
        except BadQuantity as error:
            raise BadQuantity(str(error), hint) from error
    if least > most:
        raise BadQuantity("the least wait of a backoff is longer than its most", hint)
    return Backoff(least, most)


def _text(value: object, what: str, hint: str) -> str:
    if isinstance(value, str):
        text = value.strip(" ")
        if text.startswith("-"):
            raise BadQuantity(f"a {what} cannot be negative: {_quote(text)}", hint)
        return text
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise BadQuantity(f"a {what} needs a unit: {value}", hint)
    raise BadQuantity(f"a {what} is a text with a unit", hint)


def _quote(text: str) -> str:
    shown = text if len(text) <= 40 else text[:37] + "..."
    return '"' + "".join(c if c.isprintable() else "?" for c in shown) + '"'


def _percent(value: object, info: ValidationInfo) -> float:
    # Code holds ratios already; only a person's bare number is unclear.
    if isinstance(value, float) and 0 <= value <= 1 and info.context != AS_WRITTEN:
        return value
    return parse_percent(value)


def _rate(value: object, info: ValidationInfo) -> int:
    if type(value) is int and value > 0 and info.context != AS_WRITTEN:
        return value
    return parse_rate(value)


class _Quantity:
    """Joins a parser, its writer and a JSON Schema into one annotation."""

    def __init__(
        self, parse: Callable[[Any, ValidationInfo], Any], write: Callable[[Any], str], schema: dict[str, Any]
    ) -> None:
        self.parse, self.write, self.schema = parse, write, schema

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(
            self.write, return_schema=core_schema.str_schema(), when_used="json"
        )
        return core_schema.with_info_plain_validator_function(self.parse, serialization=written)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self.schema)


def _string(pattern: str, *examples: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern, "examples": list(examples)}


_SIZE_SCHEMA = {"anyOf": [{"type": "integer", "minimum": 0}, _string(_SIZE_PATTERN, "20GiB", "500MB")]}

Size = Annotated[int, _Quantity(lambda value, _: parse_size(value), write_size, _SIZE_SCHEMA)]
"""Bytes, 0 or more."""

Duration = Annotated[
    timedelta,
    _Quantity(
        lambda value, _: parse_duration(value),
        write_duration,
        _string(rf"^(?=[0-9]){_SPAN_PATTERN}$", "90s", "30m", "1h30m"),
    ),
]
"""A span of time, 0 or more."""

Percent = Annotated[float, _Quantity(_percent, write_percent, _string(rf"^{_NUMBER} ?%$", "5%", "0.5%"))]
"""A ratio 0..1, written as a percentage."""

Rate = Annotated[
    int, _Quantity(_rate, write_rate, _string(_SIZE_PATTERN[:-1] + " ?/ ?s$", "20MiB/s", "500kB/s"))
]
"""Bytes a second, 1 or more."""
