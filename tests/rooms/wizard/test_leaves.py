"""A kind's model says what is asked and what is wrong with an answer."""

from typing import Any

import pytest

from runner.backends import registry
from runner.manifest.leaves import find_leaf, get, leaves, model, put, typed
from runner.model.errors import UsageError

ACD = "amazon cloud drive"
KINDS = [kind for kind, entry in registry.KINDS.items() if not entry.fleeting]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_every_kind_can_be_asked_with_words(kind: str) -> None:
    found = leaves(kind)

    assert [leaf.name for leaf in found if not leaf.description] == []
    assert len({leaf.keys[-1] for leaf in found if leaf.referred}) == len(
        [leaf for leaf in found if leaf.referred]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_defaults_that_are_shown_are_the_defaults(kind: str) -> None:
    whole = model("x", {"type": kind}).model_dump(mode="json")

    for leaf in leaves(kind):
        value = get(whole, leaf.keys)
        shown = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        assert leaf.default == shown, leaf.name


def test_a_kinds_own_fields_come_first_and_limits_last() -> None:
    names = [leaf.name for leaf in leaves(ACD)]

    assert names.index("server") == 0
    assert names.index("root") < names.index("limits.concurrency")
    assert [leaf.common for leaf in leaves(ACD)] == sorted(leaf.common for leaf in leaves(ACD))


def test_what_may_be_secret_is_known_by_its_model() -> None:
    found = {leaf.keys[-1]: leaf for leaf in leaves(ACD)}

    assert [name for name, leaf in found.items() if leaf.referred] == ["token", "client_id", "client_secret"]
    assert [name for name, leaf in found.items() if leaf.secret] == ["token", "client_secret"]


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("limits.requests_per_s", "8", 8),
        ("limits.concurrency", "auto", "auto"),
        ("limits.concurrency", "4", 4),
        ("limits.bandwidth", "20MiB/s", "20MiB/s"),
        ("auth.pkce", "true", True),
        ("root", "8", "8"),
        ("root", "yes", "yes"),
        ("root", "22:00", "22:00"),
        ("server", "https://drive.example/x", "https://drive.example/x"),
    ],
)
def test_a_typed_text_becomes_what_its_field_holds(field: str, text: str, value: object) -> None:
    leaf = find_leaf(ACD, field)
    assert leaf is not None

    assert typed("x", {"type": ACD}, leaf, text) == (value, None)


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("server", "ftp://x", 'cannot be "ftp://x"'),
        ("limits.requests_per_s", "-8", "greater than 0"),
        ("limits.requests_per_s", "many", "must be a number"),
        ("limits.bandwidth", "20", "needs a unit"),
        ("auth.pkce", "yes", "must be true or false"),
        ("auth.auth_url", "https://me:secret@x/", "user name or password"),
    ],
)
def test_a_wrong_answer_gets_the_models_words(field: str, text: str, words: str) -> None:
    leaf = find_leaf(ACD, field)
    assert leaf is not None

    _, problem = typed("x", {"type": ACD}, leaf, text)

    assert problem is not None
    assert words in problem.message
    assert "secret@" not in str(problem)


def test_another_fields_problem_is_not_this_ones() -> None:
    leaf = find_leaf(ACD, "root")
    assert leaf is not None

    assert typed("x", {"type": ACD, "server": "nonsense", "colour": 1}, leaf, "a") == ("a", None)


def test_a_field_is_meant_by_its_last_word_where_that_is_clear() -> None:
    found = find_leaf(ACD, "client_secret")

    assert found is not None
    assert found.keys == ("auth", "client_secret")
    assert find_leaf(ACD, "type") is None
    assert find_leaf(ACD, "secret") is None


def test_fields_are_put_in_and_taken_out_without_a_trace() -> None:
    fields: dict[str, Any] = {"type": ACD, "auth": {"client_id": {"env": "A"}}}

    more = put(fields, ("auth", "pkce"), True)

    assert more["auth"] == {"client_id": {"env": "A"}, "pkce": True}
    assert put(put(more, ("auth", "pkce"), None), ("auth", "client_id"), None) == {"type": ACD}
    assert fields == {"type": ACD, "auth": {"client_id": {"env": "A"}}}


def test_everything_wrong_with_a_whole_remote_is_told() -> None:
    with pytest.raises(UsageError, match=r'unknown key "colour".*"server" cannot be'):
        model("x", {"type": ACD, "colour": "red", "server": "nonsense"})
