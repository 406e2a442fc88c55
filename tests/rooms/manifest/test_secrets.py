"""A manifest holds references to secrets; a secret that stands in it is refused and never shown."""

import pytest

from .reading import load, only, problems

SECRET = "hunter2-hunter2"


def _auth(fields: str) -> str:
    return (
        "version: 1\nname: x\nremotes:\n  cloud:\n    type: acd\n"
        f"    auth: {fields}\njobs: {{a: {{before: [x]}}}}\n"
    )


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        f'"{SECRET}"',
        f"[{SECRET}]",
        f"{{value: {SECRET}}}",
        f"{{value: {SECRET}, more: {SECRET}}}",
        f"&a {SECRET}",
        f"\n        {SECRET}\n        {SECRET}",
        f"|\n        {SECRET}\n",
        f"\n      - {SECRET}\n",
        "0123456789",
    ],
)
def test_a_literal_is_refused_and_not_shown(value: str) -> None:
    problem = only(_auth(f"\n      token: {value}"))

    assert problem.code == "literal-secret"
    assert SECRET not in str(problem)
    assert "0123456789" not in str(problem)
    assert "{env: NAME}" in problem.hint


@pytest.mark.parametrize(
    "fields",
    [
        f"{{client_secret: {SECRET}, clientid: {{env: X}}}}",
        f"{{client_secret: {SECRET}, client_secret: {SECRET}}}",
        f"{{tokn: {SECRET}}}",
        f"{{password: {SECRET}}}",
        f"{{token: {{env: X, extra: {SECRET}}}}}",
        f"{{token: !x {SECRET}}}",
        f"{{token: {SECRET}",
        f"{{token: {SECRET}: x: y}}",
        f"{{client_secret: {SECRET}, auth_url: no}}",
        f"\n      token: {SECRET}: x",
        f"\n      token:\n      {SECRET}\n      {SECRET}\n",
        f"\n      token: |\n      {SECRET}\n",
        f"\n      token: [\n      {SECRET}\n",
        f'\n      token: "{SECRET}\n',
    ],
)
def test_no_other_problem_of_its_line_shows_it(fields: str) -> None:
    found = problems(_auth(fields))

    assert found
    assert SECRET not in "\n".join(map(str, found))


def test_a_password_in_an_address_is_a_secret_too() -> None:
    text = _auth("{}").replace("type: acd", f"type: acd\n    server: https://me:{SECRET}@example.org/")
    problem = only(text)

    assert problem.code == "literal-secret"
    assert SECRET not in str(problem)


@pytest.mark.parametrize(
    "reference", ["{env: TOKEN}", "{file: ~/token.json}", "{command: [pass, show, acd]}"]
)
def test_a_reference_is_accepted_and_stays_one(reference: str) -> None:
    loaded = load(_auth(f"{{token: {reference}}}"))

    assert reference.split(":")[0].strip("{") in loaded.canonical()


@pytest.mark.parametrize("reference", ["{env: 5}", "{env: ''}", "{command: pass show acd}", "{command: []}"])
def test_a_reference_has_its_form(reference: str) -> None:
    assert [problem.code[:3] for problem in problems(_auth(f"{{token: {reference}}}"))] == ["bad"]


def test_a_file_reference_starts_at_the_manifests_folder() -> None:
    canonical = load(_auth("{token: {file: token.json}}")).canonical()

    assert '"file":"/' in canonical


@pytest.mark.torture
@pytest.mark.parametrize(
    "word", ["verify", "insecure", "tls_verify", "no_check_certificate", "follow_redirects"]
)
def test_N21_no_field_of_a_remote_turns_the_checking_of_certificates_off(word: str) -> None:
    text = f"""\
version: 1
name: n
remotes:
  cloud: {{type: acd, {word}: false}}
jobs:
  j: {{pairs: [{{source: /a, destination: "cloud:b", mode: copy}}]}}
"""

    assert [problem.code for problem in problems(text)] == ["unknown-key"]
