"""Names that lead nowhere: remotes, policies, jobs."""

from pathlib import Path

import pytest

from runner.manifest.remotes import user_remotes
from runner.model.errors import ManifestError

from .reading import FILE, codes, load, manifest, only, pair, problems

USER = "remotes:\n  vault: {type: acd, root: Backups, server: embedded}\n"


def test_an_unknown_remote_names_the_nearest() -> None:
    problem = only(manifest("").replace("cloud:photos", "clod:photos"))

    assert (problem.code, problem.hint) == ("unknown-remote", 'did you mean "cloud"?')


def test_a_local_path_with_a_colon_gets_a_hint() -> None:
    text = 'version: 1\nname: x\njobs: {a: {pairs: [{source: "12:30/a", destination: /b, mode: copy}]}}'

    assert '"./12:30/a"' in only(text).hint


def test_the_users_own_remotes_are_looked_up(config_home: Path) -> None:
    (config_home / "remotes.yaml").write_text(USER)

    loaded = load(manifest("").replace("cloud:photos", "vault:photos"))

    assert loaded.remotes["vault"].root == "Backups"


def test_the_manifests_own_remote_comes_first(config_home: Path) -> None:
    (config_home / "remotes.yaml").write_text(USER.replace("vault", "cloud"))

    assert load(manifest("")).remotes["cloud"].root == ""


def test_the_users_remotes_are_among_what_was_meant(config_home: Path) -> None:
    (config_home / "remotes.yaml").write_text(USER)

    assert only(manifest("").replace("cloud:photos", "valt:photos")).hint == 'did you mean "vault"?'


def test_a_problem_of_the_users_remotes_is_shown_in_their_file(config_home: Path) -> None:
    file = config_home / "remotes.yaml"
    file.write_text(USER.replace("root", "rot"))

    problem = only(manifest("").replace("cloud:photos", "vault:photos"))

    assert (problem.place.file, problem.place.line, problem.code) == (str(file), 2, "unknown-key")


def test_a_remote_that_is_not_used_harms_nobody(config_home: Path) -> None:
    (config_home / "remotes.yaml").write_text(USER.replace("root", "rot"))

    assert not problems(manifest(""))


def test_the_users_remotes_can_be_listed(config_home: Path) -> None:
    (config_home / "remotes.yaml").write_text(USER)

    assert list(user_remotes()) == ["vault"]


def test_without_a_file_the_user_has_no_remotes() -> None:
    assert user_remotes() == {}


def test_listing_remotes_shows_what_is_wrong_with_them(config_home: Path) -> None:
    (config_home / "remotes.yaml").write_text("remotes: {a: {type: x}}")

    with pytest.raises(ManifestError, match="unknown-kind"):
        user_remotes()


def test_an_unknown_policy_names_the_nearest() -> None:
    problem = only(pair("mode: copy\nretry: patiant", "policies: {retry: {patient: {}}}\n"))

    assert (problem.code, problem.place.line, problem.hint) == (
        "unknown-policy",
        11,
        'did you mean "patient"?',
    )


def test_a_policy_of_another_kind_is_unknown() -> None:
    assert codes(pair("mode: copy\nguard: patient", "policies: {retry: {patient: {}}}\n")) == [
        "11:16 unknown-policy"
    ]


def test_nobody_declares_another_default() -> None:
    assert codes(manifest("policies: {guard: {default: {}}}")) == ["7:20 reserved-name"]


def test_an_unknown_job_names_the_nearest() -> None:
    problem = only(manifest("  other: {needs: [photo], before: [x]}"))

    assert (problem.code, problem.hint) == ("unknown-job", 'did you mean "photos"?')


@pytest.mark.parametrize(
    ("jobs", "way"),
    [
        ("  a: {needs: [a], before: [x]}\n", '"a" needs "a"'),
        ("  a: {needs: [b], before: [x]}\n  b: {needs: [a], before: [x]}\n", '"a" needs "b" needs "a"'),
    ],
)
def test_a_circle_of_jobs_is_refused_and_shown(jobs: str, way: str) -> None:
    problem = only(manifest(jobs))

    assert problem.code == "cycle"
    assert sorted(problem.message.partition(": ")[2].split(" needs ")[:-1]) == sorted(
        way.split(" needs ")[:-1]
    )


def test_each_circle_is_found() -> None:
    jobs = "".join(
        f"  {a}: {{needs: [{b}], before: [x]}}\n" for a, b in [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]
    )

    assert [problem.code for problem in problems(manifest(jobs))] == ["cycle", "cycle"]


def test_a_thousand_jobs_in_a_row_are_no_problem() -> None:
    jobs = (
        "".join(f"  j{i}: {{needs: [j{i + 1}], before: [x]}}\n" for i in range(1000))
        + "  j1000: {before: [x]}\n"
    )

    assert load(manifest(jobs)).jobs[-1].name == "j0"


def test_problems_point_at_the_name_the_file_was_given() -> None:
    assert only("").place.file == FILE
