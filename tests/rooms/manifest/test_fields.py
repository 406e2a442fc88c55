"""What is wrong with a field by itself."""

import pytest

from .reading import codes, load, manifest, only, pair, problems


@pytest.mark.parametrize(
    ("text", "where", "meant"),
    [
        ("polcies: {}", "in the manifest", "policies"),
        ("policies: {chksum: {}}", "in policies", "checksum"),
        ("policies: {retry: {x: {atempts: 3}}}", 'in retry policy "x"', "attempts"),
        ("policies: {guard: {x: {trash: {maximum: 5%}}}}", 'in trash of guard policy "x"', "max"),
        ("defaults: {link: skip}", "in defaults", "links"),
        ("defaults: {checksum: {compar: hash}}", "in defaults.checksum", "compare"),
    ],
)
def test_an_unknown_key_says_where_and_what_was_meant(text: str, where: str, meant: str) -> None:
    problem = only(manifest(text))

    assert problem.code == "unknown-key"
    assert where in problem.message
    assert problem.hint == f'did you mean "{meant}"?'


@pytest.mark.parametrize("key", ["schedule: daily", "plan: x", "sample: 5%", "max_shrink: 5%"])
def test_what_this_version_does_not_do_is_an_unknown_key(key: str) -> None:
    assert codes(pair(f"mode: copy\n{key}")) == ["11:9 unknown-key"]


def test_a_pair_must_say_its_mode() -> None:
    problem = only(pair(""))

    assert (problem.code, problem.message) == ("missing-key", 'pairs[0] of job "photos" lacks "mode"')
    assert "never removes" in problem.hint


def test_a_wrong_choice_names_the_right_ones() -> None:
    problem = only(pair("mode: miror"))

    assert problem.message == '"mode" is "miror", but must be copy or mirror'
    assert problem.hint == 'did you mean "mirror"?'


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("policies: {guard: {x: {trash: {max: 5}}}}", "5%"),
        ("policies: {guard: {x: {trash: {max: 0.05}}}}", "5%"),
        ("policies: {retry: {x: {budget: 30}}}", "30m"),
        ("policies: {retry: {x: {backoff: 1s}}}", "1s..2m"),
        ("policies: {retry: {x: {backoff: 2m..1s}}}", "1s..2m"),
        ("defaults: {filter: [{exclude: {larger_than: 5 apples}}]}", "20GiB"),
        ("defaults: {filter: [{exclude: {older_than: 5 days}}]}", "30m"),
    ],
)
def test_a_quantity_without_its_unit_gets_an_example(text: str, example: str) -> None:
    problem = only(manifest(text))

    assert problem.code == "bad-value"
    assert f'"{example}"' in problem.hint


def test_a_rate_needs_its_second() -> None:
    text = manifest("").replace("embedded}", "embedded, limits: {bandwidth: 20MiB}}")

    assert "20MiB/s" in only(text).hint


def test_a_value_of_two_forms_names_both() -> None:
    problem = only(manifest("").replace("embedded}", "embedded, limits: {concurrency: many}}"))

    assert problem.message == '"concurrency" is "many", but must be a whole number or auto'


def test_a_text_of_the_wrong_form_shows_what_the_field_means() -> None:
    problem = only(manifest("").replace("embedded", "embeded"))

    assert problem.message == '"server" cannot be "embeded"'
    assert "`embedded`" in problem.hint


def test_a_sample_without_readback_has_no_meaning() -> None:
    assert "readback" in only(manifest("policies: {checksum: {x: {sample: 5%}}}")).message


def test_a_guard_out_of_range_is_refused() -> None:
    assert codes(manifest("policies: {guard: {x: {trash: {max: 120%, max_files: -1}}}}")) == [
        "7:37 bad-value",
        "7:54 bad-value",
    ]


@pytest.mark.parametrize("sentinel", ["/etc/x", "../x", "a//b", '""'])
def test_a_sentinel_stays_below_the_source(sentinel: str) -> None:
    assert (
        "sentinel"
        in only(manifest(f"policies: {{guard: {{x: {{source: {{sentinel: {sentinel}}}}}}}}}")).message
    )


def test_there_is_at_least_one_job() -> None:
    assert only("version: 1\nname: x\njobs: {}\n").place.line == 3


def test_a_job_does_something() -> None:
    assert "a job needs `pairs`" in only(manifest("  idle: {}")).message


def test_a_hook_alone_makes_a_job() -> None:
    assert load(manifest("  hook: {before: [make, dump]}")).job("hook").before == ("make", "dump")


def test_a_command_is_a_list() -> None:
    assert only(manifest("  hook: {before: make dump}")).hint == "write a list: [one, two]"


def test_a_number_in_a_command_is_to_be_quoted() -> None:
    assert only(manifest("  hook: {before: [sleep, 5]}")).hint == 'quote it: "5"'


def test_an_unknown_kind_of_remote_names_the_nearest() -> None:
    problem = only(manifest("").replace("type: acd", "type: amazon clod drive"))

    assert (problem.code, problem.hint) == ("unknown-kind", 'did you mean "amazon cloud drive"?')


def test_a_remote_needs_a_kind() -> None:
    assert only(manifest("").replace("type: acd, ", "")).message == 'remote "cloud" lacks "type"'


def test_the_kind_for_tests_is_accepted_and_never_suggested() -> None:
    text = manifest("").replace("type: acd, server: embedded", "type: memory")

    assert not problems(text)
    assert "memory" not in only(text.replace("type: memory", "type: memry")).hint


@pytest.mark.parametrize("name", ["a/b", "-x", '"a:b"', '""'])
def test_a_name_that_cannot_be_typed_is_refused(name: str) -> None:
    assert "7:3 bad-name" in codes(manifest(f"  {name}: {{before: [x]}}"))


def test_all_problems_come_at_once() -> None:
    text = pair(
        'mood: x\nchecksum: quik\nfilter: [{exclude: "["}]',
        """
          other: {needs: [photo, other], pairs: [{source: "clod:a", destination: "cloud:photos/b"}]}
        policies: {retry: {x: {attempts: 010}}}
        """,
    )

    assert {code.split()[1] for code in codes(text)} == {
        "missing-key", "unknown-key", "unknown-policy", "bad-glob", "unknown-job", "cycle",
        "unknown-remote", "overlap", "ambiguous-scalar",
    }  # fmt: skip
