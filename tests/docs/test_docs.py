"""What is written down agrees with what is there."""

import re
from pathlib import Path

import pytest

from runner.backends import registry
from runner.manifest.reference import reference
from runner.manifest.schema import schema_text
from runner.report.backends import WORDS
from runner.report.backends import page as table

CHECKOUT = Path(__file__).parents[2]
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md")])


def test_the_reference_page_is_the_one_the_models_give() -> None:
    assert (CHECKOUT / "docs/manifest.md").read_text() == reference()


def test_the_schema_is_the_one_the_models_give() -> None:
    assert (CHECKOUT / "schemas/manifest.schema.json").read_text() == schema_text()


def test_the_table_of_backends_is_the_one_they_claim() -> None:
    assert (CHECKOUT / "docs/backends.md").read_text() == table(), "write it anew: ci/backends"
    assert set(WORDS) == {kind for kind, entry in registry.KINDS.items() if not entry.fleeting}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    goals = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())

    assert [goal for goal in goals if not (page.parent / goal).exists()] == []


def test_the_readme_names_two_commands_that_the_makefile_has() -> None:
    made = set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))

    named = set(re.findall(r"^make ([a-z]+)", (CHECKOUT / "README.md").read_text(), re.MULTILINE))

    assert named == {"demo", "test"}
    assert named <= made
