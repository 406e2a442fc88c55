"""The strict reader: what plain YAML readers let through."""

import pytest

from .reading import codes, load, manifest, only, pair


@pytest.mark.torture
@pytest.mark.parametrize("word", ["no", "NO", "yes", "On", "off", "True", "NULL"])
def test_C2_a_word_that_some_take_for_a_boolean_is_refused_where_it_stands(word: str) -> None:
    problem = only(pair(f"mode: copy\ncase: {word}"))

    assert (problem.code, problem.place.line, problem.place.column) == ("ambiguous-scalar", 11, 15)
    assert f'"{word}"' in problem.hint


@pytest.mark.torture
@pytest.mark.parametrize(
    "number", ["010", "0x1F", "0o17", "1_000", "1e5", ".5", "5.", ".inf", "-.NaN", "00", "9" * 30]
)
def test_C2_a_number_that_readers_disagree_about_is_refused_where_it_stands(number: str) -> None:
    problem = only(manifest(f"policies: {{retry: {{x: {{attempts: {number}}}}}}}"))

    assert (problem.code, problem.place.column) == ("ambiguous-scalar", 34)


@pytest.mark.torture
@pytest.mark.parametrize("text", ["22:00", "12:30:45", "2026-01-31", "1.2.3", "0.5.", "1-2"])
def test_C2_times_dates_and_versions_are_text(text: str) -> None:
    assert (
        load(manifest("").replace("[{", f"[{{guard: {{source: {{sentinel: {text}}}}}, "))
        .pairs[0]
        .guard.source.sentinel
        == text
    )


@pytest.mark.torture
def test_C2_a_time_is_no_number() -> None:
    problem = only(manifest("policies: {guard: {x: {trash: {max_files: 12:30:45}}}}"))

    assert problem.message == '"max_files" must be a whole number, not "12:30:45"'


def test_a_number_where_a_text_is_meant_is_to_be_quoted() -> None:
    problem = only(manifest("").replace("nightly", "1.10"))

    assert problem.code == "bad-type"


@pytest.mark.parametrize("text", ["true", '"3"', "3.0", "null"])
def test_nothing_but_a_whole_number_is_one(text: str) -> None:
    assert only(manifest(f"policies: {{retry: {{x: {{attempts: {text}}}}}}}")).code == "bad-type"


@pytest.mark.torture
def test_C2_the_second_of_two_equal_keys_is_refused_and_names_the_first() -> None:
    problem = only(pair("mode: copy\nmode: mirror"))

    assert (problem.code, problem.place.line, problem.place.column) == ("duplicate-key", 11, 9)
    assert "line 10" in problem.message


def test_equal_keys_do_not_hide_other_problems() -> None:
    assert codes(pair("mode: copy\nmode: copy\nmood: x")) == ["11:9 duplicate-key", "12:9 unknown-key"]


@pytest.mark.parametrize("tag", ["!!python/object:os.system", "!!str", "!x", "!!binary"])
def test_a_tag_is_refused(tag: str) -> None:
    assert codes(manifest("").replace("name: nightly", f"name: {tag} nightly")) == ["2:7 tag"]


def test_a_merge_key_is_refused() -> None:
    found = codes(pair("mode: copy\n<<: {case: refuse}"))

    assert "11:9 merge-key" in found


def test_two_documents_are_refused() -> None:
    assert codes(manifest("") + "---\na: b\n") == ["7:1 several-documents"]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "~\n"])
def test_an_empty_file_says_so(text: str) -> None:
    assert only(text).code == "empty"


@pytest.mark.parametrize("text", ["[]", "text", "5", "- a"])
def test_something_else_than_a_mapping_says_so(text: str) -> None:
    assert only(text).message.startswith("the manifest must be a mapping")


def test_a_list_as_a_key_is_refused() -> None:
    assert codes("{[a]: b}") == ["1:2 bad-key"]


def test_a_template_without_quotes_is_refused() -> None:
    assert codes("name: {{ host }}")[0].endswith("bad-key")


def test_a_tab_gets_a_hint() -> None:
    problem = only("version: 1\njobs:\n\tphotos: {}\n")

    assert (problem.code, problem.place.line) == ("syntax", 3)
    assert "tabs" in problem.hint


def test_a_nul_is_refused_at_its_place() -> None:
    assert codes("version: 1\nname: a\0b\n") == ["2:8 bad-character"]


def test_a_nul_behind_an_escape_is_refused() -> None:
    assert "2:7 bad-character" in codes(manifest("").replace("name: nightly", r'name: "a\0b"'))


def test_a_lone_surrogate_is_refused() -> None:
    assert codes("name: \ud800\n") == ["1:7 bad-character"]


def test_an_alias_stands_for_its_anchor() -> None:
    text = manifest("policies: {checksum: {a: &x {compare: size}, b: *x}}\ndefaults: {checksum: b}")

    assert load(text).pairs[0].checksum.compare == "size"


def test_an_alias_without_an_anchor_is_refused() -> None:
    assert codes("a: *x") == ["1:4 unknown-alias"]


def test_an_alias_within_its_own_anchor_is_refused() -> None:
    assert codes("a: &x [*x]") == ["1:8 unknown-alias"]


def test_keys_are_text_whatever_they_look_like() -> None:
    assert [job.name for job in load(manifest("").replace("photos: {", "2024: {")).jobs] == ["2024"]
