"""The manifest as it is run: defaults filled in, canonical, in memory."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.manifest.load import one_pair
from runner.manifest.manifest import Manifest, from_canonical
from runner.manifest.rules import Rule
from runner.model.errors import Place, PlanStale, UsageError
from runner.model.pair import Location
from runner.model.policy import ChecksumPolicy, GuardPolicy, RetryPolicy

from .reading import load, manifest, pair

FULL = pair(
    """
    mode: mirror
    checksum: quick
    guard: {trash: {max: 2.5%}}
    filter:
      - exclude: "**/.cache/"
      - exclude: {larger_than: 20GiB, newer_than: 5m}
    """,
    """
policies:
  checksum: {quick: {compare: size}}
  retry: {patient: {attempts: 6, backoff: 250ms..1m}}
defaults: {checksum: {compare: hash}, retry: patient, links: block, unreadable: fail, renames: ignore}
""",
)


def test_what_nobody_says_is_built_in() -> None:
    pair = load(manifest("")).pairs[0]

    assert (pair.checksum, pair.retry, pair.guard) == (ChecksumPolicy(), RetryPolicy(), GuardPolicy())
    assert (pair.case, pair.links, pair.unreadable) == ("refuse", "skip", "incomplete")
    assert pair.renames == "detect"


def test_defaults_hold_where_a_pair_says_nothing() -> None:
    pair = load(FULL).pairs[0]

    assert pair.retry.attempts == 6
    assert (pair.links, pair.unreadable, pair.renames) == ("block", "fail", "ignore")


def test_a_pairs_own_word_comes_before_defaults() -> None:
    pair = load(FULL).pairs[0]

    assert pair.checksum.compare == "size"
    assert pair.guard.trash.max == 0.025


def test_default_names_the_built_in_policy() -> None:
    text = pair("mode: copy\nchecksum: default", "defaults: {checksum: {compare: size}}\n")

    assert load(text).pairs[0].checksum == ChecksumPolicy()


def test_an_empty_filter_replaces_the_default_one() -> None:
    text = pair("mode: copy\nfilter: []", "defaults: {filter: [{exclude: a}]}\n")

    assert "exclude" not in repr(load(text).pairs[0].filter)


def test_pairs_are_named_after_their_job() -> None:
    text = manifest("").replace("pairs: [", 'pairs: [{source: /b, destination: "cloud:b", mode: copy}, ')

    assert [pair.name for pair in load(text).pairs] == ["photos", "photos#2"]


def test_jobs_come_after_those_they_need_and_else_as_written() -> None:
    text = manifest("  z: {needs: [a], before: [x]}\n  b: {before: [x]}\n  a: {before: [x]}\n")

    assert [job.name for job in load(text).jobs] == ["photos", "b", "a", "z"]


def test_places_lead_to_lines() -> None:
    loaded = load(FULL)

    assert loaded.pairs[0].place == Place("nightly.yaml", 8, 9)
    assert loaded.place("jobs", "photos", "pairs", 0, "checksum") == Place("nightly.yaml", 11, 9)
    assert loaded.place("jobs", "photos", "pairs", 0, "retry") == loaded.pairs[0].place
    assert loaded.place() == Place("nightly.yaml", 1, 1)


def test_the_short_name_of_a_kind_means_the_same() -> None:
    assert load(manifest("")).digest == load(manifest("").replace("acd", "amazon cloud drive")).digest


def test_comments_do_not_change_the_digest() -> None:
    assert load(FULL).digest == load("# a word\n" + FULL).digest


def test_a_value_changes_the_digest() -> None:
    assert load(FULL).digest != load(FULL.replace("2.5%", "2.6%")).digest


def _same(one: Manifest, other: Manifest) -> None:
    assert one.jobs == other.jobs
    assert one.pairs == other.pairs
    assert one.remotes == other.remotes
    assert (one.name, one.file, one.digest) == (other.name, other.file, other.digest)
    assert one.canonical() == other.canonical()


def test_the_canonical_form_reads_back_to_the_same() -> None:
    loaded = load(FULL)

    again = from_canonical(loaded.canonical())

    _same(loaded, again)
    assert again.place("jobs", "photos", "pairs", 0, "checksum") == loaded.place(
        "jobs", "photos", "pairs", 0, "checksum"
    )


@given(
    st.sampled_from(["copy", "mirror"]),
    st.integers(1, 100),
    st.integers(0, 10_000).map(lambda n: f"{n / 100}%"),
    st.integers(0, 10**12),
    st.sampled_from(["{env: A}", "{file: /x}", "{command: [a, 'b c']}"]),
)
def test_any_manifest_reads_back_from_its_canonical_form(
    mode: str, attempts: int, percent: str, size: int, reference: str
) -> None:
    text = pair(
        f"mode: {mode}\nretry: {{attempts: {attempts}, budget: {size}ms}}\n"
        f"guard: {{trash: {{max: {percent}}}}}\nfilter: [{{exclude: {{larger_than: {size}}}}}]"
    ).replace("embedded}", f"embedded, auth: {{token: {reference}}}, limits: {{bandwidth: {size + 1}B/s}}}}")
    loaded = load(text)

    _same(loaded, from_canonical(loaded.canonical()))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"manifest": {}, "file": "", "places": []}', "{"])
def test_what_is_not_canonical_is_a_stale_plan(text: str) -> None:
    with pytest.raises(PlanStale):
        from_canonical(text)


def test_a_canonical_form_with_an_unknown_word_is_a_stale_plan() -> None:
    text = load(FULL).canonical().replace('"mode":"mirror"', '"mode":"purge"')

    with pytest.raises(PlanStale):
        from_canonical(text)


def test_one_pair_is_made_in_memory(tmp_path: Path) -> None:
    made = one_pair(
        "a", "b", "copy", folder=tmp_path, checksum=ChecksumPolicy(compare="hash"), rules=[Rule(exclude="x")]
    )

    (pair,) = made.pairs
    assert (pair.source, pair.destination) == (Location("", f"{tmp_path}/a"), Location("", f"{tmp_path}/b"))
    assert (pair.mode, pair.checksum.compare) == ("copy", "hash")
    assert repr(pair.filter) == 'RuleFilter(exclude: "x")'
    _same(made, from_canonical(made.canonical()))


def test_one_pair_knows_the_users_remotes(config_home: Path, tmp_path: Path) -> None:
    (config_home / "remotes.yaml").write_text("remotes: {vault: {type: acd}}")

    assert "vault" in one_pair("a", "vault:b", "copy", folder=tmp_path).remotes


@pytest.mark.parametrize(
    ("source", "destination"), [("a", "a/b"), ("a", "nowhere:b"), ("", "b"), ("C:\\a", "b")]
)
def test_one_pair_that_cannot_be_is_a_usage_error(source: str, destination: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        one_pair(source, destination, "copy", folder=tmp_path)

    assert "pairs[0]" not in str(caught.value)


def test_a_manifest_is_frozen() -> None:
    loaded = load(manifest(""))

    with pytest.raises(AttributeError):
        loaded.name = "x"  # type: ignore[misc]
    assert replace(loaded, name="x").digest != loaded.digest
