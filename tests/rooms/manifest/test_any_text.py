"""Whatever the text, it loads or has problems: nothing else is ever raised."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.manifest.load import loads
from runner.model.errors import ManifestError

from .reading import FILE
from .test_manifest import FULL

PIECES = st.sampled_from(
    ["a", ":", ": ", "- ", "\n", "\n  ", "[", "]", "{", "}", ", ", "&x ", "*x", "!!str ", "|", ">", '"', "'",
     "#", "\t", "<<", "?", "010", "no", "~", "---\n", "...\n", "%YAML 1.2\n", "é", "version: 1\n", "jobs:\n",
     "pairs:", "\\", "\x85", "\u2028", "\ufeff", "\r", "\0", "\ud800"]
)  # fmt: skip


def _loads(text: str) -> None:
    try:
        loads(text, FILE)
    except ManifestError as error:
        assert error.problems
        assert str(error)


@given(st.text())
def test_any_text(text: str) -> None:
    _loads(text)


@settings(max_examples=500)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_pieces_of_yaml(text: str) -> None:
    _loads(text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["cloud:", "~", "30m"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300)
@given(st.integers(0, 10**6), VALUES)
def test_any_value_anywhere(seed: int, value: object) -> None:
    import json

    lines = FULL.split("\n")
    chance = random.Random(seed)
    number = chance.randrange(len(lines))
    key, colon, _ = lines[number].partition(": ")
    lines[number] = f"{key}{colon or ': '}{json.dumps(value)}"

    _loads("\n".join(lines))


@settings(max_examples=500)
@given(st.integers(0, len(FULL) - 1), st.integers(0, 5), st.lists(PIECES, max_size=2).map("".join))
def test_any_slip_of_the_hand(start: int, length: int, instead: str) -> None:
    _loads(FULL[:start] + instead + FULL[start + length :])
