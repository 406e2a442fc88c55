"""What a plain scalar means: YAML 1.2, and nothing where two readers would disagree."""

import re

_NULL = ("", "~", "null")
_BOOLEAN = {"true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_WORDS = re.compile(r"yes|no|on|off|true|false|null", re.I)
# Octal, hexadecimal and binary numbers, leading zeros, "1_000", exponents, ".5", "5.", ".inf", ".nan".
_NUMBER_TO_SOME = re.compile(
    r"[-+]?(?:0[oO][0-7]+|0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9][0-9_]*\.?[0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|\.(?:inf|nan))",
    re.I,
)


class Ambiguous(ValueError):
    """Two YAML readers would take this scalar for different values; `hint` says how to be plain."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def meaning(text: str) -> bool | int | float | str | None:
    """The value of a plain scalar.

    Only `true` and `false` are booleans, only decimal numbers are numbers, "22:00" and dates are text.
    Raises Ambiguous for `no`, `on`, `010`, `0x1F`, `1_000`, `1e5` and their like.
    Source: YAML 1.2.2, section 10.3; the words and numbers refused are those of YAML 1.1 and its readers.
    """
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _WORDS.fullmatch(text):
        raise Ambiguous(
            f"plain `{text}` is a boolean or null to some YAML readers and a text to others", _hint(text)
        )
    if _NUMBER_TO_SOME.fullmatch(text):
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise Ambiguous(
            f"plain `{shown}` is read as different numbers, or as text, by different YAML readers",
            f'quote it if it is a text: "{shown}"; write a number in plain decimal digits',
        )
    return text


def _hint(word: str) -> str:
    plain = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(word.lower(), word.lower())
    return f'quote it if it is a text: "{word}"; otherwise write {plain}'
